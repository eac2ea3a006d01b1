"""Measures brokers in turn: who contends, in which arrangements, and the medians of the rounds."""

import dataclasses
import json
import os
import statistics
import subprocess
import sys

import brokers
import mcplane_rows

MANY, SINGLE = "8 clients, pipelined", "512 clients, one in flight each"
MCPLANE = {"vhost-user to virtio-user": mcplane_rows.virtio, "the same, frames turned round": mcplane_rows.reflected,
           "TAP, kernel UDP": mcplane_rows.tap}


@dataclasses.dataclass(frozen=True)
class Arrangement:
    name: str
    clients: int
    window: int  # requests in flight a client

    @property
    def in_flight(self):
        return self.clients * self.window


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    transport: str
    measure: object  # of (options, arrangement)


def measure_peer(start):
    """What measures a broker that `start` starts: peer_load on the other CPU."""
    def measure(options, arrangement):
        broker_cpu, load_cpu = mcplane_rows.rig.two_cpus()
        with brokers.Bench(broker_cpu, options.programs, options.workers) as bench:
            pids, flags = start(bench)
            command = [os.path.join(options.programs, "peer_load"), *flags, "--broker-pid", ",".join(map(str, pids)),
                       "--clients", str(arrangement.clients), "--window", str(arrangement.window),
                       "--workers", str(options.workers), "--worker-slots", str(options.worker_slots),
                       "--payload", str(options.payload), "--seconds", str(options.seconds)]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                                  timeout=options.seconds + 60,
                                  preexec_fn=lambda: os.sched_setaffinity(0, {load_cpu}))
        if not done.stdout.strip():
            raise brokers.Failure(f"{done.stderr.strip() or f'exit {done.returncode}'}: {' '.join(command)}")
        return json.loads(done.stdout)
    return measure


def contenders(options):
    found = [] if options.no_mcplane else [
        Contender("mcplane", transport, measure) for transport, measure in MCPLANE.items()]
    found += [Contender(name, transport, measure_peer(start))
              for name, (start, _, transport) in brokers.BROKERS.items()]
    words = [word.lower() for word in options.only.split(",") if word]
    chosen = [one for one in found if not words or any(w in f"{one.name} {one.transport}".lower() for w in words)]
    if not chosen:
        raise brokers.Failure(f"--only: no broker's name holds '{options.only}'")
    return chosen


def faults_of(contender, arrangement, result):
    counts = ", ".join(f"{result[name]} {name}" for name in ("lost", "wrong", "duplicates") if result[name])
    where = f"{contender.name} over {contender.transport}, {arrangement.clients} x {arrangement.window}"
    if counts:
        return [f"{where}: {counts}"]
    return [] if result["rate_per_s"] > 0 else [f"{where}: nothing was answered"]


class Comparison:
    """Measures, keeps every result and what was wrong with any."""

    def __init__(self, options):
        self.options = options
        self.results = {}  # (contender, arrangement): results, a round each
        self.faults = []

    def measure(self, contender, arrangement):
        result = contender.measure(self.options, arrangement)
        self.faults += faults_of(contender, arrangement, result)
        print(f"{contender.name} ({contender.transport}), {arrangement.clients} x {arrangement.window}: "
              f"{result['rate_per_s']:,.0f}/s", file=sys.stderr)
        return result

    def best_window(self, contender):
        """The pipelined arrangement in which it answers most."""
        tried = [Arrangement(MANY, 8, window // 8) for window in self.options.windows]
        if len(tried) == 1:
            return tried[0]
        return max(tried, key=lambda arrangement: self.measure(contender, arrangement)["rate_per_s"])

    def run(self, chosen):
        """[(contender, arrangement, its median)]; the brokers take turns in each round."""
        pairs = [(one, self.best_window(one)) for one in chosen]
        pairs += [(one, Arrangement(SINGLE, 512, 1)) for one in chosen]
        for _ in range(self.options.rounds):
            for pair in pairs:
                self.results.setdefault(pair, []).append(self.measure(*pair))
        return [(one, arrangement, median_of(self.results[one, arrangement])) for one, arrangement in pairs]


def median_of(results):
    """Each figure's median over the rounds."""
    def median(pick):
        return statistics.median(map(pick, results))
    merged = {name: median(lambda r, name=name: r[name])
              for name in ("rate_per_s", "broker_cpu_s_per_million", "broker_busy", "load_busy")}
    merged["latency_us"] = {name: median(lambda r, name=name: r["latency_us"][name]) for name in ("p50", "p99")}
    merged.update({name: sum(r[name] for r in results) for name in ("sent", "lost", "wrong", "duplicates")})
    merged["rates_per_s"] = [r["rate_per_s"] for r in results]
    return merged
