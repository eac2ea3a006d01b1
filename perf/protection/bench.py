"""What the scenarios share: an appliance on a vhost-user port, and mcplane-load, clients and workers, on the other end."""

import argparse
import glob
import os
import sys
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.append(os.path.join(ROOT, "perf", "rig"))

import rig  # found by the line above

WORKERS = 16
SERVICE = "exp:1ms"
CLIENTS = 64
WARMUP_S = 2
INTERVAL_MS = 100  # of the load's time line
LONGEST_S = 600  # nothing here runs longer


def waited_ns(process):
    """How long the thread that ran most had to wait for its CPU (schedstat of Documentation/scheduler)."""
    ran_and_waited = []
    for path in glob.glob(f"/proc/{process.pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            ran_and_waited.append(tuple(int(word) for word in file.read().split()[:2]))
    return max(ran_and_waited, default=(0, 0))[1]


class Bench(rig.Rig):
    """One appliance, for as long as the object is entered. 16 workers of one slot, 1 ms a task, unless flags differ."""

    def __init__(self, options, *appliance_flags, config=None, tables=None):
        super().__init__(argparse.Namespace(
            binaries=options.binaries, no_hugepages=True, json=True, clients=CLIENTS, workers=WORKERS, window=1,
            worker_slots=1, payload=64, seconds=LONGEST_S))
        self.appliance_cpu, self.load_cpu = rig.two_cpus()
        self.port = os.path.join(self.folder, "vhost.sock")
        self.appliance_flags, self.tables = appliance_flags, tables
        self.config = os.path.join(self.folder, "mcplane.toml")
        self.texts = 0
        if config is not None:
            self.configure(config)
            self.appliance_flags += ("--config", self.config)

    def __enter__(self):
        try:
            self.start_appliance("--port", f"vhost:{self.port}", "--cores", str(self.appliance_cpu),
                                 *self.appliance_flags)
        except BaseException:
            self.__exit__()
            raise
        return self

    def table_sizes(self):
        return self.tables or super().table_sizes()

    @property
    def appliance(self):
        return self.processes[0]

    def configure(self, text):
        """Whoever reads the file finds all of the old or all of the new text. A link, since no disk waits for one."""
        self.texts += 1
        path = f"{self.config}.{self.texts}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.symlink(path, self.config + ".new")
        os.replace(self.config + ".new", self.config)

    def start(self, *flags, seconds, warmup=WARMUP_S):
        """Begins a load; result_of() has its outcome."""
        service = () if "--service-time" in flags else ("--service-time", SERVICE)
        return self.start_load("--port", f"virtio:{self.port}", "--ip", f"{rig.PEER}/24", "--broker", rig.BROKER,
                               "--core", str(self.load_cpu), "--warmup", f"{warmup}s", "--duration", f"{seconds}s",
                               "--interval", f"{INTERVAL_MS}ms", *service, *flags)

    def run(self, *flags, seconds, warmup=WARMUP_S):
        """The JSON of one load, and in cpu_away the share of time that its CPU or the appliance's was others'."""
        before, began = waited_ns(self.appliance), time.monotonic()
        load = self.start(*flags, seconds=seconds, warmup=warmup)
        time.sleep(warmup + seconds)
        waited = max(waited_ns(self.appliance) - before, waited_ns(load))
        away = waited / 1e9 / (time.monotonic() - began)
        return {**self.result_of(load)[1], "cpu_away": away}

    def open_loop(self, rate, *flags, seconds, warmup=WARMUP_S):
        return self.run("--rate", f"{rate:.0f}/s", "--poisson", *flags, seconds=seconds, warmup=warmup)

    def capacity(self, seconds):
        """Tasks a second that the workers can do: two in flight for each."""
        return self.run("--clients", str(WORKERS), "--window", "2", seconds=seconds)["achieved_rate_per_s"]
