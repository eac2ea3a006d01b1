#!/usr/bin/env python3
"""Sums up meson's test logs: one line a run, what failed and why, and a last line `N passed, N failed, N skipped`.

Usage: sum_tests.py LOG.json...    Exit 1 when anything failed or nothing ran. Where a test says how many cases it
has (Google Test, unittest, "ok - name" lines), its cases count; any other test counts as one.
"""

import json
import os
import re
import sys

GTEST_RAN = re.compile(r"^\[==========\] \d+ tests? from .* ran\.", re.MULTILINE)
GTEST_COUNTS = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) tests?\.", re.MULTILINE),
    "failed": re.compile(r"^\[  FAILED  \] (\d+) tests?, listed below", re.MULTILINE),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) tests?, listed below", re.MULTILINE),
}
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
POINT = re.compile(r"^(not ok|ok)\b.*$", re.MULTILINE)
SKIP = re.compile(r"# SKIP", re.IGNORECASE)
TAIL_LINES = 25


def said_counts(output):
    """(passed, failed, skipped) as the test's own output tells; (0, 0, 0) when it does not."""
    if GTEST_RAN.search(output):
        return tuple(sum(map(int, pattern.findall(output))) for pattern in GTEST_COUNTS.values())
    unittest_ran = UNITTEST_RAN.findall(output)
    if unittest_ran and re.search(r"^OK$", output, re.MULTILINE):
        return sum(map(int, unittest_ran)), 0, 0
    points = [match.group() for match in POINT.finditer(output)]
    failed = sum(point.startswith("not ok") for point in points)
    skipped = sum(bool(SKIP.search(point)) for point in points if not point.startswith("not ok"))
    return len(points) - failed - skipped, failed, skipped


def counts(record):
    result = record["result"]
    output = record.get("stdout", "") + "\n" + record.get("stderr", "")
    passed, failed, skipped = said_counts(output)
    if result == "SKIP":
        return 0, 0, 1
    if result in ("OK", "EXPECTEDFAIL"):
        # A test that ends well has no failure, whatever it printed about the planted ones.
        return (passed, 0, skipped) if passed + skipped else (1, 0, 0)
    return passed, max(failed, 1), skipped


def reason(record):
    """The last thing a skipped test said."""
    text = (record.get("stdout", "") + "\n" + record.get("stderr", "")).strip()
    return text.splitlines()[-1].removeprefix("skipped: ") if text else "no reason given"


def main():
    total = [0, 0, 0]
    notes = []
    for path in sys.argv[1:]:
        run = os.path.basename(path).removesuffix(".json")
        with open(path, encoding="utf-8") as file:
            records = [json.loads(line) for line in file if line.strip()]
        of_run = [0, 0, 0]
        for record in records:
            name = f"{run}: {record['name']}"
            for index, count in enumerate(counts(record)):
                of_run[index] += count
                total[index] += count
            if record["result"] == "SKIP":
                notes.append(f"skipped  {name}: {reason(record)}")
            elif record["result"] not in ("OK", "EXPECTEDFAIL"):
                output = (record.get("stdout", "") + "\n" + record.get("stderr", "")).strip().splitlines()
                notes.append(f"{record['result']}  {name}\n" + "\n".join("    " + x for x in output[-TAIL_LINES:]))
        print(f"{run:<12} {of_run[0]:>6} passed {of_run[1]:>4} failed {of_run[2]:>4} skipped")
    for note in notes:
        print(note)
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
