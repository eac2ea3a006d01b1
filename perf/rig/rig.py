"""What the rigs share: an appliance on one CPU, a load on another, hugepages, and one JSON line at the end."""

import argparse
import atexit
import glob
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.append(os.path.join(ROOT, "tests", "support"))

import admin_client  # found by the line above

BROKER, PEER = "10.99.0.1", "10.99.0.2"
START_S = 20
END_S = 10
HUGEPAGES_MIB = 1536
EXIT_MISSED = 10


class Failure(Exception):
    """One line for whoever runs the rig."""

    exit_code = 1


class Unavailable(Failure):
    """This machine cannot run the rig."""

    exit_code = 77


def parser_of(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=int, default=10, help="measured part of the run [10]")
    parser.add_argument("--payload", type=int, default=256, metavar="BYTES", help="prompt of each task [256]")
    parser.add_argument("--clients", type=int, default=64, help="[64]")
    parser.add_argument("--workers", type=int, default=8, help="[8]")
    parser.add_argument("--window", type=int, default=16, help="tasks in flight a client [%(default)s]")
    parser.add_argument("--worker-slots", type=int, default=256, help="tasks in flight a worker [256]")
    parser.add_argument("--json", action="store_true", help="nothing on stdout but the JSON line")
    parser.add_argument("--no-hugepages", action="store_true", help="run without, slower")
    parser.add_argument("--binaries", default=os.path.join(ROOT, "build", "src", "app"), metavar="FOLDER",
                        help="where mcplane and mcplane-load are [build/src/app]")
    return parser


def arguments(parser):
    options = parser.parse_args()
    for binary in ("mcplane", "mcplane-load"):
        if not os.access(os.path.join(options.binaries, binary), os.X_OK):
            raise Failure(f"{binary} is not in {options.binaries}; build it: scripts/deps && meson setup build "
                          "&& ninja -C build")
    return options


def two_cpus():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Unavailable("a rig needs two CPUs: one for the appliance, one for the load")
    return cpus[0], cpus[1]


