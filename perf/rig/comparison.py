"""mcplane beside plain forwarding on the same port, round by round: what share of testpmd's frames become tasks.

A task is two forwarded frames, so the ratio is 2 x tasks/s over the frames/s of testpmd's `5tswap`, one core each, with
frames as long as SEND's; of a task in parts it is its parts/s over that. Only one of the two runs at a time. In memory
the load turns frames round (`mcplane-load --reflect`), as the testpmd does that is the other one's source: neither
touches a payload. The load that makes and reads every byte follows, and latencies, each on an appliance just started.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import shlex
import statistics
import subprocess
import time

import rig
from testpmd import Testpmd

ETHERNET_IP_UDP_BYTES = 14 + 20 + 8
FRAME_BYTES_MAX = 14 + 1500  # of the default --mtu
WARMUP_S = 0.5
SETTLE_S = 10
BURST = 32  # at most, of testpmd
SHARES_OF_PEAK = (0.1, 0.3, 0.5, 0.7, 0.9)  # of what the load that reads every byte reached
# A task passes the broker twice, there and back. What two passes of one frame through testpmd take is the port's share:
# both are measured in turn, so many times each, of which medians count.
ONE_IN_FLIGHT_RUNS = 3
# Of longer prompts so many clients have one each on its way: 64 parts of each are what a queue of the rig holds.
FRAME_PAYLOAD_MAX, LONG_CLIENTS = 1_280, 16
# On their way at once, of the load that makes them: while it makes more, it says nothing for as long as a lease lasts.
CHECKED_BYTES = 64 << 20
# Time in the broker is measured, by the broker, at this share of what the load that reads every byte reached, and of what
# the broker did in the rounds where frames are turned round; so many times each, of which medians count.
RESIDENCE_SHARE, RESIDENCE_RUNS = 0.7, 3
# A virtual machine's CPUs are moved between near and far caches within a second, and not in step with the rounds. So both
# are looked at by tenths of a second too: what each exceeds in one of ten is what it does where its CPUs are best placed.
INTERVAL_S, BEST_OF = 0.1, 10
LOOK_S = 0.1  # for the first answer
CPU_SHARE_MIN = 0.95  # of a CPU to itself, less what the clock of CPU time is coarse
QUICK_ROUNDS, QUICK_SECONDS = 2, 2


@dataclasses.dataclass
class Ends:
    """A rig's port at both ends: mcplane's flags, testpmd's devices."""

    appliance: list
    load: list
    forwarder: str
    # The load can turn frames round: both ends are its own, and a frame stays in its buffer.
    reflects: bool = False
    # Another testpmd as the source of what is forwarded; None: kernel sockets, see `bounce`.
    source: str = None
    # What makes kernel sockets the other end: called with testpmd or an appliance up.
    attach: object = lambda: None
    # The command that has so many frames bounce, of so many bytes: called with bytes and frames.
    bounce: object = None
    # Frames of the source. More than a ring holds would lose some, less may leave the forwarder waiting.
    in_flight: int = 16 * BURST


def parser_of(description):
    parser = rig.parser_of(description)
    parser.add_argument("--rounds", type=int, default=5, help="of testpmd and mcplane in turn [5]")
    parser.add_argument("--quick", action="store_true",
                        help=f"{QUICK_ROUNDS} rounds of {QUICK_SECONDS} s and one latency: shows that the rig works")
    return parser


