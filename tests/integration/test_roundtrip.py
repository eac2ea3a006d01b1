#!/usr/bin/env python3
"""Tasks from kernel sockets through the appliance and back, over IPv4 and IPv6."""

import json

from bench import BROKER4, BROKER6, TASK_FILE, run_cases

SENDS = 100
LOAD = ("--clients", "4", "--window", "16", "--duration", "2s", "--payload", "256B")


def hundred_prompts_come_back(bench, broker):
    bench.start_appliance()
    bench.start_worker("echo", broker=broker)
    for number in range(SENDS):
        prompt = f"prompt {number} über {broker}"
        code, outcome = bench.send("--action", "generate", "--prompt", prompt, broker=broker)
        assert (code, outcome["outcome"], outcome["text"]) == (0, "result", prompt), outcome
    tasks = bench.info()["tasks"]
    assert (tasks["accepted"], tasks["delivered"], tasks["rejected"]) == (SENDS, SENDS, 0), tasks


def prompts_come_back_over_ipv4(bench):
    hundred_prompts_come_back(bench, BROKER4)


def prompts_come_back_over_ipv6(bench):
    hundred_prompts_come_back(bench, BROKER6)


def json_task_keeps_its_id_and_prompt(bench):
    bench.start_appliance()
    bench.start_worker("echo")
    with open(TASK_FILE, encoding="utf-8") as file:
        task = json.load(file)
    code, outcome = bench.send("--file", TASK_FILE)
    assert (code, outcome["task_id"], outcome["text"]) == (0, task["task_id"], task["payload"]["prompt"]), outcome


def client_and_worker_may_differ_in_family(bench):
    bench.start_appliance()
    bench.start_worker("echo", broker=BROKER6)
    code, outcome = bench.send("--action", "generate", "--prompt", "across", broker=BROKER4)
    assert (code, outcome["text"]) == (0, "across"), outcome


def load_loses_nothing_over_ipv4(bench):
    bench.start_appliance()
    bench.start_worker("echo")
    assert bench.load(*LOAD)["delivered"] > 1000


def load_loses_nothing_over_ipv6(bench):
    bench.start_appliance()
    bench.start_worker("echo", broker=BROKER6)
    assert bench.load(*LOAD, broker=BROKER6)["delivered"] > 1000


run_cases(prompts_come_back_over_ipv4, prompts_come_back_over_ipv6, json_task_keeps_its_id_and_prompt,
          client_and_worker_may_differ_in_family, load_loses_nothing_over_ipv4, load_loses_nothing_over_ipv6)
