#!/usr/bin/env python3
"""Answers that come while they are made, over TAP: of a command behind mcplane-worker, to mcplane-ctl's standard output."""

import os
import signal
import subprocess
import time

from bench import BROKER4, run_cases, wait_until


def start_send(bench, *flags):
    command = [bench.path("mcplane-ctl"), "send", "--broker", BROKER4, "--prompt", "p", *flags]
    sender = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    bench.started.append(("mcplane-ctl", sender, os.devnull))
    return sender


def pieces_come_while_the_command_runs(bench):
    bench.start_appliance()
    bench.start_worker("counts", backend="exec:for i in 1 2 3 4 5; do echo $i; sleep 0.3; done")
    sender = start_send(bench)
    came = []
    for line in sender.stdout:
        came.append((line, time.monotonic()))
    assert sender.wait(10) == 0, sender.stderr.read()
    assert "".join(line for line, _ in came) == "1\n2\n3\n4\n5\n", came
    assert came[-1][1] - came[0][1] > 0.9, came
    code, outcome = bench.send("--prompt", "p")
    assert (code, outcome["text"]) == (0, "1\n2\n3\n4\n5\n"), outcome
    assert outcome["chunks"] >= 5 and outcome["first_chunk_us"] < outcome["timing_us"]["total"] / 2, outcome


def reader_that_pauses_gets_it_all(bench):
    """Longer than its session would live if its thread waited for the reader."""
    bench.start_appliance()
    bench.start_worker("long", backend="exec:seq 300000")
    sender = start_send(bench)
    time.sleep(5)
    text = sender.stdout.read()
    assert sender.wait(10) == 0, sender.stderr.read()
    assert text == "".join(f"{i}\n" for i in range(1, 300_001)), len(text)


def worker_killed_amid_its_answer_is_not_replaced(bench):
    bench.start_appliance()
    victim = bench.start_worker("victim", backend="exec:echo half; sleep 1000")
    sender = start_send(bench, "--idempotent")
    assert sender.stdout.readline() == "half\n"
    bench.start_worker("other", backend="exec:echo whole")
    os.kill(victim.pid, signal.SIGKILL)
    assert sender.wait(10) == 1
    assert sender.stdout.read() == ""
    assert "worker_lost" in sender.stderr.read()


def lost_client_ends_the_command(bench):
    bench.start_appliance()
    bench.start_worker("sleeper", backend="exec:echo $$; exec sleep 1000")
    sender = start_send(bench)
    child = int(sender.stdout.readline())
    assert os.path.exists(f"/proc/{child}")
    os.kill(sender.pid, signal.SIGKILL)
    sender.wait()
    waited = wait_until("end of the command", 20, lambda: not os.path.exists(f"/proc/{child}"))
    print(f"  the command ended {waited:.1f} s after its client was killed")
    assert bench.node("sleeper")["state"] == "up"


def time_to_live_ends_the_command(bench):
    bench.start_appliance()
    bench.start_worker("sleeper", backend="exec:echo $$; exec sleep 1000")
    sender = start_send(bench, "--ttl", "1s")
    child = int(sender.stdout.readline())
    assert sender.wait(10) == 1
    wait_until("end of the command", 5, lambda: not os.path.exists(f"/proc/{child}"))


run_cases(pieces_come_while_the_command_runs, reader_that_pauses_gets_it_all,
          worker_killed_amid_its_answer_is_not_replaced, lost_client_ends_the_command, time_to_live_ends_the_command)
