"""An appliance, workers and tools in the network namespace that in_netns made, and a runner of cases.

A case is a function of one Bench: it starts its own appliance, and all that it started is ended, by pid, after it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "support"))

import admin_client  # found by the line above

BROKER4, BROKER6 = "10.77.0.1", "fd77::1"
PEER4, PEER6 = "10.77.0.2/24", "fd77::2/64"
TAP = "mc0"
TASK_FILE = os.path.join(os.path.dirname(__file__), "..", "support", "task.json")
POLL_S = 0.01
END_S = 5
LOG_TAIL_LINES = 15


class Skip(Exception):
    """This machine cannot run the case; the text says why."""


def need_tool(name):
    if not shutil.which(name):
        raise Skip(f"{name} is not installed (scripts/deps installs it)")


def wait_until(what, seconds, probe):
    """Polls until probe() is true; returns the seconds that took."""
    started = time.monotonic()
    while not probe():
        waited = time.monotonic() - started
        assert waited < seconds, f"{what}: not within {seconds} s"
        time.sleep(POLL_S)
    return time.monotonic() - started


def ip(*arguments):
    subprocess.run(("ip",) + arguments, check=True, capture_output=True, text=True)


class Bench:
    def __init__(self, binaries):
        self.binaries = binaries
        self.folder = tempfile.mkdtemp(prefix="mcplane-test-")
        self.admin = os.path.join(self.folder, "admin.sock")
        self.started = []  # (name, process, log path), in order
        cpus = sorted(os.sched_getaffinity(0))
        self.core = cpus[0]
        self.other_cpus = set(cpus[1:]) or set(cpus)

    # Processes ------------------------------------------------------------------------------------------------------

    def start(self, name, command):
        log = os.path.join(self.folder, f"{len(self.started)}-{name}.log")
        with open(log, "wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        # The appliance polls its core: everything else keeps off it where there is another.
        if name != "mcplane":
            os.sched_setaffinity(process.pid, self.other_cpus)
        self.started.append((name, process, log))
        return process

    def end(self, process, number=signal.SIGTERM):
        """Ends one process and returns its exit code, negative for a signal."""
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"pid {process.pid} did not end {END_S} s after signal {number}") from None

    def kill_all(self):
        for _, process, _ in reversed(self.started):
            if process.poll() is None:
                process.kill()
                process.wait()

    def end_all(self):
        self.kill_all()
        shutil.rmtree(self.folder)

    def log_of(self, process):
        path = next(log for _, started, log in self.started if started is process)
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def print_logs(self):
        for name, process, _ in self.started:
            print(f"  {name} (exit {process.poll()}):")
            for line in self.log_of(process).splitlines()[-LOG_TAIL_LINES:]:
                print(f"    {line}")

    # The appliance --------------------------------------------------------------------------------------------------

    def start_appliance(self, *flags):
        """Starts it and gives the kernel's side of its TAP device PEER4 and PEER6."""
        appliance = self.start_on(f"tap:{TAP}", "--ip", f"{BROKER6}/64", *flags)
        ip("link", "set", TAP, "up")
        ip("address", "add", PEER4, "dev", TAP)
        ip("address", "add", PEER6, "dev", TAP, "nodad")
        return appliance

    def start_on(self, port, *flags, cores=None):
        """Starts it as BROKER4 on any port; returns once its admin socket answers."""
        appliance = self.start("mcplane", [
            self.path("mcplane"), "--port", port, "--ip", f"{BROKER4}/24", "--cores", cores or str(self.core),
            "--admin", self.admin, *flags])

        def healthy():
            assert appliance.poll() is None, f"mcplane ended with {appliance.returncode}: {self.log_of(appliance)}"
            return admin_client.healthy(self.admin)

        wait_until("appliance", 20, healthy)
        return appliance

    def ask(self, path):
        """The body of an admin answer; '' while nobody answers."""
        return admin_client.ask(self.admin, path)

    def info(self):
        return admin_client.info(self.admin)

    # Workers and tools ----------------------------------------------------------------------------------------------

    def start_worker(self, name, *flags, broker=BROKER4, slots=64, backend="echo"):
        """Returns once the appliance lists it as up."""
        worker = self.start("mcplane-worker", [
            self.path("mcplane-worker"), "--broker", broker, "--backend", backend, "--slots", str(slots),
            "--name", name, *flags])
        wait_until(f"worker {name}", 10, lambda: self.node(name).get("state") == "up")
        return worker

    def path(self, binary):
        return os.path.join(self.binaries, binary)

    def run(self, binary, *arguments, seconds=60):
        cpus = {self.core} if binary == "mcplane" else self.other_cpus
        return subprocess.run([self.path(binary), *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=seconds, check=False,
                              preexec_fn=lambda: os.sched_setaffinity(0, cpus))

    def node(self, name):
        """What the appliance says of the endpoint of that name; {} when it lists none."""
        nodes = json.loads(self.ask("/v1/nodes"))["nodes"]
        return next((node for node in nodes if node["name"] == name), {})

    def send(self, *arguments, broker=BROKER4):
        """(exit code, outcome as mcplane-ctl's JSON) of one task."""
        done = self.run("mcplane-ctl", "send", "--broker", broker, "--json", *arguments)
        assert done.stdout, f"mcplane-ctl send printed nothing; exit {done.returncode}, {done.stderr}"
        return done.returncode, json.loads(done.stdout)

    def load(self, *arguments, broker=BROKER4, over=None):
        """The load generator's JSON; every task it sent was answered once, with its own prompt.

        over: the flags that reach the broker, when it is not over the kernel's sockets."""
        done = self.run("mcplane-load", *(over or ("--udp", broker)), "--json", *arguments, seconds=120)
        assert done.returncode == 0, f"mcplane-load: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        result = json.loads(done.stdout)
        assert (result["lost"], result["duplicates"]) == (0, 0), result
        return result

    def start_load(self, *arguments, broker=BROKER4):
        """Load beside a case, until end_load()."""
        return self.start("mcplane-load", [self.path("mcplane-load"), "--udp", broker, "--json", "--warmup", "0s",
                                           "--duration", "1h", *arguments])

    def end_load(self, load, seconds=60):
        """Has it wait for what is in flight; its JSON, which accounts for every task it sent."""
        if load.poll() is None:
            load.send_signal(signal.SIGINT)
        return self.end_load_by_itself(load, seconds)

    def end_load_by_itself(self, load, seconds=60):
        """Waits for the end of its run; as end_load()."""
        load.wait(seconds)
        lines = [line for line in self.log_of(load).splitlines() if line.startswith("{")]
        assert lines, self.log_of(load)
        result = json.loads(lines[-1])
        ended = result["delivered"] + result["degraded"] + result["lost"] + sum(result["errors"].values())
        assert (result["sent"], result["duplicates"], result["mismatched"]) == (ended, 0, 0), result
        return result


def run_cases(*cases):
    """Main of a test: BINARIES as its argument. Exit 1 when a case failed, 77 when all were skipped."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    failed = skipped = 0
    for case in cases:
        bench = Bench(sys.argv[1])
        try:
            case(bench)
            print(f"ok - {case.__name__}", flush=True)
        except Skip as reason:
            skipped += 1
            print(f"ok - {case.__name__} # SKIP {reason}", flush=True)
        except Exception:  # a case's own failure must not keep the others from running
            failed += 1
            print(f"not ok - {case.__name__}", flush=True)
            traceback.print_exc(file=sys.stdout)
            bench.print_logs()
        finally:
            bench.end_all()
    if failed:
        sys.exit(1)
    if skipped == len(cases):
        sys.exit(77)
