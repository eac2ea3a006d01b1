#!/usr/bin/env python3
"""What signals do to the appliance, and what it tells a service manager. TERM ends it cleanly, idle or loaded; what it
borrowed is back: buffers, TAP device, socket."""

import contextlib
import json
import os
import signal
import socket
import time

from bench import BROKER4, TAP, run_cases, wait_until

import thread_stall  # bench knows the way

ROUNDS = 6
WATCHDOG_S = 0.4
AT_HAND_MAX = 32  # buffers of one burst, taken beforehand for the replies of the next


def assert_ends_cleanly(bench, appliance, number):
    code = bench.end(appliance, number)
    log = bench.log_of(appliance)
    assert code == 0, f"exit {code}\n{log}"
    assert "leak" not in log, log
    assert not os.path.exists(f"/sys/class/net/{TAP}"), "the TAP device is still there"
    assert not os.path.exists(bench.admin), "the admin socket is still there"


def idle_appliance_ends_on_sigterm(bench):
    assert_ends_cleanly(bench, bench.start_appliance(), signal.SIGTERM)


def idle_appliance_ends_on_sigint(bench):
    assert_ends_cleanly(bench, bench.start_appliance(), signal.SIGINT)


def appliance_ends_under_load(bench):
    appliance = bench.start_appliance()
    bench.start_worker("echo")
    bench.start("mcplane-load", [bench.path("mcplane-load"), "--udp", "10.77.0.1", "--clients", "4", "--window", "16",
                                 "--duration", "20s", "--payload", "256B"])
    wait_until("load", 10, lambda: bench.info()["tasks"]["delivered"] > 1000)
    assert_ends_cleanly(bench, appliance, signal.SIGTERM)


def start_slow_task(bench, seconds):
    """One task that its worker takes that long for, on its way; its sender."""
    bench.start_worker("slow", backend=f"exec:sleep {seconds}; echo done")
    sender = bench.start("mcplane-ctl", [bench.path("mcplane-ctl"), "send", "--broker", BROKER4, "--action", "generate",
                                         "--prompt", "hi", "--ttl", "20s", "--json"])
    wait_until("task in flight", 5, lambda: bench.node("slow").get("outstanding") == 1)
    return sender


def task_in_flight_ends_and_new_ones_are_refused(bench):
    appliance = bench.start_appliance("--drain-timeout", "20s")
    load = bench.start_load("--clients", "1", "--rate", "100/s", "--action", "other", "--workers", "1")
    sender = start_slow_task(bench, 3)
    wait_until("load", 10, lambda: bench.info()["tasks"]["delivered"] > 20)
    started = time.monotonic()
    appliance.send_signal(signal.SIGTERM)
    wait_until("refusals", 2, lambda: bench.ask("/readyz") == "draining\n" and bench.info()["tasks"]["rejected"] > 20)
    assert appliance.wait(10) == 0, bench.log_of(appliance)
    assert time.monotonic() - started < 10, "it waited for more than the task"
    assert sender.wait(5) == 0 and json.loads(bench.log_of(sender).splitlines()[-1])["text"] == "done\n"
    assert bench.end_load(load)["errors"].get("draining", 0) > 20


def second_signal_ends_at_once(bench):
    appliance = bench.start_appliance("--drain-timeout", "1m")
    start_slow_task(bench, 15)
    appliance.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert appliance.poll() is None, "it did not wait for the task"
    assert_ends_cleanly(bench, appliance, signal.SIGTERM)


def usr2_drains_until_the_next(bench):
    appliance = bench.start_appliance()
    bench.start_worker("echo")
    appliance.send_signal(signal.SIGUSR2)
    wait_until("drain", 2, lambda: bench.ask("/readyz") == "draining\n")
    refused = bench.run("mcplane-ctl", "send", "--broker", BROKER4, "--prompt", "hi", "--json")
    assert refused.returncode != 0, "a task was taken"
    assert bench.node("echo")["state"] == "up", "who is there stays"
    appliance.send_signal(signal.SIGUSR2)
    wait_until("resumption", 2, lambda: bench.ask("/readyz") == "ready\n")
    assert bench.send("--prompt", "hi")[0] == 0
    appliance.send_signal(signal.SIGUSR2)
    wait_until("drain", 2, lambda: bench.ask("/readyz") == "draining\n")
    assert_ends_cleanly(bench, appliance, signal.SIGTERM)


def last_dump(bench, appliance):
    lines = [line for line in bench.log_of(appliance).splitlines() if line.startswith('{"at"')]
    return json.loads(lines[-1]) if lines else {}


