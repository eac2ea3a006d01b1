"""The appliance beside the simulation of perf/scheduling, cell by cell, with the same tasks.

Both draw arrivals and service times from the same seed, so that a p99 that swings from seed to seed, as that of rare
tasks a thousand times as long does, swings on both sides alike.
"""

import dataclasses
import json
import os
import statistics
import subprocess

from bench import ROOT, WORKERS, Bench, rig
from gates import Gate, cpu_away, lost

PROGRAM = os.path.join("perf", "scheduling", "mcplane_scheduling")
LOAD = 0.8
SEEDS = (1, 2, 3)
APART_MAX = 0.2
WARMUP_S = 2


@dataclasses.dataclass(frozen=True)
class Cell:
    service: str  # as the simulation names it
    slots: int
    mean_us: float
    flag: str  # the same, as mcplane-load is told it

    @property
    def rate(self):
        return round(LOAD * WORKERS * self.slots / self.mean_us * 1e6)


# Tasks of a millisecond or so: what a poll of the load generator takes is then nothing beside them.
CELLS = (Cell("exponential", 1, 1000, "exp:1ms"),
         Cell("exponential", 4, 4000, "exp:4ms"),
         Cell("bimodal 99.5:0.5 x1000", 1, 959.2, "bimodal:160us:160ms:0.5%"),
         Cell("bimodal 90:10 x10", 1, 950, "bimodal:500us:5ms:10%"))


def simulate(options, cell, delay, seconds, seed):
    """p99 in microseconds."""
    program = os.path.join(options.build, PROGRAM)
    command = [program, cell.service, str(cell.slots), f"{cell.mean_us * 1000:.0f}", f"{delay:.6f}",
               str(cell.rate * WARMUP_S), str(cell.rate * seconds), str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise rig.Failure(f"{PROGRAM} ended with {done.returncode}: {' '.join(command)}")
    outcome = json.loads(done.stdout)
    if not outcome["stable"]:
        raise rig.Failure(f"unstable in the simulation: {' '.join(command)}")
    return outcome["p99"] * cell.mean_us


def measure(bench, cell, seconds, seed):
    """Class 3 waits where others would be refused: the simulation refuses nobody."""
    return bench.open_loop(cell.rate, "--service-time", cell.flag, "--worker-slots", str(cell.slots), "--priority", "3",
                           "--ttl", "60s", "--seed", str(seed), seconds=seconds, warmup=WARMUP_S)


def run(options):
    seconds = options.short
    figures, gates, runs = {}, [], []
    with Bench(options) as bench:
        alone = bench.run("--clients", "1", "--window", "1", "--service-time", "none", seconds=1, warmup=1)
        one_way_us = alone["latency_us"]["p50"] / 4
        figures["one_way_us"] = one_way_us
        for cell in CELLS:
            measured = [measure(bench, cell, seconds, seed) for seed in SEEDS]
            runs += measured
            ours = [each["latency_us"]["p99"] for each in measured]
            theirs = [simulate(options, cell, one_way_us / cell.mean_us, seconds, seed) for seed in SEEDS]
            apart = statistics.median(our / their for our, their in zip(ours, theirs)) - 1
            name = f"{cell.service}, {cell.slots} slot{'s' if cell.slots > 1 else ''}"
            figures[name] = {"rate_per_s": cell.rate, "p99_us": ours, "simulated_p99_us": theirs}
            gates.append(Gate(f"{name}: p99 from the simulated {statistics.median(theirs) / 1000:.3g} ms",
                              abs(apart), APART_MAX, "of it"))
    figures["cpu_away"] = cpu_away(runs)
    return figures, gates + [lost(runs)]
