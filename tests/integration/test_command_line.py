#!/usr/bin/env python3
"""A mistake on a command line ends in exit 2, one line that says what was wrong, and nothing started."""

import os

from bench import BROKER4, run_cases

CPU = str(min(os.sched_getaffinity(0)))
PORT = ("--port", "tap:mc0")
ADDRESS = ("--ip", f"{BROKER4}/24")
MISTAKES = (
    ("mcplane", ("--prot", "tap:mc0"), "--port"),
    ("mcplane", (*PORT, *ADDRESS, "--cores"), "--cores"),
    ("mcplane", (*PORT, "--ip", "10.77.0.300/24", "--cores", CPU), "10.77.0.300"),
    ("mcplane", ("--port", "tap:a-name-far-too-long", *ADDRESS, "--cores", CPU), "a-name-far-too-long"),
    ("mcplane", (*PORT, *ADDRESS, "--cores", "4000"), "4000"),
    ("mcplane", (*PORT, *ADDRESS, "--cores", CPU, "--heartbeat-interval", "100"), "no unit"),
    ("mcplane-load", ("--udp", BROKER4, "--duration", "5"), "no unit"),
    ("mcplane-load", ("--udp", BROKER4, "--payload", "256"), "no unit"),
    ("mcplane-load", ("--udp", "10.77.0.1:99999"), "99999"),
    ("mcplane-load", ("--udp", BROKER4, "--clients", "0"), "--clients"),
    ("mcplane-worker", ("--broker", BROKER4, "--backend", "eccho"), "echo"),
    ("mcplane-worker", ("--backend", "echo", "--slots", "many"), "many"),
    ("mcplane-ctl", ("snd",), "send"),
    ("mcplane-ctl", ("send", "--broker", BROKER4, "--promt", "hi"), "--prompt"),
    ("mcplane-ctl", ("sub", "--broker", BROKER4), "PATTERN"),
    ("mcplane-ctl", ("sub", "a..b", "--broker", BROKER4), "a..b"),
    ("mcplane-ctl", ("pub", "a.*", "hi", "--broker", BROKER4), "a.*"),
    ("mcplane-ctl", ("pub", "a", "hi"), "--broker"),
    ("mcplane-ctl", (), ""),
)


def mistakes_end_in_one_line_and_exit_2(bench):
    wrong = []
    for binary, arguments, hint in MISTAKES:
        done = bench.run(binary, *arguments, seconds=10)
        lines = done.stderr.splitlines()
        if (done.returncode, done.stdout, len(lines)) != (2, "", 1) or hint not in lines[0]:
            wrong.append(f"{binary} {' '.join(arguments)}: exit {done.returncode}, {done.stdout!r}, {done.stderr!r}")
    assert not wrong, "\n" + "\n".join(wrong)


def help_and_version_end_well(bench):
    for binary in ("mcplane", "mcplane-load", "mcplane-worker", "mcplane-ctl"):
        for flag in ("--help", "--version"):
            done = bench.run(binary, flag, seconds=10)
            assert (done.returncode, done.stderr) == (0, ""), (binary, flag, done)
            assert done.stdout.strip(), (binary, flag)


def unreachable_broker_is_exit_5(bench):
    done = bench.run("mcplane-ctl", "send", "--broker", "127.0.0.1:9", "--action", "generate", "--prompt", "hi",
                     "--connect-timeout", "300ms", seconds=10)
    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1), done


run_cases(mistakes_end_in_one_line_and_exit_2, help_and_version_end_well, unreachable_broker_is_exit_5)