def quit_says_what_is_known(bench):
    appliance = bench.start_appliance()
    bench.start_worker("echo")
    assert bench.send("--prompt", "hi")[0] == 0
    appliance.send_signal(signal.SIGQUIT)
    wait_until("dump", 3, lambda: last_dump(bench, appliance))
    dump = last_dump(bench, appliance)
    assert dump["control"] == "answers" and dump["info"]["tasks"]["delivered"] == 1, dump
    assert [node["name"] for node in dump["nodes"]["nodes"] if node["service"] == "worker"] == ["echo"], dump
    assert dump["cores"][0]["loops"] > 0 and dump["cores"][0]["last_loop_us_ago"] < 1_000_000, dump
    with thread_stall.stopped(thread_stall.control_thread(appliance.pid)):
        appliance.send_signal(signal.SIGQUIT)
        wait_until("second dump", 5, lambda: last_dump(bench, appliance)["control"] != "answers")
    assert last_dump(bench, appliance)["cores"][0]["loops"] > dump["cores"][0]["loops"]
    assert bench.send("--prompt", "hi")[0] == 0, "it goes on"


def quit_replaces_a_file(bench):
    path = os.path.join(bench.folder, "state.json")
    appliance = bench.start_appliance("--dump-file", path)
    times = set()
    for _ in range(2):
        appliance.send_signal(signal.SIGQUIT)
        wait_until("file", 3, lambda: os.path.exists(path))
        with open(path, encoding="utf-8") as file:
            times.add(json.load(file)["info"]["boot_id"])
        os.unlink(path)
    assert len(times) == 1 and last_dump(bench, appliance) == {}


def usr1_lets_go_of_a_file_that_was_moved(bench):
    path = os.path.join(bench.folder, "mcplane.log")
    appliance = bench.start_appliance("--log-file", path)
    bench.start_worker("first")
    os.rename(path, path + ".1")
    appliance.send_signal(signal.SIGUSR1)
    wait_until("new file", 3, lambda: os.path.exists(path))
    bench.start_worker("second")
    with open(path, encoding="utf-8") as now, open(path + ".1", encoding="utf-8") as before:
        assert ("'first'" in before.read(), "'second'" in now.read()) == (True, True)


class Notifications:
    """The other end of NOTIFY_SOCKET; what came, by name, in order."""

    def __init__(self, bench):
        self.path = os.path.join(bench.folder, "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.seen = []

    def read(self):
        """What is new."""
        new = []
        with contextlib.suppress(BlockingIOError):
            while True:
                new += self.socket.recv(4096).decode().splitlines()
        self.seen += new
        return new

    def await_line(self, line, seconds=5):
        wait_until(line, seconds, lambda: line in self.read())


def service_manager_is_told(bench):
    notifications = Notifications(bench)
    os.environ.update(NOTIFY_SOCKET=notifications.path, WATCHDOG_USEC=str(int(WATCHDOG_S * 1e6)))
    try:
        config = os.path.join(bench.folder, "empty.toml")
        with open(config, "w", encoding="utf-8"):
            pass
        appliance = bench.start_appliance("--config", config)
    finally:
        del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
    notifications.read()
    assert "READY=1" in notifications.seen, notifications.seen
    notifications.await_line("WATCHDOG=1")
    bench.start_worker("echo")
    notifications.await_line("STATUS=serving: 1 workers, 0 clients")

    for hung in (thread_stall.core_threads(appliance.pid)[0], thread_stall.control_thread(appliance.pid)):
        with thread_stall.stopped(hung):
            time.sleep(WATCHDOG_S / 2)  # a beat may have been on its way
            notifications.read()
            time.sleep(2 * WATCHDOG_S)
            assert "WATCHDOG=1" not in notifications.read(), "it is fed although a thread hangs"
        notifications.await_line("WATCHDOG=1")
    assert "stands still" in bench.log_of(appliance)

    appliance.send_signal(signal.SIGHUP)
    wait_until("reload", 5, lambda: notifications.read() and "RELOADING=1" in notifications.seen)
    wait_until("end of the reload", 5, lambda: notifications.read() or notifications.seen.count("READY=1") == 2)
    assert_ends_cleanly(bench, appliance, signal.SIGTERM)
    notifications.read()
    assert "STOPPING=1" in notifications.seen and notifications.seen.count("READY=1") == 2, notifications.seen


def load_leaks_no_buffers(bench):
    """Rounds of thousands of frames each: what a round leaked would add up, what a core keeps at hand does not."""
    bench.start_appliance()
    worker = bench.start_worker("echo")

    def free_after_round():
        bench.load("--clients", "8", "--window", "32", "--warmup", "0s", "--duration", "300ms", "--payload", "1KiB")
        # Also ends a worker's tasks the hard way: what they held comes back too.
        doomed = bench.start_worker("doomed")
        bench.end(doomed, signal.SIGKILL)
        wait_until("eviction", 3, lambda: not bench.node("doomed"))
        return bench.info()["buffers"]["free"]

    free = [free_after_round() for _ in range(ROUNDS)]
    bench.end(worker)
    assert max(free) - min(free) <= AT_HAND_MAX, free


run_cases(idle_appliance_ends_on_sigterm, idle_appliance_ends_on_sigint, appliance_ends_under_load,
          task_in_flight_ends_and_new_ones_are_refused, second_signal_ends_at_once, usr2_drains_until_the_next,
          quit_says_what_is_known, quit_replaces_a_file, usr1_lets_go_of_a_file_that_was_moved, service_manager_is_told, load_leaks_no_buffers)
