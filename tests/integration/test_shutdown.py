#!/usr/bin/env python3
"""SIGTERM ends the appliance cleanly, idle or loaded; what it borrowed is back: buffers, TAP device, socket."""

import os
import signal

from bench import TAP, run_cases, wait_until

ROUNDS = 6
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
          load_leaks_no_buffers)
