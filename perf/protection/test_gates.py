#!/usr/bin/env python3
"""Limits hold where they should, and recovery is read out of a time line as one would by eye."""

import os
import sys
import unittest

sys.path.append(os.path.dirname(os.path.realpath(__file__)))

import gates  # found by the line above


def series(*intervals):
    """Of (p99 in us, rejected), a tenth of a second each."""
    return [{"from_s": i / 10, "length_s": 0.1, "p99_us": p99, "rejected": rejected, "delivered": 100, "sent": 100}
            for i, (p99, rejected) in enumerate(intervals)]


CALM, BUSY = (5_000, 0), (9_000, 40)


class Gates(unittest.TestCase):
    def test_a_limit_holds_up_to_itself(self):
        self.assertTrue(gates.Gate("", 2, 2).held)
        self.assertFalse(gates.Gate("", 2.1, 2).held)
        self.assertTrue(gates.Gate("", 2, 2, at_least=True).held)
        self.assertFalse(gates.Gate("", 1.9, 2, at_least=True).held)
        self.assertIn("MISSED", gates.Gate("", 3, 2).as_line())

    def test_whatever_is_lost_counts_in_a_surge_too(self):
        sound = {"lost": 0, "duplicates": 0, "mismatched": 0}
        self.assertTrue(gates.lost([sound, {**sound, "surge": sound}]).held)
        for name in sound:
            self.assertFalse(gates.lost([{**sound, name: 1}]).held, name)
            self.assertFalse(gates.lost([{**sound, "surge": {**sound, name: 1}}]).held, name)

    def test_rounds_have_the_median_of_their_ratios(self):
        self.assertEqual(gates.median_ratio([(10, 20), (10, 11), (100, 120)]), 1.2)

    def test_the_worst_before_is_of_whole_intervals(self):
        line = series((9_000, 0), (4_000, 0), (6_000, 0), (9_000, 0))
        self.assertEqual(gates.worst_before(line, 0.05, 0.35), 6_000)

    def test_recovery_is_when_a_calm_stretch_begins(self):
        line = series(CALM, BUSY, BUSY, BUSY, CALM, BUSY, *[CALM] * 5)
        self.assertAlmostEqual(gates.recovery_s(line, 0.2, 5_000), 0.4)
        self.assertAlmostEqual(gates.recovery_s(line, 0.25, 5_000), 0.35)
        self.assertAlmostEqual(gates.recovery_s(series(*[CALM] * 6), 0.1, 5_000), 0)

    def test_a_refused_task_is_no_recovery(self):
        line = series(BUSY, *[(5_000, 1)] * 3, *[CALM] * 5)
        self.assertAlmostEqual(gates.recovery_s(line, 0, 5_000), 0.4)

    def test_too_short_a_calm_is_none(self):
        self.assertIsNone(gates.recovery_s(series(BUSY, *[CALM] * 4), 0, 5_000))
        self.assertIsNone(gates.recovery_s(series(*[BUSY] * 9), 0, 5_000))

    def test_an_interval_that_only_drains_says_nothing(self):
        line = series(BUSY, *[CALM] * 5)
        line[3]["delivered"], line[3]["p99_us"] = 0, 0
        self.assertIsNone(gates.recovery_s(line, 0, 5_000))

    def test_errors_are_those_up_to_the_first_quiet_interval(self):
        errors, seconds, later = gates.errors_until_none(series((1, 0), (1, 3), (1, 2), (1, 0), (1, 0), (1, 3)))
        self.assertEqual((errors, later), (5, 3))
        self.assertAlmostEqual(seconds, 0.2)
        self.assertEqual(gates.errors_until_none(series(CALM, CALM)), (0, 0.0, 0))
        self.assertEqual(gates.errors_until_none(series(BUSY, BUSY))[0::2], (80, 0))


if __name__ == "__main__":
    unittest.main()
