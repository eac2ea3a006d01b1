#!/usr/bin/env python3
"""A worker that answers errors at once draws all the tasks, until its breaker opens: for all it does, or for one action."""

import json

from bench import run_cases, wait_until

TASKS = 200
ROW = 5  # failures in a row that open


def breakers(bench, *words):
    done = bench.run("mcplane-ctl", "breaker", *words, "--json", "--admin", bench.admin)
    assert done.returncode == 0, done.stderr
    return {breaker["name"]: breaker for breaker in json.loads(done.stdout)["breakers"]}


def failing_worker_is_taken_out_within_a_window(bench):
    appliance = bench.start_appliance()
    for name in ("good-1", "good-2"):
        bench.start_worker(name)
    bench.start_worker("bad", backend="exec:exit 1")
    ended = []
    for number in range(TASKS):
        code, outcome = bench.send("--action", "generate", "--prompt", f"{number}")
        ended.append(outcome["outcome"])
        assert code == (0 if outcome["outcome"] == "result" else 1), outcome
    assert ended.count("worker_error") == ROW, ended
    bad = breakers(bench)["bad"]
    assert (bad["state"], bad["reason"]) == ("open", "failures in a row"), bad
    assert bench.log_of(appliance).count("breaker of worker 'bad'") == 1
    assert bench.node("bad")["breaker"] == "open" and bench.node("good-1")["breaker"] == "closed"


def people_take_a_worker_out_and_let_it_in(bench):
    bench.start_appliance()
    bench.start_worker("only")
    node = bench.node("only")["node_id"]
    assert breakers(bench, "force-open", node)["only"]["mode"] == "forced-open"
    code, outcome = bench.send("--action", "generate", "--prompt", "anyone?")
    assert (code, outcome["outcome"], outcome["reason"]) == (1, "rejected", "no_worker"), outcome
    assert breakers(bench, "auto", node)["only"]["mode"] == "auto"
    wait_until("half-open", 1, lambda: breakers(bench)["only"]["state"] == "half-open")
    for number in range(3):
        code, outcome = bench.send("--action", "generate", "--prompt", f"{number}")
        assert code == 0, outcome
    wait_until("closed", 1, lambda: breakers(bench)["only"]["state"] == "closed")
    done = bench.run("mcplane-ctl", "breaker", "auto", "00000001", "--admin", bench.admin)
    assert done.returncode == 1 and "no worker that takes tasks" in done.stderr, done.stderr


def of_action(bench, action, *words):
    """Breakers of that action that are not simply closed, by the worker's name."""
    done = bench.run("mcplane-ctl", "breaker", *words, "--json", "--admin", bench.admin)
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)["breakers"] if each["action"] == action}


def failing_at_one_action_goes_on_with_the_others(bench):
    appliance = bench.start_appliance()
    both = ("--action", "embed", "--action", "generate")
    bench.start_worker("good", *both)
    bench.start_worker("bad", *both, backend='exec:test "$MCPLANE_ACTION" = generate')
    ended = [bench.send("--action", "embed", "--prompt", f"{number}")[1]["outcome"] for number in range(60)]
    assert ended.count("worker_error") == ROW and ended.count("result") == 60 - ROW, ended
    bad = bench.node("bad")["node_id"]
    assert of_action(bench, "embed")["bad"]["state"] == "open" and of_action(bench, "")["bad"]["state"] == "closed"
    assert bench.log_of(appliance).count("for action 'embed' opens") == 1
    nodes = set()
    for number in range(20):
        code, outcome = bench.send("--action", "generate", "--prompt", f"{number}")
        assert code == 0, outcome
        nodes.add(outcome["worker_node"])
    assert nodes == {bad, bench.node("good")["node_id"]}, nodes
    assert of_action(bench, "embed", "force-closed", bad, "embed")["bad"]["mode"] == "forced-closed"
    code, outcome = bench.send("--action", "embed", "--prompt", "again")
    assert code in (0, 1), outcome
    assert not of_action(bench, "embed", "auto", bad, "embed"), "closed, and left to itself"


run_cases(failing_worker_is_taken_out_within_a_window, people_take_a_worker_out_and_let_it_in,
          failing_at_one_action_goes_on_with_the_others)
