#!/usr/bin/env python3
"""The page in a headless Chromium: what it shows is what the appliance says, at rest, loaded, with a worker lost and with
a breaker open; it asks nobody else. Pictures go to the folder that MCPLANE_PICTURES names, if it names one."""

import functools
import json
import os
import signal
import socket
import urllib.error
import urllib.request

from bench import need_tool, run_cases, wait_until

from browser import Browser  # in tests/support, which bench has added

HTTP = "127.0.0.1:4881"
URL = f"http://{HTTP}/"
RATE = 400
LISTENS = "0A"  # in /proc/net/tcp
SHOWN = "document.body?.dataset.shown ?? '0'"  # number of the event
# A table's cells as text, rows in order.
ROWS = """[...document.querySelectorAll('#%s tbody tr')].map((row) => [...row.children].map((cell) => cell.innerText.trim()))"""


def in_browser(case):
    """A browser for the case; no error, no request to anyone else."""
    @functools.wraps(case)
    def run(bench):
        need_tool("chromium")
        browser = Browser(os.path.join(bench.folder, "profile"), bench.other_cpus)
        try:
            case(bench, browser)
            browser.value("0")  # what was said until now is noted
            assert not browser.errors, browser.errors
            others = [url for url in browser.requests if not url.startswith((URL, "data:", "about:"))]
            assert browser.requests and not others, others
        finally:
            browser.end()
    return run


def picture(browser, name):
    folder = os.environ.get("MCPLANE_PICTURES")
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    for kind, how in {"light": {}, "dark": {"dark": True},
                      "phone": {"width": 360, "height": 740, "phone": True}}.items():
        browser.look(**how)
        wait_for_event(browser)
        browser.picture(os.path.join(folder, f"{name}-{kind}.png"))
    browser.look()


def said(path):
    with urllib.request.urlopen(URL + path, timeout=5) as answer:
        return json.load(answer)


def wait_for_event(browser):
    shown = browser.value(SHOWN)
    wait_until("the next event", 10, lambda: browser.value(SHOWN) != shown)


def text(browser, selector):
    return browser.value(f"document.querySelector({json.dumps(selector)}).innerText.trim()")


def field(browser, name):
    return text(browser, f'[data-show="{name}"]')


def visible(browser, selector):
    return browser.value(f"document.querySelector({json.dumps(selector)}).offsetParent !== null")


def figure(shown):
    """12.3k as a number."""
    units = {"k": 1e3, "M": 1e6}
    return float(shown[:-1]) * units[shown[-1]] if shown[-1] in units else float(shown)


def microseconds(browser, name):
    units = {"µs": 1, "ms": 1e3, "s": 1e6}
    return figure(field(browser, name)) * units[text(browser, f'[data-unit="{name}"]')]


def rows(browser, table):
    return browser.value(ROWS % table)


def open_page(bench, browser):
    bench.start_appliance("--http", HTTP, "--look-ahead-max", "0")
    browser.look()
    browser.open(URL)
    wait_for_event(browser)


@in_browser
def at_rest_it_says_what_to_start(bench, browser):
    open_page(bench, browser)
    assert text(browser, "#state") == "no worker"
    assert visible(browser, "#empty")
    assert text(browser, "#start-worker") == "mcplane-worker --broker 10.77.0.1 --backend echo"
    assert field(browser, "version") == said("v1/info")["version"]
    assert field(browser, "generation") == f"generation {said('v1/config')['generation']}"
    assert (field(browser, "queued"), field(browser, "in_flight"), field(browser, "p99")) == ("0", "0", "–")
    picture(browser, "empty")
    bench.start_worker("first")
    wait_until("the worker", 5, lambda: text(browser, "#state") == "serving")
    assert not visible(browser, "#empty")
    picture(browser, "idle")


@in_browser
def under_load_its_figures_are_the_appliances(bench, browser):
    open_page(bench, browser)
    for number in range(1, 5):
        bench.start_worker(f"gpu-{number}", slots=4 * number)
    load = bench.start_load("--clients", "8", "--rate", f"{RATE}/s")
    wait_until("load", 10, lambda: abs(figure(field(browser, "delivered")) - RATE) < RATE / 4)
    wait_for_event(browser)
    assert 0 < microseconds(browser, "p50") <= microseconds(browser, "p99")
    for chart in ("throughput", "latency"):
        wait_until(chart, 10, lambda chart=chart: browser.value(
            f"document.querySelectorAll('#{chart} path').length") >= (1 if chart == "throughput" else 3))
    assert figure(field(browser, "clients")) == said("v1/info")["sessions"]["clients"] == 8
    bench.end_load(load)
    wait_until("rest", 10, lambda: field(browser, "delivered") == "0")
    info = said("v1/info")
    nodes = [node for node in said("v1/nodes")["nodes"] if node["service"] == "worker"]
    shown = rows(browser, "workers")
    assert [row[0].split("\n") for row in shown] == [[node["name"], node["address"]] for node in nodes], shown
    assert [row[3] for row in shown] == [f"{node['outstanding']} of {node['slots']}" for node in nodes], shown
    assert {row[2] for row in shown} == {"closed"}, shown
    pool = said("v1/autoscale")["pools"][0]
    assert rows(browser, "pools") == [["generate", f"0 of {pool['slots']}", "0", "4 of 4", str(pool["desired"])]]
    assert len(rows(browser, "cores")) == info["shards"]
    for table, counted in (("drops", sum(info["drops"].values())), ("refused", info["tasks"]["rejected"])):
        total = sum(int(row[2].replace(",", "")) for row in rows(browser, table) if len(row) == 3)
        assert total == counted, (table, rows(browser, table), info)


