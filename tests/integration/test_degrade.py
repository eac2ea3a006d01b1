#!/usr/bin/env python3
"""Something answers while no worker is in: when the only one dies, by command, and until a trial of settings is over."""

import json
import os
import signal
import time

from bench import BROKER4, PEER4, TAP, ip, run_cases, wait_until

CHAIN = """[[route]]
action = "generate"
degrade = ["cached", "reply"]
reply = "come back later"
"""
ALWAYS = CHAIN + 'degrade-when = "always"\n'
FALLBACK = """[[route]]
action = "generate"
degrade = "fallback"
fallback-action = "guess"
"""


def write(bench, text):
    path = os.path.join(bench.folder, "degrade.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def start(bench, text=CHAIN):
    appliance = bench.start_on(f"tap:{TAP}", "--config", write(bench, text))
    ip("link", "set", TAP, "up")
    ip("address", "add", PEER4, "dev", TAP)
    return appliance


def ask(bench, prompt):
    """How the answer came about, whether a worker ran it, and its text."""
    code, outcome = bench.send("--action", "generate", "--prompt", prompt)
    assert (code, outcome["outcome"]) == (0, "result"), outcome
    return outcome["degraded"], outcome["executed"], outcome["text"]


def route(bench):
    return json.loads(bench.ask("/v1/degradation"))["routes"][0]


def degrade(bench, *words):
    done = bench.run("mcplane-ctl", "degrade", *words, "--json", "--admin", bench.admin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["routes"][0]


def a_worker_that_dies_is_stood_in_for_until_another_comes(bench):
    appliance = start(bench)
    worker = bench.start_worker("only")
    assert ask(bench, "why?") == ("", "yes", "why?")
    bench.end(worker, signal.SIGKILL)
    wait_until("found dead", 5, lambda: bench.node("only") == {})
    assert ask(bench, "why?") == ("cached", "no", "why?")
    assert ask(bench, "how?") == ("reply", "no", "come back later")
    done = bench.run("mcplane-ctl", "send", "--broker", BROKER4, "--prompt", "why?")
    assert "degraded=cached" in done.stderr, done
    wait_until("said", 2, lambda: route(bench)["why"] == "no worker")
    degraded = bench.info()["degraded"]
    assert (degraded["cached"], degraded["reply"]) == (2, 1), degraded
    bench.start_worker("next")
    assert ask(bench, "how?") == ("", "yes", "how?")
    wait_until("said", 2, lambda: not route(bench)["degraded"])
    log = bench.log_of(appliance)
    assert "route generate is degraded, no worker: cached, reply" in log, log
    assert "route generate is not degraded any more" in log, log


def load_tells_answers_apart(bench):
    start(bench)
    done = bench.run("mcplane-load", "--udp", BROKER4, "--json", "--clients", "2", "--warmup", "0s", "--duration",
                     "500ms", "--rate", "200/s")
    assert done.returncode == 10, done.stderr  # nothing was delivered
    result = json.loads(done.stdout)
    assert result["degraded"] == result["sent"] > 50, result
    assert (result["delivered"], result["mismatched"], result["errors"]) == (0, 0, {}), result


def people_turn_it_on_and_off(bench):
    start(bench)
    bench.start_worker("only")
    assert degrade(bench, "generate", "on")["why"] == "command"
    wait_until("on", 2, lambda: ask(bench, "hi")[0] == "reply")
    assert degrade(bench, "generate", "auto")["command"] is None
    wait_until("auto", 2, lambda: ask(bench, "hi") == ("", "yes", "hi"))
    degrade(bench, "generate", "off")
    bench.run("mcplane-ctl", "breaker", "force-open", bench.node("only")["node_id"], "--admin", bench.admin)

    def refused():
        code, outcome = bench.send("--action", "generate", "--prompt", "hi")
        return (code, outcome["reason"]) == (1, "no_worker")

    wait_until("off", 2, refused)
    degrade(bench, "generate", "auto")
    wait_until("its breaker is open", 2, lambda: ask(bench, "hi")[0] == "cached")
    done = bench.run("mcplane-ctl", "degrade", "paint", "on", "--admin", bench.admin)
    assert done.returncode == 1 and "no route is named 'paint'" in done.stderr, done.stderr


def a_trial_that_nobody_confirms_ends_it(bench):
    start(bench)
    bench.start_worker("only")
    assert ask(bench, "hi") == ("", "yes", "hi")
    done = bench.run("mcplane-ctl", "config", "apply", write(bench, ALWAYS), "--confirm-within", "2s", "--admin",
                     bench.admin)
    assert done.returncode == 0, done.stderr
    wait_until("degraded", 1, lambda: ask(bench, "hi")[0] == "cached")
    time.sleep(2)
    wait_until("gone back", 2, lambda: ask(bench, "hi") == ("", "yes", "hi"))


def a_worker_of_another_action_stands_in(bench):
    start(bench, FALLBACK)
    bench.start_worker("other", "--action", "guess")
    assert ask(bench, "hi") == ("fallback", "yes", "hi")
    bench.start_worker("own")
    assert ask(bench, "hi") == ("", "yes", "hi")


run_cases(a_worker_that_dies_is_stood_in_for_until_another_comes, load_tells_answers_apart, people_turn_it_on_and_off,
          a_trial_that_nobody_confirms_ends_it, a_worker_of_another_action_stands_in)
