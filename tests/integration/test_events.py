#!/usr/bin/env python3
"""Events through an appliance of two shards: wildcards, groups, a restart of the broker, and a load that checks each."""

import json
import os
import signal
import subprocess
import time

from bench import BROKER4, PEER4, TAP, Skip, ip, run_cases, wait_until

EVENTS = 12


def start(bench):
    """Two shards, whose cores leave the CPUs to the others while they have nothing to do."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Skip("two shards need two CPUs")
    appliance = bench.start_on(f"tap:{TAP}", "--idle", "sleep", cores=f"{cpus[0]},{cpus[1]}")
    ip("link", "set", TAP, "up")
    ip("address", "add", PEER4, "dev", TAP)
    return appliance


def subscribe(bench, pattern, *flags):
    """Returns once the broker has acknowledged."""
    subscriber = bench.start("sub", [bench.path("mcplane-ctl"), "sub", pattern, "--broker", BROKER4, "--json", *flags])
    wait_until(f"subscribed to {pattern}", 10, lambda: "subscribed to" in bench.log_of(subscriber))
    return subscriber


def publish(bench, topic, payload):
    done = bench.run("mcplane-ctl", "pub", topic, payload, "--broker", BROKER4)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done


def objects_of(bench, subscriber):
    return [json.loads(line) for line in bench.log_of(subscriber).splitlines() if line.startswith("{")]


def end(bench, subscriber):
    """Its events as (topic, payload), and how many it missed."""
    assert bench.end(subscriber, signal.SIGINT) == 0, bench.log_of(subscriber)
    *events, total = objects_of(bench, subscriber)
    assert total["received"] == len(events), total
    return [(event["topic"], event["payload"]) for event in events], total["missed"]


def everyone_gets_what_matches_and_of_a_group_one(bench):
    start(bench)
    every = [subscribe(bench, "agents.>") for _ in range(3)]
    done = subscribe(bench, "agents.*.done")
    other = subscribe(bench, "agents.*")
    group = [subscribe(bench, "agents.>", "--group", "workers") for _ in range(3)]
    sent = [(f"agents.{number}.{'done' if number % 2 else 'failed'}", f"event {number}") for number in range(EVENTS)]
    for topic, payload in sent:
        publish(bench, topic, payload)
    wait_until("all events", 10, lambda: all(len(objects_of(bench, one)) == EVENTS for one in every))
    wait_until("the group's", 10, lambda: sum(len(objects_of(bench, one)) for one in group) == EVENTS)
    for one in every:
        assert end(bench, one) == (sent, 0)
    assert end(bench, done) == ([event for event in sent if event[0].endswith("done")], 0)
    assert end(bench, other) == ([], 0)
    shares = [end(bench, one) for one in group]
    assert sorted(event for events, _ in shares for event in events) == sorted(sent), shares
    assert all(events and missed == 0 for events, missed in shares), shares


def payloads_may_be_any_bytes_and_count_ends_it(bench):
    start(bench)
    subscriber = subscribe(bench, "a", "--count", "2")
    piped = subprocess.run([bench.path("mcplane-ctl"), "pub", "a", "-", "--broker", BROKER4], check=False, timeout=10,
                           input="zwölf\n\0".encode(), capture_output=True)
    assert piped.returncode == 0, piped
    publish(bench, "a", "the last")
    assert subscriber.wait(10) == 0, bench.log_of(subscriber)
    first, last, total = objects_of(bench, subscriber)
    assert (first["payload"], last["payload"]) == ("zwölf\n\0", "the last"), (first, last)
    assert total == {"received": 2, "missed": 0}, total
    too_long = bench.run("mcplane-ctl", "pub", "a", "x" * 1400, "--broker", BROKER4)
    assert too_long.returncode == 2 and "do not fit one frame" in too_long.stderr, too_long


def subscriptions_come_back_with_the_broker(bench):
    appliance = start(bench)
    subscribers = [subscribe(bench, "a.>") for _ in range(3)]
    publish(bench, "a.before", "1")
    wait_until("before", 10, lambda: all(len(objects_of(bench, one)) == 1 for one in subscribers))
    bench.end(appliance, signal.SIGKILL)
    start(bench)
    # They find out by three heartbeats without an answer, and register again within a second.
    give_up = time.monotonic() + 20
    while not all(len(objects_of(bench, one)) > 1 for one in subscribers):
        assert time.monotonic() < give_up, [bench.log_of(one) for one in subscribers]
        publish(bench, "a.after", "2")
    for one in subscribers:
        events, missed = end(bench, one)
        assert events[0] == ("a.before", "1") and set(events[1:]) == {("a.after", "2")}, events
        assert missed == 0, missed


def load_checks_every_event(bench):
    start(bench)
    for flags in (("--rate", "200/s"), ("--window", "2")):
        done = bench.run("mcplane-load", "--udp", BROKER4, "--events", "--json", "--clients", "2", "--subscribers", "20",
                         "--topics", "4", "--warmup", "0s", "--duration", "1s", *flags)
        assert done.returncode == 0, done
        result = json.loads(done.stdout)
        assert result["published"] > 50 and result["delivered"] == 5 * result["published"], result
        assert not any(result[name] for name in ("lost", "duplicates", "mismatched", "late", "missed")), result
        assert result["latency_us"]["count"] == result["delivered"], result["latency_us"]


run_cases(everyone_gets_what_matches_and_of_a_group_one, payloads_may_be_any_bytes_and_count_ends_it,
          subscriptions_come_back_with_the_broker, load_checks_every_event)