@in_browser
def what_is_refused_has_its_reason(bench, browser):
    open_page(bench, browser)
    for _ in range(3):
        bench.send("--action", "generate", "--prompt", "anyone?")
    wait_for_event(browser)
    assert [row[0] for row in rows(browser, "refused")] == ["no worker"]
    assert int(rows(browser, "refused")[0][2]) == said("v1/info")["tasks"]["rejected"] >= 3


@in_browser
def a_full_appliance_shows_who_waits(bench, browser):
    open_page(bench, browser)
    bench.start_worker("slow", slots=2, backend="exec:sleep 0.05")
    bench.start_worker("quick", slots=16)
    bench.start_load("--clients", "8", "--window", "64")
    wait_until("full", 20, lambda: figure(field(browser, "queued")) > 0)
    picture(browser, "full")
    live = figure(field(browser, "queued"))
    assert 0 < live <= 8 * 64, live


@in_browser
def a_lost_worker_and_an_open_breaker_stand_out(bench, browser):
    open_page(bench, browser)
    workers = {name: bench.start_worker(name) for name in ("steady", "broken", "dying")}
    bench.start_load("--clients", "4", "--rate", f"{RATE}/s", "--ttl", "2s")
    wait_until("three rows", 10, lambda: len(rows(browser, "workers")) == 3)
    bench.end(workers["dying"], signal.SIGKILL)
    forced = bench.run("mcplane-ctl", "breaker", "force-open", bench.node("broken")["node_id"], "--admin", bench.admin)
    assert forced.returncode == 0, forced.stderr

    def stands():
        states = {row[0].split("\n")[0]: row[2].split("\n")[0] for row in rows(browser, "workers")}
        return states == {"steady": "closed", "broken": "open", "dying": "lost"}

    wait_until("lost and open", 10, stands)
    named = [row[0].split("\n")[0] for row in rows(browser, "workers")]
    assert named == ["broken", "dying", "steady"], "who is out comes first, then who was lost"
    assert {each["name"]: each["state"] for each in said("v1/breakers")["breakers"]} == {
        "steady": "closed", "broken": "open"}
    notices = text(browser, "#notices")
    assert "1 of 2 workers gets no tasks" in notices and "Lost within the last 2 minutes: dying" in notices, notices
    assert [row[3] for row in rows(browser, "pools")] == ["1 of 2"]
    picture(browser, "trouble")


@in_browser
def a_phone_has_no_need_to_scroll_sideways(bench, browser):
    open_page(bench, browser)
    bench.start_worker("a-worker-whose-name-is-longer-than-a-phone-is-wide.example", "--action", "generate",
                       "--action", "summarize-what-was-said-in-the-whole-of-a-long-conversation")
    for width in (360, 414, 800, 1200):
        browser.look(width=width, phone=width < 500)
        wait_for_event(browser)
        wide = browser.value("document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px on a screen of {width}"


@in_browser
def silence_is_said(bench, browser):
    bench.start_appliance("--http", HTTP)
    appliance = bench.started[-1][1]
    browser.look()
    browser.open(URL)
    wait_for_event(browser)
    assert not visible(browser, "#lost")
    appliance.send_signal(signal.SIGSTOP)
    wait_until("the banner", 10, lambda: visible(browser, "#lost"))
    assert text(browser, "#state") == "not connected"
    assert browser.value("document.body.classList.contains('stale')")
    if os.environ.get("MCPLANE_PICTURES"):
        browser.picture(os.path.join(os.environ["MCPLANE_PICTURES"], "silence-light.png"))
    appliance.send_signal(signal.SIGCONT)
    wait_until("word again", 10, lambda: not visible(browser, "#lost"))


def listeners_are_few_and_let_go(bench):
    appliance = bench.start_appliance("--http", HTTP)
    streams = [urllib.request.urlopen(URL + "v1/live", timeout=5) for _ in range(8)]
    try:
        for stream in streams:
            assert stream.readline() == b"event: history\n"
        try:
            urllib.request.urlopen(URL + "v1/live", timeout=5)
            raise AssertionError("a ninth listens")
        except urllib.error.HTTPError as error:
            assert error.code == 503, error
        assert said("v1/info")["shards"] == 1, "others are answered meanwhile"
        assert bench.end(appliance) == 0
    finally:
        for stream in streams:
            stream.close()


def a_taken_address_matters_only_when_typed(bench):
    first = bench.start_appliance("--http", HTTP)
    taken = ("--port", "tap:mc9", "--ip", "10.78.0.1/24", "--cores", str(bench.core), "--admin", bench.admin + "2")
    done = bench.run("mcplane", *taken, "--http", HTTP)
    assert done.returncode == 1 and done.stderr.endswith(f"http {HTTP}: Address already in use\n"), done.stderr
    assert bench.end(first) == 0
    with socket.create_server(("127.0.0.1", 4880)):
        second = bench.start_appliance()
        assert "no page: http 127.0.0.1:4880: Address already in use; " in bench.log_of(second)
        assert bench.end(second) == 0


def none_is_served_nowhere(bench):
    appliance = bench.start_appliance("--http", "none")
    assert "http" not in bench.log_of(appliance)
    with open(f"/proc/{appliance.pid}/net/tcp", encoding="ascii") as sockets:
        states = [line.split()[3] for line in sockets.readlines()[1:]]
    assert LISTENS not in states, states


run_cases(at_rest_it_says_what_to_start, under_load_its_figures_are_the_appliances, what_is_refused_has_its_reason,
          a_full_appliance_shows_who_waits, a_lost_worker_and_an_open_breaker_stand_out,
          a_phone_has_no_need_to_scroll_sideways, silence_is_said, listeners_are_few_and_let_go,
          a_taken_address_matters_only_when_typed, none_is_served_nowhere)
