#!/usr/bin/env python3
"""What the load generator says is true: a stalled broker shows in its percentiles, and both sides count the same."""

import json
import os
import signal
import time

from bench import BROKER4, run_cases, wait_until

RATE = 1_000
RUN_S, STALL_S = 4, 2
# A stall of half the run: a task that was due at a moment of it waited for what was left of it.
P99_MIN_S = 0.9 * STALL_S


def stalled_broker_shows_in_the_percentiles(bench):
    appliance = bench.start_appliance()
    bench.start_worker("one")
    # What was sent meanwhile comes at once then: of the class that rather waits, none of it is refused.
    load = bench.start("mcplane-load", [
        bench.path("mcplane-load"), "--udp", BROKER4, "--json", "--rate", f"{RATE}/s", "--clients", "8", "--warmup",
        "0s", "--duration", f"{RUN_S}s", "--ttl", "60s", "--priority", "3"])
    wait_until("first tasks", 10, lambda: bench.info()["tasks"]["delivered"] > 0)
    time.sleep((RUN_S - STALL_S) / 2)
    appliance.send_signal(signal.SIGSTOP)
    try:
        time.sleep(STALL_S)
    finally:
        appliance.send_signal(signal.SIGCONT)
    result = bench.end_load_by_itself(load)
    latency = result["latency_us"]
    assert result["delivered"] == result["sent"] >= 0.99 * RATE * RUN_S, result
    assert result["skipped"] == 0, result
    assert latency["p99"] >= 1e6 * P99_MIN_S, latency
    # Half of the tasks fell into it, and waited half of it on average.
    assert 0.35 * STALL_S * 1e6 <= latency["p75"] <= STALL_S * 1e6, latency
    assert latency["p50"] <= STALL_S * 1e6 / 2, latency
    silent = [second for second in result["series"] if second["delivered"] < 0.2 * RATE * second["length_s"]]
    assert silent, result["series"]


def refused_by(info):
    """Tasks: a REJECT that a client asks for once more is no further one."""
    return info["tasks"]["rejected"] - info["frames"]["repeated"]


def both_sides_count_every_task(bench):
    bench.start_appliance("--max-queued", "64")
    bench.start_worker("one", slots=2)
    # More than two slots and 64 places take: some are rejected.
    result = bench.load("--clients", "16", "--window", "32", "--warmup", "0s", "--duration", "1s", "--ttl", "20s")
    info = bench.info()
    broker, refused = info["tasks"], refused_by(info)
    assert result["errors"] and result["delivered"], result
    assert broker["accepted"] + refused == result["sent"], (info, result["sent"])
    assert broker["delivered"] == result["delivered"], (broker, result["delivered"])
    assert refused == sum(result["errors"].values()), (info, result["errors"])
    counted = sum(count for _, count in result["histograms_ns"]["latency"])
    assert counted == result["latency_us"]["count"] == result["delivered"], result["latency_us"]


def broker_says_what_tasks_cost_it(bench):
    bench.start_appliance()
    bench.start_worker("one")
    flags = ("--udp", BROKER4, "--rate", "2k/s", "--warmup", "0s", "--duration", "1s", "--json")
    done = bench.run("mcplane-load", *flags, "--admin", bench.admin)
    assert done.returncode == 0, done.stderr
    cost, info = json.loads(done.stdout)["broker_cycles_per_task"], bench.info()
    # All that it has done since it was started: somewhat more than during the run.
    busy_s = sum(shard["busy_ms"] for shard in info["per_shard"]) / 1e3
    hz = json.loads(bench.run("mcplane-ctl", "perf", "--admin", bench.admin, "--json").stdout)["tsc_hz"]
    of_all = busy_s * hz / info["tasks"]["accepted"]
    assert 0.5 * of_all <= cost <= of_all, (cost, of_all)
    assert json.loads(bench.run("mcplane-load", *flags).stdout)["broker_cycles_per_task"] is None
    done = bench.run("mcplane-load", *flags, "--admin", bench.admin + ".not")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (5, "", 1), done
    assert "no appliance at the admin socket" in done.stderr, done.stderr


def objectives_decide_the_exit_code(bench):
    bench.start_appliance()
    bench.start_worker("one")
    flags = ("--udp", BROKER4, "--rate", "500/s", "--warmup", "0s", "--duration", "500ms", "--json")
    for objective, code in (("--rate-min", "400/s"), 0), (("--rate-min", "600/s"), 10), (("--p99-max", "1us"), 10):
        done = bench.run("mcplane-load", *flags, *objective)
        assert done.returncode == code, (objective, done.returncode, done.stderr)
        assert len(json.loads(done.stdout)["objectives"]["missed"]) == (1 if code else 0), done.stdout
        assert ("missed " + objective[0] in done.stderr) == (code != 0), done.stderr


def sweep_finds_a_knee_and_files_are_written(bench):
    bench.start_appliance()
    # Eight slots of a millisecond: 8,000 a second.
    html, hgrm = os.path.join(bench.folder, "run.html"), os.path.join(bench.folder, "run.hgrm")
    done = bench.run("mcplane-load", "--udp", BROKER4, "--json", "--sweep", "1k/s..64k/s", "--warmup", "100ms",
                     "--duration", "400ms", "--workers", "2", "--worker-slots", "4", "--service-time", "const:1ms",
                     "--p99-max", "300ms", "--html", html, "--hgrm", hgrm, seconds=120)
    assert done.returncode in (0, 10), done.stderr
    result = json.loads(done.stdout)
    assert 1_000 <= result["knee_per_s"] <= 9_000, result["sweep"]
    rates = [step["rate_per_s"] for step in result["sweep"]]
    assert rates == sorted(rates) and len(rates) >= 4, rates
    info = bench.info()
    assert info["tasks"]["accepted"] + refused_by(info) == result["sent"], (info, result["sent"])
    with open(html, encoding="utf-8") as file:
        page = file.read()
    assert page.count("<svg") == page.count("</svg>") >= 5, page.count("<svg")
    with open(hgrm, encoding="ascii") as file:
        assert "#[Max     =" in file.read()


run_cases(stalled_broker_shows_in_the_percentiles, both_sides_count_every_task, broker_says_what_tasks_cost_it,
          objectives_decide_the_exit_code, sweep_finds_a_knee_and_files_are_written)
