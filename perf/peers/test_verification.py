#!/usr/bin/env python3
"""The load must notice a broker that loses, damages, exchanges or repeats answers, and find no fault with a sound one.

Usage: test_verification.py FOLDER, where peer_load and udp_broker are. The ledger it proves serves every protocol.
"""

import json
import os
import subprocess
import sys
import unittest

sys.path.append(os.path.dirname(os.path.realpath(__file__)))

import brokers  # found by the line above

FOLDER = os.path.realpath(sys.argv.pop(1))


class Verification(unittest.TestCase):
    def run_load(self, *fault):
        """(exit code, result) of a short load on the UDP broker."""
        with brokers.Bench(min(os.sched_getaffinity(0)), FOLDER, workers=8) as bench:
            port, = brokers.free_ports(1)
            bench.start([os.path.join(FOLDER, "udp_broker"), str(port), *fault], port, udp=True)
            done = subprocess.run([os.path.join(FOLDER, "peer_load"), "--protocol", "udp", "--port", str(port),
                                   "--clients", "8", "--window", "16", "--seconds", "0.5", "--warmup", "0.1"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        self.assertTrue(done.stdout, done.stderr)
        return done.returncode, json.loads(done.stdout)

    def assert_seen(self, fault, *counts):
        status, result = self.run_load("--fault", fault)
        self.assertEqual(status, 1, result)
        for count in ("lost", "wrong", "duplicates"):
            (self.assertGreater if count in counts else self.assertEqual)(result[count], 0, (count, result))

    def test_sound_broker(self):
        status, result = self.run_load()
        self.assertEqual((status, result["lost"], result["wrong"], result["duplicates"]), (0, 0, 0, 0))
        self.assertGreater(result["sent"], 2_000)
        self.assertGreater(result["rate_per_s"], 0)

    def test_lost_answers(self):
        self.assert_seen("lose", "lost")

    def test_damaged_answers(self):
        self.assert_seen("corrupt", "wrong")

    def test_exchanged_answers(self):
        self.assert_seen("swap", "lost", "wrong")

    def test_repeated_answers(self):
        self.assert_seen("repeat", "duplicates")


if __name__ == "__main__":
    unittest.main()
