#!/usr/bin/env python3
"""The rigs themselves, quickly: they end with a report that can be read, lose nothing, and leave nothing behind."""

import glob
import json
import os
import subprocess
import sys
import tempfile

from bench import Skip, run_cases

RIGS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "perf", "rig")
PAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
SKIPPED = 77


def hugepages():
    with open(PAGES, encoding="ascii") as file:
        return file.read()


def left_behind():
    return set(glob.glob(os.path.join(tempfile.gettempdir(), "mcplane-rig-*"))), hugepages()


def quickly(rig):
    before = left_behind()
    done = subprocess.run([os.path.join(RIGS, rig), "--quick", "--json", "--binaries", sys.argv[1]],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == SKIPPED:
        raise Skip(done.stderr.strip())
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert left_behind() == before, f"{before} before, {left_behind()} after"
    report = json.loads(done.stdout)  # one object, nothing beside it
    assert (report["rig"], report["lost"], report["duplicates"], report["mismatched"]) == (rig, 0, 0, 0), report
    assert len(report["rounds"]) == 2, report
    for each in report["rounds"]:
        assert each["ratio"] > 0 and each["frame_bytes"] == report["frame_bytes"] > report["payload_bytes"], report
        assert each["sent"] == each["delivered"] == each["broker"]["delivered"] > 0, report
    assert 0 < report["one_in_flight"]["latency_us"]["p50"] <= report["one_in_flight"]["latency_us"]["p99"], report
    assert report["testpmd_two_passes_us"] > 0, report


def tap(_):
    quickly("tap")


def virtio(_):
    quickly("virtio")


run_cases(tap, virtio)
