#!/usr/bin/env python3
"""The figures of tests/integration/test_delivery.py in full size; needs root. Minutes a case.

Usage: tests/prove.py [--ci] BINARIES [CASE...]
BINARIES: the folder of the built binaries, such as build/src/app. CASE: part of a case's name; none: all.
"""

import os
import sys

INTEGRATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "integration")
INSIDE = "MCPLANE_PROVE_INSIDE"


def main():
    small = "--ci" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--ci"]
    if not arguments:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execv(os.path.join(INTEGRATION, "in_netns"), ["in_netns", sys.executable, *sys.argv])
    sys.path.insert(0, INTEGRATION)
    from bench import run_cases  # found by the line above
    from proofs import CASES, FULL, Sizes, sized
    wanted = [case for case in CASES if not arguments[1:] or any(part in case.__name__ for part in arguments[1:])]
    if not wanted:
        print("prove: no such case; there are " + ", ".join(case.__name__ for case in CASES), file=sys.stderr)
        sys.exit(2)
    sys.argv[1:] = arguments[:1]
    run_cases(*(sized(case, Sizes() if small else FULL) for case in wanted))


main()