class Comparison:
    def __init__(self, bench, ends):
        self.bench, self.ends, self.options = bench, ends, bench.options
        self.cpu, self.load_cpu = rig.two_cpus()
        self.wrong, self.commands = [], {}  # commands: who, and the first of that name

    def perf(self, *words):
        """What mcplane-ctl perf answers; None where this build has none."""
        done = subprocess.run([self.bench.path("mcplane-ctl"), "perf", *words, "--admin", self.bench.admin],
                              capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else None

    def residence_ns(self):
        answer = self.perf("--json")
        return json.loads(answer).get("residence_ns") if answer else None

    def mcplane(self, *flags, residence=False, interval_s=None):
        """One run of load against an appliance of its own, which is looked at from interval to interval. None: twice,
        since the one who answers shares the load's CPU, which a tail of latency shows."""
        bench = self.bench
        appliance = bench.start_appliance(*self.ends.appliance, "--cores", str(self.cpu))
        self.ends.attach()
        if residence:
            self.perf("--on")
        load = bench.start_load(*flags, "--warmup", f"{int(WARMUP_S * 1000)}ms", *self.ends.load, cpu=self.load_cpu)
        watched = self.watch(load, interval_s or self.options.seconds / 2)
        load_command, result = bench.result_of(load)
        in_broker = self.residence_ns() if residence else None
        info = self.settled_info(result)
        bench.end_all()
        self.commands.setdefault("mcplane", appliance)
        self.commands.setdefault("mcplane_load", load_command)
        self.wrong += rig.verdict(result, info)
        return {
            "tasks_per_s": result["achieved_rate_per_s"],
            **watched,
            **{name: result[name] for name in ("sent", "delivered", "lost", "duplicates", "mismatched", "skipped")},
            "rejected": sum(result["errors"].values()),
            "parts_per_task": result.get("parts_per_task", 1),
            "frame_bytes": min(result["send_bytes"] + ETHERNET_IP_UDP_BYTES, FRAME_BYTES_MAX),
            "latency_us": {name: result["latency_us"][name] for name in ("p50", "p99", "p999")},
            "load_cpu": result["cpu"],
            "broker": info["tasks"],
            "frames": info["frames"],
            "drops": info["drops"],
            "residence_ns": in_broker,
        }

    def watch(self, load, interval_s):
        """The appliance under load, by its own account and its CPU's, from when the first answer is seen and the
        warm-up is over, for as many intervals as the load's time has, at least one."""
        bench, give_up = self.bench, time.monotonic() + rig.START_S
        while bench.info()["tasks"]["delivered"] == 0 and load.poll() is None and time.monotonic() < give_up:
            time.sleep(LOOK_S)
        time.sleep(WARMUP_S)
        share, looks = rig.CpuShare(bench.processes[0]), [(time.monotonic(), bench.info())]
        # The first answer was seen a look late, and the last look shall not be behind the load's end.
        for _ in range(max(1, int((self.options.seconds - 2 * LOOK_S) / interval_s))):
            time.sleep(interval_s)
            looks.append((time.monotonic(), bench.info()))
        cpu_share = share.read()
        (began, first), (ended, last) = looks[0], looks[-1]
        counted = {name: last["per_shard"][0][name] - first["per_shard"][0][name]
                   for name in ("busy_loops", "busy_ms", "received")}
        return {
            "tasks_per_s_by_interval": [
                round((info["tasks"]["delivered"] - info_before["tasks"]["delivered"]) / (at - at_before))
                for (at_before, info_before), (at, info) in itertools.pairwise(looks)],
            "cpu_share": cpu_share,
            "broker_busy": counted["busy_ms"] / 1000 / (ended - began),
            "frames_per_busy_loop": counted["received"] / counted["busy_loops"] if counted["busy_loops"] else 0.0,
        }

    def settled_info(self, result):
        """The appliance's account, once it has seen what the load ended with: its last acknowledgements."""
        give_up = time.monotonic() + SETTLE_S
        while rig.verdict(result, info := self.bench.info()) and time.monotonic() < give_up:
            time.sleep(0.05)
        return info

    @contextlib.contextmanager
    def source(self, forwarder, frame_bytes, in_flight):
        """Keeps that many frames on their way to the forwarder and back, on the other CPU."""
        if self.ends.bounce:
            command = self.ends.bounce(frame_bytes, in_flight)
            self.commands.setdefault("source", command)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                       preexec_fn=lambda: os.sched_setaffinity(0, {self.load_cpu}))
            try:
                yield
            finally:
                rig.end(process)
            return
        burst = min(in_flight, BURST)
        with Testpmd(self.ends.source, self.load_cpu, self.load_cpu, self.bench.hugepages, "--forward-mode=io",
                     f"--txpkts={frame_bytes}", f"--burst={burst}") as source:
            self.commands.setdefault("source", source.command)
            source.wait_for_link()
            forwarder.wait_for_link()
            source.say(f"start tx_first {in_flight // burst}")
            yield
            source.say("stop")

    def testpmd(self, frame_bytes, in_flight, interval_s):
        """One run of testpmd's 5tswap in mcplane's place. Who looks at it shares the source's CPU."""
        with Testpmd(self.ends.forwarder, self.cpu, self.load_cpu, self.bench.hugepages,
                     "--forward-mode=5tswap") as forwarder:
            self.commands.setdefault("testpmd", forwarder.command)
            self.ends.attach()
            forwarder.say("start")
            with self.source(forwarder, frame_bytes, in_flight):
                time.sleep(WARMUP_S)
                share = rig.CpuShare(forwarder.process)
                by_interval, mean_bytes = forwarder.sent(self.options.seconds, interval_s)
                cpu_share = share.read()
                idle_polls, dropped = forwarder.stop()
        frames_per_s = statistics.fmean(by_interval)
        if abs(mean_bytes - frame_bytes) > 1:
            self.wrong.append(f"testpmd forwarded {frames_per_s:.0f} frames/s of {mean_bytes:.0f} B, not {frame_bytes} B")
        return {"testpmd_frames_per_s": frames_per_s, "testpmd_frames_per_s_by_interval": by_interval,
                "testpmd_idle_polls": idle_polls, "testpmd_dropped": dropped,
                "testpmd_cpu_share": cpu_share}

    def round(self):
        run = self.mcplane(*self.reflecting(), interval_s=INTERVAL_S)
        plain = self.testpmd(run["frame_bytes"], self.ends.in_flight, INTERVAL_S)
        return {**plain, "ratio": ratio_of(run["tasks_per_s"], run, plain["testpmd_frames_per_s"]),
                "payload_bytes_per_s": run["tasks_per_s"] * self.options.payload, **run}

    def reflecting(self):
        return ["--reflect"] if self.ends.reflects else []

    def one_in_flight(self):
        """A task in mcplane, then a frame in testpmd."""
        run = self.mcplane("--clients", "1", "--workers", "1", "--window", "1")
        return {**self.testpmd(run["frame_bytes"], 1, self.options.seconds / 2), **run}

    def latencies(self, peak, shares):
        """Poisson arrivals at shares of the peak."""
        return [{"share": share, "rate_per_s": int(share * peak),
                 **self.mcplane("--rate", f"{max(1, int(share * peak))}/s", "--poisson")} for share in shares]

    def residence(self, peak, *flags):
        """Medians of the time in the broker, by leg, of Poisson arrivals at RESIDENCE_SHARE of the peak, and the runs."""
        rate_per_s = max(1, int(RESIDENCE_SHARE * peak))
        runs = [self.mcplane(*flags, "--rate", f"{rate_per_s}/s", "--poisson", residence=True)
                for _ in range(RESIDENCE_RUNS)]
        measured = [run["residence_ns"] for run in runs if run["residence_ns"]]
        medians = {leg: {name: statistics.median(each[leg][name] for each in measured) for name in ("p50", "p99")}
                   for leg in (measured[0] if measured else ())}
        return {"rate_per_s": rate_per_s, "broker_busy": statistics.median(run["broker_busy"] for run in runs),
                "residence_ns": medians, "runs": runs}

    def residences(self, checked_peak, reflected_peak):
        """Of both loads, by name."""
        return {"checked": self.residence(checked_peak),
                **({"reflected": self.residence(reflected_peak, *self.reflecting())} if self.ends.reflects else {})}


