#!/usr/bin/env python3
"""What one frame holds: prompts and histories up to it arrive byte for byte, larger ones are refused and said."""

import os
import subprocess

from bench import BROKER4, BROKER6, run_cases


def prompts_arrive_whole_within_a_frame_and_beyond(bench):
    bench.start_appliance()
    bench.start_worker("cat", backend="exec:cat", slots=4)
    for size in (1, 2, 255, 1000, 1500, 100_000):
        prompt = ("0123456789abcdef" * 6_250)[:size]
        code, outcome = bench.send("--action", "generate", "--prompt", prompt)
        assert (code, outcome["text"]) == (0, prompt), (size, outcome)


def prompts_and_histories_arrive_byte_for_byte(bench):
    bench.start_appliance()
    for broker in (BROKER4, BROKER6):
        done = subprocess.run([os.environ["SDK_ROUNDTRIP"]], env=os.environ | {"BROKER": broker}, capture_output=True,
                              text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


run_cases(prompts_arrive_whole_within_a_frame_and_beyond, prompts_and_histories_arrive_byte_for_byte)
