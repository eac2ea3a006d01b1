#!/usr/bin/env python3
"""mcplane itself as one of the brokers compared: on a virtio port, and on TAP for clients on the kernel's sockets.

As a program, in a network namespace that is gone afterwards (tests/integration/in_netns): mcplane_rows.py OPTIONS, one
run over TAP with those options (JSON), its result as JSON.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.append(os.path.join(ROOT, "perf", "rig"))

import rig  # found by the line above

IN_NETNS = os.path.join(ROOT, "tests", "integration", "in_netns")
TAP = "mcp0"
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process, all its threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(bench, *flags):
    """One run of the load generator against the appliance that bench started, in the words of peer_load."""
    appliance = bench.processes[-1].pid
    started, before = time.monotonic(), cpu_seconds(appliance)
    _, load = bench.load("--warmup", "500ms", *flags)
    # The core polls all the time: its share of the whole run is its share of the measured part.
    busy = (cpu_seconds(appliance) - before) / (time.monotonic() - started)
    rate = load["achieved_rate_per_s"]
    return {
        "rate_per_s": rate,
        "latency_us": {"p50": load["latency_us"]["p50"], "p99": load["latency_us"]["p99"]},
        "broker_cpu_s_per_million": busy / rate * 1e6 if rate else 0,
        "broker_busy": busy,
        # On a port one thread polls for all; on sockets clients and workers are threads that share the CPU.
        "load_busy": load["cpu"]["clients"] if "port" in load else load["cpu"]["clients"] + load["cpu"]["workers"],
        "sent": load["sent"],
        "lost": load["lost"] + sum(load["errors"].values()),
        "wrong": load["mismatched"],
        "duplicates": load["duplicates"],
    }


def rig_options(options, arrangement, hugepages):
    return argparse.Namespace(
        binaries=options.binaries, no_hugepages=not hugepages, json=True, payload=options.payload,
        seconds=options.seconds, clients=arrangement.clients, window=arrangement.window, workers=options.workers,
        worker_slots=options.worker_slots)


def virtio(options, arrangement, *flags):
    broker_cpu, load_cpu = rig.two_cpus()
    with rig.Rig(rig_options(options, arrangement, hugepages=True)) as bench:
        path = os.path.join(bench.folder, "vhost.sock")
        bench.start_appliance("--port", f"vhost:{path}", "--cores", str(broker_cpu))
        return measure(bench, *flags, "--port", f"virtio:{path}", "--ip", f"{rig.PEER}/24", "--broker", rig.BROKER,
                       "--core", str(load_cpu))


def reflected(options, arrangement):
    """The same with ends that turn frames round, and hold every answer against its task and its bytes."""
    return virtio(options, arrangement, "--reflect", "--check-every", "1")


def tap(options, arrangement):
    """The same in a namespace of its own."""
    passed = vars(rig_options(options, arrangement, hugepages=False))
    command = [IN_NETNS, sys.executable, os.path.realpath(__file__), json.dumps(passed)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    try:
        output, errors = process.communicate(timeout=options.seconds + 120)
    finally:
        # By TERM, which it takes as its time to end what it started itself.
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode != 0:
        raise rig.Failure(f"mcplane on TAP: {errors.strip() or f'exit {process.returncode}'}")
    return json.loads(output)


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    broker_cpu, load_cpu = rig.two_cpus()
    try:
        with rig.Rig(argparse.Namespace(**json.loads(sys.argv[1]))) as bench:
            bench.start_appliance("--port", f"tap:{TAP}", "--cores", str(broker_cpu))
            for command in (["link", "set", TAP, "up"], ["address", "add", f"{rig.PEER}/24", "dev", TAP]):
                subprocess.run(["ip", *command], check=True)
            os.sched_setaffinity(0, {load_cpu})
            result = measure(bench, "--udp", rig.BROKER)
    except rig.Failure as failure:
        sys.exit(str(failure))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
