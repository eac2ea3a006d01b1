#!/usr/bin/env python3
"""Tasks and answers longer than a frame, over TAP, with and without loss: what comes back is what was sent, byte by
byte."""

import hashlib
import json
import os
import random

from bench import run_cases

SIZES = {"1 KB": 1_000, "100 KB": 100_000, "1 MB": 1_000_000}
MOST = 16 * 1024 * 1024 - 4_096  # the rest of 16 MiB is what is around a prompt


def text_of(size):
    """Of a few characters, drawn: a part that is lost, doubled or in another's place shows."""
    drawn = random.Random(size)
    block = "".join(drawn.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(4_093))
    return (block * (size // len(block) + 1))[:size]


def send_text(bench, text, ttl):
    path = os.path.join(bench.folder, "task.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"mcp_version": "1.0", "task_id": f"of {len(text)}", "action": "generate",
                   "payload": {"prompt": text, "context": {"history": []}}, "ttl": ttl}, file)
    code, outcome = bench.send("--file", path)
    assert (code, outcome["outcome"]) == (0, "result"), {**outcome, "text": f"{len(outcome['text'])} bytes"}
    want, got = (hashlib.sha256(each.encode()).hexdigest() for each in (text, outcome["text"]))
    assert want == got, f"{len(text)} bytes were sent, {len(outcome['text'])} others came back"
    return outcome


def both_ways(bench, sizes, *flags, ttl=50):
    bench.start_appliance(*flags)
    bench.start_worker("echo", slots=2)
    for name, size in sizes.items():
        outcome = send_text(bench, text_of(size), ttl)
        seconds = outcome["timing_us"]["total"] / 1e6
        print(f"  {name} both ways: {seconds:.3f} s, {2 * size / seconds / 1e6:.1f} MB/s")


def without_loss(bench):
    both_ways(bench, {**SIZES, "16 MiB": MOST})


def with_1_percent_lost(bench):
    both_ways(bench, {**SIZES, "16 MiB": MOST}, "--faults", "loss=0.01", "--heartbeat-interval", "2s")


def with_10_percent_lost(bench):
    both_ways(bench, {**SIZES, "16 MiB": MOST}, "--faults", "loss=0.1", "--heartbeat-interval", "2s", ttl=200)


def more_than_a_task_may_be(bench):
    bench.start_appliance()
    bench.start_worker("echo")
    path = os.path.join(bench.folder, "task.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"mcp_version": "1.0", "task_id": "t", "action": "generate",
                   "payload": {"prompt": "a" * (16 * 1024 * 1024 + 1), "context": {"history": []}}, "ttl": 5}, file)
    code, outcome = bench.send("--file", path)
    assert (code != 0, outcome["outcome"], outcome["reason"], outcome["executed"]) == (True, "rejected", "too_large", "no"), outcome


run_cases(without_loss, with_1_percent_lost, with_10_percent_lost, more_than_a_task_may_be)
