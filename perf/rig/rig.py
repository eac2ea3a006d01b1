"""What the rigs share: an appliance on one CPU, a load on another, hugepages, and one JSON line at the end."""

import argparse
import atexit
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


class Failure(Exception):
    """One line for whoever runs the rig."""


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=int, default=10, help="measured part of the run [10]")
    parser.add_argument("--payload", type=int, default=256, metavar="BYTES", help="prompt of each task [256]")
    parser.add_argument("--clients", type=int, default=64, help="[64]")
    parser.add_argument("--workers", type=int, default=8, help="[8]")
    parser.add_argument("--window", type=int, default=16, help="tasks in flight a client [16]")
    parser.add_argument("--worker-slots", type=int, default=256, help="tasks in flight a worker [256]")
    parser.add_argument("--json", action="store_true", help="nothing on stdout but the JSON line")
    parser.add_argument("--no-hugepages", action="store_true", help="run without, slower")
    parser.add_argument("--binaries", default=os.path.join(ROOT, "build", "src", "app"), metavar="FOLDER",
                        help="where mcplane and mcplane-load are [build/src/app]")
    options = parser.parse_args()
    for binary in ("mcplane", "mcplane-load"):
        if not os.access(os.path.join(options.binaries, binary), os.X_OK):
            raise Failure(f"{binary} is not in {options.binaries}; build it: scripts/deps && meson setup build "
                          "&& ninja -C build")
    return options


def two_cpus():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Failure("a rig needs two CPUs: one for the appliance, one for the load")
    return cpus[0], cpus[1]


def reserve_hugepages():
    """Reserves what both processes need and gives it back when the rig ends."""
    script = os.path.join(ROOT, "scripts", "hugepages")
    pages = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    with open(pages, encoding="ascii") as file:
        before = int(file.read())
    done = subprocess.run([script, str(HUGEPAGES_MIB)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(done.stderr.strip())
    with open(pages, encoding="ascii") as file:
        reserved_here = int(file.read()) != before
    if reserved_here:
        atexit.register(subprocess.run, [script, "--release"], capture_output=True, check=False)


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
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.end(process)
        shutil.rmtree(self.folder)

    def path(self, binary):
        return os.path.join(self.options.binaries, binary)

    def end(self, process):
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

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
        return admin_client.info(self.admin)

    def load(self, *flags):
        """(command line, its JSON) of one run of the load generator, clients and workers in one process."""
        options = self.options
        command = [self.path("mcplane-load"), "--clients", str(options.clients), "--workers", str(options.workers),
                   "--window", str(options.window), "--worker-slots", str(options.worker_slots),
                   "--payload", f"{options.payload}B", "--duration", f"{options.seconds}s", "--json",
                   *self.hugepages, *flags]
        live = subprocess.DEVNULL if options.json else None
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=live, text=True,
                              timeout=options.seconds + 60, check=False)
        if not done.stdout.strip():
            raise Failure(f"the load generator gave no result; exit {done.returncode}: {shlex.join(command)}")
        return command, json.loads(done.stdout)


def verdict(load, info):
    """What is wrong with a run, in words; empty when it did what it promises."""
    wrong = [f"{name} {load[name]}" for name in ("lost", "duplicates", "mismatched") if load[name] != 0]
    broker = info["tasks"]
    if broker["accepted"] + broker["rejected"] != load["sent"] or broker["delivered"] != load["delivered"]:
        wrong.append(f"the broker counted {broker}, the load {load['sent']} sent and {load['delivered']} delivered")
    if load["delivered"] == 0:
        wrong.append("nothing was delivered")
    return wrong


def main(run):
    """Runs a rig: run() returns its report and what is wrong with it."""
    try:
        report, wrong = run()
    except Failure as failure:
        print(f"{os.path.basename(sys.argv[0])}: {failure}", file=sys.stderr)
        sys.exit(1)
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    print(json.dumps(report), flush=True)
    sys.exit(1 if wrong else 0)
