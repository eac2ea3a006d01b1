#!/usr/bin/env python3
"""mcplane-ctl perf against a loaded appliance: what it measured is there, adds up, and stops with --off."""

import json

from bench import run_cases

TASKS = 20_000


def perf(bench, *flags):
    done = bench.run("mcplane-ctl", "perf", "--admin", bench.admin, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cycles_and_residence_of_a_load(bench):
    bench.start_appliance()
    bench.start_worker("echo")
    assert perf(bench).startswith("off; next: mcplane-ctl perf --on"), perf(bench)
    assert perf(bench, "--on") == "measuring; next: mcplane-ctl perf\n"
    bench.load("--clients", "4", "--window", "16", "--tasks", str(TASKS), "--duration", "60s", "--warmup", "0s")
    answer = json.loads(perf(bench, "--json"))
    assert answer["on"] and answer["tsc_hz"] > 1e8, answer
    (core,) = answer["cores"]
    assert core["sampled_loops"] > 100, core
    # They are read one by one, while the core goes on.
    assert abs(core["loops"] - 61 * core["sampled_loops"]) <= 61, core
    assert 0 < core["busy_ratio"] <= 1 and core["tasks"] > 50, core
    assert all(core["cycles_per_frame"][name] > 0 for name in ("rx", "ingress", "dispatch", "egress", "tx")), core
    # To within the rounding of each station to a tenth.
    whole = core["cycles_per_task"] * core["tasks"]
    assert abs(sum(core["cycles_per_frame"].values()) * core["frames"] - whole) < 0.01 * whole + core["frames"], core
    for leg in ("route", "deliver"):
        residence = answer["residence_ns"][leg]
        # One loop in 61 holds about that share of the frames.
        assert TASKS / 61 / 4 < residence["count"] < TASKS / 61 * 4, residence
        assert 0 < residence["p50"] <= residence["p90"] <= residence["p99"] <= residence["max"], residence
    for heading in ("shard 0: busy", "STATION", "dispatch", "SEND to ROUTE", "RESULT to DELIVER"):
        assert heading in perf(bench), perf(bench)

    assert perf(bench, "--off") == "off\n"
    stopped = json.loads(perf(bench, "--json"))
    bench.load("--clients", "4", "--tasks", "2000", "--duration", "60s", "--warmup", "0s")
    after = json.loads(perf(bench, "--json"))
    assert not after["on"] and after["cores"] == stopped["cores"], (stopped, after)
    both = bench.run("mcplane-ctl", "perf", "--admin", bench.admin, "--on", "--off")
    assert both.returncode == 2 and both.stderr.count("\n") == 1, both.stderr


run_cases(cycles_and_residence_of_a_load)
