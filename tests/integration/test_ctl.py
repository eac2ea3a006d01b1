#!/usr/bin/env python3
"""mcplane-ctl against a live appliance: routes, tasks, why a task waits, a drain, frames in a file, and top's screen."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from bench import BROKER4, PEER4, TAP, Skip, ip, need_tool, run_cases, wait_until

# Where Debian has its modules, whichever Python runs this.
sys.path.append("/usr/lib/python3/dist-packages")
SLOW = "exec:sleep 3; cat"


def ctl(bench, *words, code=0):
    done = bench.run("mcplane-ctl", *words, "--admin", bench.admin)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done


def ctl_json(bench, *words):
    return json.loads(ctl(bench, *words, "--json").stdout)


def start_send(bench, task, *words):
    return bench.start("mcplane-ctl", [bench.path("mcplane-ctl"), "send", "--broker", BROKER4, "--id", task,
                                       "--prompt", "hi", "--ttl", "20s", *words])


def start(bench, *flags):
    appliance = bench.start_on(f"tap:{TAP}", *flags)
    ip("link", "set", TAP, "up")
    ip("address", "add", PEER4, "dev", TAP)
    return appliance


def routes_say_what_is_configured_offered_and_asked_for(bench):
    path = os.path.join(bench.folder, "routes.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write('[[route]]\naction = "generate"\npolicy = "session"\n')
    start(bench, "--config", path)
    assert [route["action"] for route in ctl_json(bench, "routes")["routes"]] == ["generate"]
    bench.start_worker("one", "--action", "generate", "--action", "paint")
    assert bench.send("--action", "generate", "--prompt", "hi")[0] == 0
    routes = {route["action"]: route for route in ctl_json(bench, "routes")["routes"]}
    assert set(routes) == {"generate", "paint"}, routes
    assert routes["generate"]["policy"] == "session" and routes["paint"]["configured"] is None, routes
    assert routes["generate"]["workers"]["in"] == 1, routes
    table = ctl(bench, "routes").stdout
    assert "session" in table and "1 in" in table, table


def a_task_at_its_worker_and_one_that_waits_are_explained(bench):
    start(bench)
    assert ctl(bench, "tasks").stdout == "no such task is open\n"
    bench.start_worker("slow", slots=1, backend=SLOW)
    bench.start_worker("shut", slots=1)
    ctl(bench, "breaker", "force-open", bench.node("shut")["node_id"])
    start_send(bench, "first")
    wait_until("at its worker", 5, lambda: [t["state"] for t in ctl_json(bench, "tasks")["tasks"]] == ["running"])
    start_send(bench, "second")
    wait_until("both", 5, lambda: len(ctl_json(bench, "tasks")["tasks"]) == 2)
    queued = ctl_json(bench, "tasks", "--state", "queued", "--route", "generate")["tasks"]
    assert len(queued) == 1 and queued[0]["waiting_in_route"] == 1, queued
    assert ctl_json(bench, "tasks", "--route", "paint")["tasks"] == []
    first = ctl_json(bench, "explain", "first")["tasks"][0]
    assert (first["state"], first["worker"]["name"]) == ("running", "slow"), first
    text = ctl(bench, "explain", "second").stdout
    assert "queued" in text and "refused: full: holds 1 of 1" in text, text
    assert "refused: its breaker is open" in text, text
    assert ctl_json(bench, "explain", queued[0]["token"])["tasks"][0]["id"] == queued[0]["id"]
    gone = ctl(bench, "explain", "never", code=1)
    assert "has ended, or never came" in gone.stderr and gone.stderr.count("\n") == 1, gone.stderr
    assert "'lost' is no state" in ctl(bench, "tasks", "--state", "lost", code=1).stderr
    waiting = next(route for route in ctl_json(bench, "routes")["routes"] if route["action"] == "generate")
    assert sum(waiting["waiting"]) == 1, waiting


def a_drained_worker_ends_what_it_has_and_gets_no_more(bench):
    start(bench)
    bench.start_worker("slow", slots=4, backend="exec:sleep 1; cat")
    node = bench.node("slow")["node_id"]
    sent = start_send(bench, "last")
    wait_until("at its worker", 5, lambda: bench.node("slow")["outstanding"] == 1)
    done = ctl(bench, "drain", node.upper())
    assert "holds 1 tasks" in done.stderr and "holds no task" in done.stdout, done
    assert sent.wait(5) == 0
    assert bench.send("--prompt", "hi", "--ttl", "1s")[0] != 0
    assert ctl_json(bench, "drain", node)["drained"] is True
    ctl(bench, "drain", node, "--undo")
    wait_until("in again", 5, lambda: bench.send("--prompt", "hi", "--ttl", "5s")[0] == 0)
    assert "no worker that takes tasks" in ctl(bench, "drain", "00000001", code=1).stderr
    start_send(bench, "long")
    wait_until("at its worker", 5, lambda: bench.node("slow")["outstanding"] == 1)
    assert "still holds 1 tasks" in ctl(bench, "drain", node, "--timeout", "200ms", code=1).stderr


def captured(bench, path, *fields):
    listed = subprocess.run(["tshark", "-r", path, "-T", "fields", *(word for field in fields for word in ("-e", field))],
                            capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in listed.splitlines()]


def matching_frames_are_captured_and_no_more(bench):
    need_tool("tshark")
    start(bench)
    bench.start_worker("one")
    path = os.path.join(bench.folder, "frames.pcap")
    capture = bench.start("mcplane-ctl", [bench.path("mcplane-ctl"), "capture", path, "--type", "send,ROUTE", "--seconds",
                                          "20", "--count", "4", "--admin", bench.admin])
    wait_until("on", 5, lambda: json.loads(bench.ask("/v1/capture"))["on"])
    assert "a capture is on" in ctl(bench, "capture", path + "2", code=1).stderr
    before_s = time.time()
    for _ in range(3):
        assert bench.send("--prompt", "captured prompt")[0] == 0
    assert capture.wait(5) == 0, bench.log_of(capture)
    assert "4 frames; prompts" in bench.log_of(capture), bench.log_of(capture)
    frames = captured(bench, path, "ip.src", "ip.dst", "frame.time_epoch", "udp.payload")
    assert [frame[0] == BROKER4 for frame in frames] == [False, True, False, True], frames
    assert all(before_s - 1 < float(frame[2]) < time.time() + 1 for frame in frames), frames
    assert all("captured prompt".encode().hex() in frame[3].replace(":", "") for frame in frames), frames
    assert json.loads(bench.ask("/v1/capture")) == {"on": False, "frames": 4, "missed": 0}
    done = ctl(bench, "capture", path, "--seconds", "1", "--peer", "10.77.0.99")
    assert done.stdout.startswith("0 frames;") and captured(bench, path, "ip.src") == [], done
    assert "is no frame type" in ctl(bench, "capture", path, "--type", "SEN", code=1).stderr
    done = ctl_json(bench, "capture", path, "--seconds", "1", "--snap", "60")
    assert done["frames"] > 0, done  # heartbeats
    assert max(int(frame[0]) for frame in captured(bench, path, "frame.cap_len")) == 60


class Screen:
    """mcplane-ctl top in a terminal of its own."""

    def __init__(self, bench, rows=24, columns=100, **environment):
        try:
            import pyte  # Debian: python3-pyte
        except ImportError:
            raise Skip("python3-pyte is not installed (scripts/deps installs it)") from None
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment})
            os.execv(bench.path("mcplane-ctl"), ["mcplane-ctl", "top", "--admin", bench.admin, "--interval", "200ms"])
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.terminal, keys.encode())

    def text(self):
        while select.select([self.terminal], [], [], 0.05)[0]:
            try:
                self.stream.feed(os.read(self.terminal, 65536))
            except OSError:  # it has ended
                break
        return "\n".join(line.rstrip() for line in self.screen.display)

    def colours(self):
        self.text()
        return {cell.fg for line in self.screen.buffer.values() for cell in line.values()}

    def wait(self, what, probe, seconds=10):
        wait_until(what, seconds, lambda: probe(self.text()))

    def row_of(self, name):
        return next((line for line in self.text().splitlines() if line.startswith(name)), "")

    def end(self):
        self.press("q")
        _, status = os.waitpid(self.child, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def top_shows_load_a_dead_worker_and_an_open_breaker(bench):
    start(bench)
    workers = [bench.start_worker(name) for name in ("ann", "bob", "cid")]
    top = Screen(bench)
    top.wait("workers", lambda text: all(name in text for name in ("ann", "bob", "cid")))
    load = bench.start_load("--rate", "200/s", "--clients", "2")
    top.wait("load", lambda text: "accepted      0" not in text and "core 0" in text)
    wait_until("rates", 5, lambda: float(top.row_of("ann").split()[-3]) > 0)
    bench.end(workers[1], signal.SIGKILL)
    wait_until("gone", 5, lambda: "gone" in top.row_of("bob"))
    ctl(bench, "breaker", "force-open", bench.node("cid")["node_id"])
    wait_until("open", 5, lambda: " open " in top.row_of("cid"))
    assert "red" in top.colours(), top.colours()
    top.press("t")
    top.wait("sorted", lambda text: "TASKS/sv" in text)
    top.resize(12, 70)
    top.wait("smaller", lambda text: "core 0" in text and "ann" in text and len(text.splitlines()) == 12)
    bench.end_load(load)
    assert top.end() == 0


def top_keeps_to_no_color_and_needs_a_terminal(bench):
    start(bench)
    plain = Screen(bench, NO_COLOR="1")
    plain.wait("up", lambda text: "no worker is registered" in text)
    assert plain.colours() <= {"default"}, plain.colours()
    assert plain.end() == 0
    refused = ctl(bench, "top", code=2)
    assert "mcplane-ctl status" in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr


def node_ids_are_completed(bench):
    start(bench)
    bench.start_worker("one")
    node = bench.node("one")["node_id"]
    script = os.path.join(bench.binaries, "docs", "mcplane-ctl")
    code = (f"source {script}; COMP_WORDS=({bench.path('mcplane-ctl')} drain --admin {bench.admin} {node[:3]}); "
            "COMP_CWORD=4; _mcplane_ctl; echo \"${COMPREPLY[@]}\"")
    assert subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True,
                          check=True).stdout.split() == [node]


run_cases(routes_say_what_is_configured_offered_and_asked_for, a_task_at_its_worker_and_one_that_waits_are_explained,
          a_drained_worker_ends_what_it_has_and_gets_no_more, matching_frames_are_captured_and_no_more,
          top_shows_load_a_dead_worker_and_an_open_breaker, top_keeps_to_no_color_and_needs_a_terminal,
          node_ids_are_completed)
