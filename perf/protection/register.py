"""64,000 workers register; then their process is killed, and all register anew from the same addresses."""

import time

from bench import Bench
from gates import Gate, cpu_away, lost, rejected

WORKERS = 64_000
TABLES = ("--max-workers", "65536", "--max-sessions", "70000")
RATE = 20_000
REGISTERED_MAX_S = 60
LOOK_S = 0.05


def watch(bench, load):
    """Seconds from the first until all workers are in the appliance's status; None: they never were."""
    first = None
    while load.poll() is None:
        there = bench.info()["sessions"]["workers"]
        now = time.monotonic()
        if there > 0 and first is None:
            first = now
        if there == WORKERS:
            return now - first
        time.sleep(LOOK_S)
    return None


def run(options):
    flags = ("--workers", str(WORKERS), "--rate", f"{RATE}/s", "--poisson", "--ttl", "10s")
    with Bench(options, tables=TABLES) as bench:
        load = bench.start(*flags, seconds=600)
        status_s = watch(bench, load)
        time.sleep(options.short / 2)
        load.kill()
        load.wait()
        bench.processes.remove(load)
        again = bench.run(*flags, seconds=options.short)
        left = bench.info()["sessions"]["workers"]
    figures = {"registered_s": status_s, "registered_anew_s": again["registration_s"], "sent": again["sent"],
               "p99_us": again["latency_us"]["p99"], "workers_left_after_bye": left,
               "cpu_away": cpu_away([again])}
    never = REGISTERED_MAX_S * 1000
    return figures, [Gate("until 64,000 are registered", never if status_s is None else status_s, REGISTERED_MAX_S, "s"),
                     Gate("until all are registered anew", again["registration_s"], REGISTERED_MAX_S, "s"),
                     Gate("tasks refused behind that", rejected(again), 0), lost([again])]
