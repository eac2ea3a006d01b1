#!/usr/bin/env python3
"""kill -9 of a worker: the appliance evicts it, as soon as its host says that nobody listens at its port, or after three
missed heartbeats, and routes around it."""

import json
import signal
import time

from bench import BROKER4, BROKER6, run_cases, wait_until

# Three heartbeats of 100 ms and a judgement, plus the time it takes to ask.
EVICTION_S = 0.350
# A task for it, its host's word, and three PINGs.
CLOSED_PORT_S = 0.050
# How often a host says that a port is closed, ms apart; to begin with six times at once. Other cases' clients have left.
ICMP_LIMITS = ("/proc/sys/net/ipv4/icmp_ratelimit", "/proc/sys/net/ipv6/icmp/ratelimit")
ASKING_S = 0.050
SENDS = 50


def kill(bench, worker):
    """When it was dead: until then its sockets take frames."""
    assert bench.end(worker, signal.SIGKILL) == -signal.SIGKILL
    return time.monotonic()


def seconds_to_eviction(bench, name, killed):
    wait_until(f"eviction of {name}", 5, lambda: not bench.node(name))
    return time.monotonic() - killed


def listed_by_ctl(bench):
    done = bench.run("mcplane-ctl", "nodes", "--json", "--admin", bench.admin)
    assert done.returncode == 0, done.stderr
    return {node["name"] for node in json.loads(done.stdout)["nodes"]}


def dead_worker_is_evicted_and_its_successor_serves(bench):
    bench.start_appliance()
    doomed = bench.start_worker("doomed")
    bench.start_worker("successor")
    survivor = bench.node("successor")["node_id"]
    assert listed_by_ctl(bench) == {"doomed", "successor"}
    bench.load("--clients", "2", "--window", "8", "--warmup", "0s", "--duration", "300ms", "--payload", "64B")
    took = seconds_to_eviction(bench, "doomed", kill(bench, doomed))
    print(f"evicted after {took * 1000:.0f} ms")
    assert took <= EVICTION_S + ASKING_S, f"evicted after {took:.3f} s"
    assert listed_by_ctl(bench) == {"successor"}
    for number in range(SENDS):
        code, outcome = bench.send("--action", "generate", "--prompt", f"after {number}")
        assert (code, outcome["text"], outcome["worker_node"]) == (0, f"after {number}", survivor), outcome
    assert bench.info()["tasks"]["worker_lost"] == 0


def busy_worker_is_evicted_by_its_hosts_word(bench):
    """Its tasks may run twice, so all are answered; of the load's 2,000 a second none waits for heartbeats."""
    for limit in ICMP_LIMITS:  # of this namespace
        with open(limit, "w", encoding="ascii") as file:
            file.write("0")
    appliance = bench.start_appliance()
    for number, broker in enumerate((BROKER4, BROKER6), 1):
        doomed = bench.start_worker("doomed", broker=broker)
        successor = bench.start_worker("successor", broker=broker)
        load = bench.start_load("--rate", "2k/s", "--clients", "4", "--payload", "64B", "--idempotent", broker=broker)
        wait_until("load", 5, lambda: bench.info()["tasks"]["delivered"] > 500)
        took = seconds_to_eviction(bench, "doomed", kill(bench, doomed))
        print(f"at {broker}: evicted after {took * 1000:.0f} ms")
        result = bench.end_load(load)
        assert bench.log_of(appliance).count("evicted, nobody listens at its port") == number, bench.log_of(appliance)
        assert took <= CLOSED_PORT_S + ASKING_S, f"evicted after {took:.3f} s"
        assert not any(result["errors"].values()) and result["lost"] == 0, result
        bench.end(successor)
        wait_until("farewell", 1, lambda: not bench.node("successor"))


def without_a_worker_tasks_are_rejected_at_once(bench):
    bench.start_appliance()
    worker = bench.start_worker("only")
    seconds_to_eviction(bench, "only", kill(bench, worker))
    started = time.monotonic()
    code, outcome = bench.send("--action", "generate", "--prompt", "anyone?")
    took = time.monotonic() - started
    assert (code, outcome["outcome"], outcome["reason"]) == (1, "rejected", "no_worker"), outcome
    assert outcome["executed"] == "no", outcome
    assert took < 1, f"{took:.3f} s"


def worker_that_says_bye_drains_and_is_not_evicted(bench):
    appliance = bench.start_appliance()
    worker = bench.start_worker("polite")
    assert bench.end(worker) == 0
    wait_until("farewell", 1, lambda: not bench.node("polite"))
    assert "drained" in bench.log_of(appliance) and "evicted" not in bench.log_of(appliance)


run_cases(dead_worker_is_evicted_and_its_successor_serves, busy_worker_is_evicted_by_its_hosts_word, without_a_worker_tasks_are_rejected_at_once,
          worker_that_says_bye_drains_and_is_not_evicted)
