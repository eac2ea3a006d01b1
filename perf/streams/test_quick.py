#!/usr/bin/env python3
"""perf/streams/run and incast, quickly: they end with a report that can be read, and every chunk came.

Usage: test_quick.py BINARIES STREAMS_DIRECT. What takes a quiet machine, the gates, is not judged here.
"""

import json
import os
import subprocess
import sys

FOLDER = os.path.dirname(os.path.realpath(__file__))
SKIPPED, MISSED = 77, 10


def quickly(name, *flags, accepted=(0,)):
    done = subprocess.run([os.path.join(FOLDER, name), "--quick", "--json", "--binaries", sys.argv[1], *flags],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == SKIPPED:
        print(done.stderr.strip())
        sys.exit(SKIPPED)
    assert done.returncode in accepted, f"{name}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)  # one object, nothing beside it


def check_streams():
    report = quickly("run", "--program", sys.argv[2])
    chunks = report["streams"] * report["chunks_per_stream"]
    for who in ("mcplane", "direct"):
        row = report[who]
        assert row["chunks"] == chunks, report
        assert (row["chunks_lost"], row["chunks_duplicated"], row["chunks_out_of_order"]) == (0, 0, 0), report
        assert 0 < row["chunk_us"]["p50"] <= row["chunk_us"]["p99"], report
    assert 0 < report["first_chunk_us"]["p50"] <= report["first_chunk_us"]["p99"], report


def check_incast():
    report = quickly("incast", accepted=(0, MISSED))
    assert min(report["goodput_bytes_per_s"].values()) > 0, report
    assert min(report["small_p99_us"].values()) > 0, report
    assert (report["goodput_ratio"] < 0.9 or report["small_p99_ratio"] >= 2) == bool(report["missed"]), report


check_streams()
check_incast()
