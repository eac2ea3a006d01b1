#!/usr/bin/env python3
"""`mcplane --demo` for a user without any privilege, and what `mcplane doctor` says on this machine."""

import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

NOBODY = 65534
FIRST_ANSWER_S = 10

mcplane = os.path.abspath(os.path.join(sys.argv[1], "mcplane"))


def start(*arguments):
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen([mcplane, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, cwd="/", env={"PATH": "/usr/bin:/bin"}, **as_nobody)


def run(*arguments):
    process = start(*arguments)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def folders():
    return set(glob.glob("/tmp/mcplane-demo.*"))


def demo_answers_and_loads():
    before = folders()
    code, output, errors = run("--demo")
    assert code == 0, (code, output, errors)
    first = re.search(r"^ *([0-9.]+) s  task 'generate'", output, re.MULTILINE)
    assert first and float(first.group(1)) < FIRST_ANSWER_S, output
    sent, delivered, lost = map(int, re.search(r"(\d+) sent, (\d+) delivered, (\d+) lost", output).groups())
    assert sent == delivered > 1_000 and lost == 0, output
    counted = int(re.search(r"own count: (\d+) tasks", output).group(1))
    assert counted == delivered + 1, output
    assert "mcplane-ctl send" in output and "mcplane doctor" in output, output
    assert folders() == before, "its folder is still there"


def demo_ends_on_a_signal():
    before = folders()
    process = start("--demo")
    assert process.stdout.readline(), process.stderr.read()
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and time.monotonic() - started < 8, (process.returncode, errors)
    assert folders() == before, "its folder is still there"


def demo_takes_no_other_flag():
    code, output, errors = run("--demo", "--port", "tap:mc0")
    assert (code, output) == (2, "") and errors.count("\n") == 1, (code, output, errors)


def doctor_says_what_this_user_lacks():
    code, output, _ = run("doctor", "--json")
    told = json.loads(output)
    results = {check["name"]: check for check in told["checks"]}
    assert results["privileges"]["result"] == "fail" and "cap_net_admin" in results["privileges"]["fix"], told
    assert (code, told["ok"], told["port"]) == (1, False, "tap:mc0"), told
    code, output, _ = run("doctor", "--port", "memif:/tmp/mcplane.sock")
    lines = output.splitlines()
    assert code == 0 and len(lines) == len(results) + 1, output
    assert all(line.split()[0] in ("pass", "warn", "skip") for line in lines[:-1]), output
    code, output, errors = run("doctor", "--port", "tape:mc0")
    assert code == 2 and "tap:" in errors and errors.count("\n") == 1, errors


try:
    start("--version").communicate()
except PermissionError:
    print(f"skipped: a user without privileges cannot reach {mcplane}", file=sys.stderr)
    sys.exit(77)
for case in (demo_answers_and_loads, demo_ends_on_a_signal, demo_takes_no_other_flag, doctor_says_what_this_user_lacks):
    case()
    print(f"ok - {case.__name__}", flush=True)
