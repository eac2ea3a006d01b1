#!/usr/bin/env python3
"""What the appliance promises when frames are lost, processes killed, links cut and threads stalled, in CI's sizes."""

from bench import run_cases
from proofs import CASES, Sizes, sized

run_cases(*(sized(case, Sizes()) for case in CASES))