def reserve_hugepages():
    """Reserves what both processes need and gives it back when the rig ends."""
    script = os.path.join(ROOT, "scripts", "hugepages")
    pages = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    with open(pages, encoding="ascii") as file:
        before = int(file.read())
    done = subprocess.run([script, str(HUGEPAGES_MIB)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(done.stderr.strip())
    with open(pages, encoding="ascii") as file:
        reserved_here = int(file.read()) != before
    if reserved_here:
        atexit.register(subprocess.run, [script, "--release"], capture_output=True, check=False)


def prefer_this_session():
    """Until this process ends: with autogroup (sched(7)) a nice counts only among the processes of one session.

    All of a rig are of one: the appliance's control thread shares a CPU with the load.
    """
    path = "/proc/self/autogroup"
    try:
        with open(path, encoding="ascii") as file:
            before = file.read().split()[-1]
        with open(path, "w", encoding="ascii") as file:
            file.write("-20")
    except OSError:  # a kernel without it, or nobody who may
        return

    def give_back():
        with open(path, "w", encoding="ascii") as file:
            file.write(before)

    atexit.register(give_back)


def end(process):
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class CpuShare:
    """What share of a CPU a process's busiest thread gets from now on. One that polls should have all."""

    def __init__(self, process):
        self.process, self.began = process, time.monotonic()
        self.used_before = self.used_ticks()

    def used_ticks(self):
        """By thread."""
        used = {}
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/stat"):
            with open(path, encoding="ascii", errors="replace") as file:
                words = file.read().rpartition(")")[2].split()
            used[path] = int(words[11]) + int(words[12])  # utime and stime of proc(5)
        return used

    def read(self):
        busiest = max((ticks - self.used_before.get(path, 0) for path, ticks in self.used_ticks().items()), default=0)
        return busiest / os.sysconf("SC_CLK_TCK") / (time.monotonic() - self.began)


class Rig:
    """Starts processes and ends them by pid; a folder for sockets and logs that is gone afterwards."""

    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="mcplane-rig-")
        self.admin = os.path.join(self.folder, "admin.sock")
        self.processes = []
        self.hugepages = [] if options.no_hugepages else ["--hugepages"]
        if not options.no_hugepages:
            reserve_hugepages()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end_all()
        shutil.rmtree(self.folder)

    def end_all(self):
        while self.processes:
            end(self.processes.pop())

    def path(self, binary):
        return os.path.join(self.options.binaries, binary)

    def table_sizes(self):
        """Room for twice the peers: those of a run before may still be leaving."""
        clients, workers = max(1024, 2 * self.options.clients), max(1024, 2 * self.options.workers)
        return ["--max-clients", str(clients), "--max-workers", str(workers), "--max-sessions", str(clients + workers)]

    def start_appliance(self, *flags):
        """The command line of an appliance that serves BROKER and answers its admin socket."""
        command = [self.path("mcplane"), "--ip", f"{BROKER}/24", "--admin", self.admin, "--log-level", "warning",
                   *self.hugepages, *self.table_sizes(), *flags]
        log = os.path.join(self.folder, "mcplane.log")
        with open(log, "wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        self.processes.append(process)
        give_up = time.monotonic() + START_S
        while not admin_client.healthy(self.admin):
            if process.poll() is not None or time.monotonic() > give_up:
                with open(log, encoding="utf-8", errors="replace") as file:
                    raise Failure(f"the appliance does not start: {file.read().strip()}")
            time.sleep(0.05)
        return command

    def info(self):
        """The appliance's, which asks for patience (503) where its control thread got no CPU for a while."""
        give_up = time.monotonic() + START_S
        while True:
            info = admin_client.info(self.admin)
            if "tasks" in info:
                return info
            if time.monotonic() > give_up:
                raise Failure(f"the appliance does not answer: {info}")

    def start_load(self, *flags, cpu=None):
        """Begins load; flags come before what the options say. cpu: for one without a --core of its own."""
        options = self.options
        counts = {"--clients": options.clients, "--workers": options.workers, "--window": options.window,
                  "--worker-slots": options.worker_slots, "--payload": f"{options.payload}B",
                  "--duration": f"{options.seconds}s"}
        if "--events" in flags:
            counts = {flag: value for flag, value in counts.items() if not flag.startswith("--worker")}
        counts = {flag: value for flag, value in counts.items() if flag not in flags}
        if "--rate" in flags:
            counts.pop("--window", None)
        words = [str(word) for pair in counts.items() for word in pair]
        command = [self.path("mcplane-load"), *words, "--json", *flags]
        pin = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=pin,
                                   stderr=subprocess.DEVNULL if options.json else None)
        self.processes.append(process)
        return process

    def load(self, *flags, cpu=None):
        """(command line, its JSON) of one run of the load generator, clients and workers in one process."""
        return self.result_of(self.start_load(*flags, *self.hugepages, cpu=cpu))

    def result_of(self, load):
        try:
            output, _ = load.communicate(timeout=self.options.seconds + 60)
        except subprocess.TimeoutExpired:
            raise Failure(f"the load generator does not end: {shlex.join(load.args)}") from None
        self.processes.remove(load)
        if not output.strip():
            raise Failure(f"the load generator gave no result; exit {load.returncode}: {shlex.join(load.args)}")
        return load.args, json.loads(output)


def verdict(load, info):
    """What is wrong with a run, in words; empty when it did what it promises."""
    wrong = [f"{name} {load[name]}" for name in ("lost", "duplicates", "mismatched") if load[name] != 0]
    broker = info["tasks"]
    # The broker counts a REJECT each time it says it, for each task that was refused at least once.
    at_most = broker["accepted"] + broker["rejected"]
    if not broker["accepted"] <= load["sent"] <= at_most or broker["delivered"] != load["delivered"]:
        wrong.append(f"the broker counted {broker}, the load {load['sent']} sent and {load['delivered']} delivered")
    if load["delivered"] == 0:
        wrong.append("nothing was delivered")
    return wrong


def main(parser, run, table=None):
    """Runs a rig: run(options) returns its report and what is wrong with it. Without table, its report is JSON only.

    What the report says was `missed` makes exit 10.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        options = arguments(parser)
        report, wrong = run(options)
    except Failure as failure:
        print(f"{os.path.basename(sys.argv[0])}: {failure}", file=sys.stderr)
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    print(json.dumps(report) if table is None or options.json else table(report), flush=True)
    sys.exit(1 if wrong else EXIT_MISSED if report.get("missed") else 0)