def ratio_of(tasks_per_s, run, frames_per_s):
    parts = run["parts_per_task"]
    return tasks_per_s * (parts if parts > 1 else 2) / frames_per_s if frames_per_s else 0.0


def best(rounds):
    """What mcplane and testpmd each exceed in one of BEST_OF intervals of all rounds, and the ratio of the two."""
    exceeded = {}
    for key in ("tasks_per_s", "testpmd_frames_per_s"):
        intervals = sorted((value for each in rounds for value in each[f"{key}_by_interval"]), reverse=True)
        exceeded[key] = intervals[len(intervals) // BEST_OF]
    return {**exceeded, "ratio": ratio_of(exceeded["tasks_per_s"], rounds[0], exceeded["testpmd_frames_per_s"])}


def mean_us(per_s):
    return 1e6 / per_s if per_s else 0.0


def round_trips(runs):
    """Of one in flight: the run with the median p50, and the median of testpmd's mean time of two passes."""
    return {"one_in_flight": sorted(runs, key=lambda run: run["latency_us"]["p50"])[len(runs) // 2],
            "testpmd_two_passes_us": 2 * mean_us(statistics.median(run["testpmd_frames_per_s"] for run in runs))}


def versions(bench):
    said = subprocess.run([bench.path("mcplane"), "--version"], capture_output=True, text=True, check=False)
    package = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "dpdk-dev"], capture_output=True, text=True,
                             check=False)
    return {"mcplane": said.stdout.strip(), "dpdk": package.stdout, "kernel": os.uname().release}


def cpu_model():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "")


