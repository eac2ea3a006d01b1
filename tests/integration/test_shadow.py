#!/usr/bin/env python3
"""A heavy load test beside production, on the same appliance: production's figures are what they would be without it.
And copies of production's tasks at shadow workers."""

import os

from bench import run_cases, wait_until

TASKS = 20_000
MIRRORED = 5_000
# For all of them, whatever pauses the machine takes.
PATIENT = ("--warmup", "0s", "--duration", "120s", "--ttl", "60s")
CONFIG = """
[client]
rate = "100k/s"
burst = 100000
concurrency = 200

[[route]]
action = "generate"
concurrency = 400
mirror = "{mirror}"
"""


def config(bench, mirror="0%"):
    path = os.path.join(bench.folder, "mcplane.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(mirror=mirror))
    return path


def a_failing_load_test_leaves_production_alone(bench):
    bench.start_appliance("--config", config(bench))
    bench.start_worker("own")
    for name in ("shadow-1", "shadow-2"):
        bench.start_worker(name, "--shadow", backend="exec:exit 1", slots=4)
    assert bench.node("shadow-1")["shadow"] and not bench.node("own")["shadow"]
    # Beyond what clients and the route are allowed, and without end.
    test = bench.start_load("--shadow", "--clients", "16", "--window", "64")
    wait_until("shadow workers fail", 10, lambda: bench.node("shadow-1")["breaker"] == "open"
               or bench.node("shadow-2")["breaker"] == "open")
    before = bench.info()["tasks"]
    own = bench.load("--clients", "4", "--window", "16", "--tasks", str(TASKS), *PATIENT)
    assert own["delivered"] == own["sent"] == TASKS and not own["errors"], own
    wait_until("the last answers are acknowledged", 10, lambda: bench.info()["tasks"]["delivered"] == TASKS)
    after = bench.info()["tasks"]
    assert before["accepted"] == 0, before
    assert {name: count for name, count in after.items() if count} == {"accepted": TASKS, "delivered": TASKS}, after
    assert bench.node("own")["breaker"] == "closed"
    tested = bench.end_load(test)
    # Refused ones slow down: how many it comes to depends on how long production took.
    assert tested["sent"] > TASKS / 40 and sum(tested["errors"].values()) > 0, tested
    wait_until("the load test is over", 10, lambda: bench.info()["shadow"]["queued"] == 0)
    shadow = bench.info()["shadow"]
    assert shadow["accepted"] > 0 and shadow["accepted"] + shadow["rejected"] >= tested["sent"], (shadow, tested)
    assert {name: count for name, count in bench.info()["tasks"].items() if count} == \
        {"accepted": TASKS, "delivered": TASKS}


def each_kind_has_its_workers(bench):
    bench.start_appliance()
    bench.start_worker("own")
    code, outcome = bench.send("--prompt", "hi", "--shadow")
    assert (code, outcome["outcome"], outcome["reason"]) == (1, "rejected", "no_worker"), outcome
    bench.start_worker("shadow", "--shadow")
    for flags, name in (((), "own"), (("--shadow",), "shadow")):
        code, outcome = bench.send("--prompt", "hi", *flags)
        assert (code, outcome["worker_node"]) == (0, bench.node(name)["node_id"]), outcome
    text = bench.run("mcplane-ctl", "nodes", "--admin", bench.admin).stdout
    assert "shadow worker" in text, text


def a_tenth_is_copied_and_nothing_of_it_comes_back(bench):
    bench.start_appliance("--config", config(bench, "10%"))
    bench.start_worker("own")
    bench.start_worker("shadow", "--shadow", slots=256)
    own = bench.load("--clients", "4", "--window", "4", "--tasks", str(MIRRORED), *PATIENT)
    assert own["delivered"] == own["sent"] == MIRRORED and not own["errors"], own
    wait_until("copies end", 10, lambda: bench.info()["mirror"]["under_way"] == 0)
    mirror = bench.info()["mirror"]
    due = mirror["copied"] + mirror["no_worker"] + mirror["over_cap"] + mirror["no_buffer"]
    assert abs(due - MIRRORED / 10) <= 1, mirror
    assert mirror["answered"] == mirror["copied"] >= 0.9 * MIRRORED / 10, mirror
    assert bench.info()["tasks"]["delivered"] <= MIRRORED == bench.info()["tasks"]["accepted"], bench.info()["tasks"]
    assert not any(bench.info()["shadow"].values()), bench.info()["shadow"]


run_cases(a_failing_load_test_leaves_production_alone, each_kind_has_its_workers,
          a_tenth_is_copied_and_nothing_of_it_comes_back)
