#!/usr/bin/env python3
"""What waits for a pool is counted for that pool, and wants workers; what mcplane-ctl prints is what /v1/autoscale says."""

import json

from bench import BROKER4, run_cases, wait_until

SLOTS, TASKS = 2, 6


def pools(bench):
    done = bench.run("mcplane-ctl", "autoscale", "--json", "--admin", bench.admin)
    assert done.returncode == 0, done.stderr
    return {pool["actions"][0]: pool for pool in json.loads(done.stdout)["pools"]}


def tasks_that_wait_want_workers(bench):
    bench.start_appliance("--look-ahead-max", "0")
    bench.start_worker("slow", "--action", "generate", slots=SLOTS, backend="exec:sleep 5")
    bench.start_worker("other", "--action", "embed", slots=SLOTS)
    for number in range(TASKS):
        bench.start("mcplane-ctl", [bench.path("mcplane-ctl"), "send", "--broker", BROKER4, "--action", "generate",
                                    "--prompt", f"{number}", "--ttl", "30s"])
    wait_until("tasks", 5, lambda: pools(bench)["generate"]["queued"] == TASKS - SLOTS)
    busy, idle = pools(bench)["generate"], pools(bench)["embed"]
    assert (busy["workers"], busy["ready"], busy["slots"], busy["in_flight"]) == (1, 1, SLOTS, SLOTS), busy
    assert (busy["utilisation"], busy["recommended"], busy["desired"]) == (TASKS / SLOTS, 4, 4), busy
    assert (idle["queued"], idle["in_flight"], idle["utilisation"], idle["desired"]) == (0, 0, 0, 1), idle
    table = bench.run("mcplane-ctl", "autoscale", "--admin", bench.admin).stdout.splitlines()
    assert len(table) == 3 and "300%" in next(line for line in table if line.startswith("generate")), table
    node = bench.node("slow")["node_id"]
    assert bench.run("mcplane-ctl", "breaker", "force-open", node, "--admin", bench.admin).returncode == 0
    wait_until("nobody ready", 5, lambda: pools(bench)["generate"]["ready"] == 0)
    assert pools(bench)["generate"]["recommended"] == 1, "without a ready worker nothing is known"


run_cases(tasks_that_wait_want_workers)