def compare(name, options, make_ends):
    """(report, what is wrong) of a rig. make_ends: Ends from a rig.Rig."""
    shares = SHARES_OF_PEAK
    if options.payload > FRAME_PAYLOAD_MAX:
        shares = ()
        options.clients, options.window = min(options.clients, LONG_CLIENTS), 1
    if options.quick:
        options.rounds, options.seconds, shares = QUICK_ROUNDS, QUICK_SECONDS, ()
    with rig.Rig(options) as bench:
        comparison = Comparison(bench, make_ends(bench))
        rounds = [comparison.round() for _ in range(options.rounds)]
        median = {key: statistics.median(each[key] for each in rounds)
                  for key in ("tasks_per_s", "testpmd_frames_per_s", "ratio", "payload_bytes_per_s", "broker_busy",
                              "frames_per_busy_loop", "cpu_share", "testpmd_cpu_share")}
        if options.quick:
            options.seconds = 1
        checked = comparison.mcplane("--clients", str(max(1, min(options.clients, CHECKED_BYTES // options.payload))))
        ones = [comparison.one_in_flight() for _ in range(1 if options.quick else ONE_IN_FLIGHT_RUNS)]
        at_shares = comparison.latencies(checked["tasks_per_s"], shares)
        residences = comparison.residences(checked["tasks_per_s"], median["tasks_per_s"]) if shares else {}
        runs = rounds + [checked] + ones + at_shares + [run for each in residences.values() for run in each["runs"]]
        report = {
            "rig": name,
            **median,
            "best": best(rounds),
            **{key: sum(run[key] for run in runs) for key in ("lost", "duplicates", "mismatched")},
            "payload_bytes": options.payload,
            "frame_bytes": rounds[0]["frame_bytes"],
            "disturbed": any(min(each["cpu_share"], each["testpmd_cpu_share"]) < CPU_SHARE_MIN for each in rounds),
            "load_busy": statistics.median(each["load_cpu"]["clients"] for each in rounds),
            "load_saturated": any(each["load_cpu"]["saturated"] for each in rounds),
            "checked": checked,
            **round_trips(ones),
            "latency": at_shares,
            "residence": residences,
            "rounds": rounds,
            "seconds": options.seconds,
            "cpu": cpu_model(),
            "versions": versions(bench),
            "commands": {who: shlex.join(command) for who, command in comparison.commands.items()},
        }
    return report, comparison.wrong


def latency_line(label, run):
    return f"{label:>14}" + "".join(f"{run['latency_us'][name]:>12.2f}" for name in ("p50", "p99", "p999"))


def table(report):
    lines = [f"{report['rig']}: {report['cpu']}, {report['frame_bytes']} B frames", "",
             f"{'round':>14}{'tasks/s':>12}{'testpmd fps':>14}{'ratio':>8}{'broker busy':>13}{'load busy':>11}"
             f"{'CPU had: mcplane':>18}{'testpmd':>9}"]
    for number, each in enumerate(report["rounds"] + [report], 1):
        label = number if number <= len(report["rounds"]) else "median"
        load_busy = each["load_cpu"]["clients"] if "load_cpu" in each else each["load_busy"]
        lines.append(f"{label:>14}{each['tasks_per_s']:>12.0f}{each['testpmd_frames_per_s']:>14.0f}"
                     f"{each['ratio']:>8.3f}{each['broker_busy']:>13.2f}{load_busy:>11.2f}"
                     f"{each['cpu_share']:>18.2f}{each['testpmd_cpu_share']:>9.2f}")
    of = report["best"]
    lines.append(f"{f'one in {BEST_OF}':>14}{of['tasks_per_s']:>12.0f}{of['testpmd_frames_per_s']:>14.0f}{of['ratio']:>8.3f}"
                 f"  what each exceeds in one of {BEST_OF} intervals of {INTERVAL_S} s")
    if report["disturbed"]:
        lines.append("disturbed: another process had a part of the CPU that is measured; the ratio says little")
    lines += ["", f"payloads: {report['payload_bytes_per_s'] / 1e9:.2f} GB/s",
              f"every byte made and read by the load: {report['checked']['tasks_per_s']:.0f} tasks/s, its core "
              f"{100 * report['checked']['load_cpu']['clients']:.0f} % busy",
              "", f"{'latency, us':>14}{'p50':>12}{'p99':>12}{'p99.9':>12}",
              latency_line("one in flight", report["one_in_flight"]),
              f"{'its mean':>14}{mean_us(report['one_in_flight']['tasks_per_s']):>12.2f}"
              f"  and {report['testpmd_two_passes_us']:.2f} of two passes of one frame through testpmd"]
    lines += [latency_line(f"{100 * run['share']:.0f} % of that", run) for run in report["latency"]]
    for load, of in report["residence"].items():
        legs = "; ".join(f"{leg} p50 {ns['p50']:.0f} ns, p99 {ns['p99']:.0f} ns" for leg, ns in of["residence_ns"].items())
        lines.append(f"in the broker at {of['rate_per_s']} tasks/s, {load}, {100 * of['broker_busy']:.0f} % busy: {legs}")
    lines += ["", f"lost {report['lost']}, duplicates {report['duplicates']}, mismatched {report['mismatched']}"]
    lines += [f"{who}: {command}" for who, command in report["commands"].items()]
    return "\n".join(lines)


def main(name, description, make_ends, **defaults):
    """defaults: of flags, where this rig's differ."""
    parser = parser_of(description)
    parser.set_defaults(**defaults)
    rig.main(parser, lambda options: compare(name, options, make_ends), table)
