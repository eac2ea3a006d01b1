"""What the measurements here share: an appliance on a TAP port, one CPU, and kernel sockets in its namespace, another."""

import argparse
import os
import statistics
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.append(os.path.join(ROOT, "perf", "rig"))

import rig  # found by the line above

TAP = "mcstream0"
IN_NAMESPACE = "MCPLANE_STREAMS_IN_NAMESPACE"
CPU_SHARE_MIN = 0.95  # of a CPU: less, and others had the appliance's


def enter_namespace():
    """Begins this program anew in a network namespace that ends with it, unless it only has to print its help."""
    if IN_NAMESPACE in os.environ or {"-h", "--help"} & set(sys.argv):
        return
    os.environ[IN_NAMESPACE] = "1"
    enter = os.path.join(ROOT, "tests", "integration", "in_netns")
    os.execv(enter, [enter, sys.executable, *sys.argv])


class Bench(rig.Rig):
    """One appliance, for as long as the object is entered; what it starts beside that has the other CPU."""

    def __init__(self, options, clients, workers, seconds):
        super().__init__(argparse.Namespace(
            binaries=options.binaries, no_hugepages=True, json=options.json, clients=clients, workers=workers, window=1,
            worker_slots=1, payload=64, seconds=seconds))
        self.cpu, self.load_cpu = rig.two_cpus()

    def __enter__(self):
        super().__enter__()
        self.start_appliance("--port", f"tap:{TAP}", "--cores", str(self.cpu))
        for command in (["link", "set", TAP, "up"], ["address", "add", f"{rig.PEER}/24", "dev", TAP]):
            subprocess.run(["ip", *command], check=True)
        self.share = rig.CpuShare(self.processes[0])
        return self

    def run(self, *flags):
        return self.result_of(self.begin(*flags))[1]

    def begin(self, *flags):
        return self.start_load("--udp", rig.BROKER, *flags, cpu=self.load_cpu)

    def disturbed(self):
        """Whether the appliance, which polls, had less than its CPU so far."""
        return self.share.read() < CPU_SHARE_MIN


def median_of(rounds, pick):
    return statistics.median(map(pick, rounds))
