#!/usr/bin/env python3
"""Every checksum the appliance sends is right: frames captured on the wire under load, judged by tshark."""

import collections
import os
import signal
import subprocess

from bench import BROKER4, BROKER6, TAP, need_tool, run_cases, wait_until

FRAMES_MAX = 60_000
FRAMES_MIN = 1_000
# tshark's verdicts; a UDP checksum of 0, which we never send, is "not present".
BAD, GOOD = "0", "1"
FIELDS = ("ip.checksum.status", "udp.checksum.status", "icmp.checksum.status", "icmpv6.checksum.status")


def capture(bench, file):
    tcpdump = bench.start("tcpdump", ["tcpdump", "-i", TAP, "-w", file, "-Z", "root", "-B", "16384", "-s", "0",
                                      "-c", str(FRAMES_MAX)])
    wait_until("tcpdump", 5, lambda: "listening on" in bench.log_of(tcpdump))
    return tcpdump


def verdicts(file):
    """{field: {verdict: frames}} over what the appliance sent."""
    command = ["tshark", "-n", "-r", file, "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
               "-Y", f"ip.src=={BROKER4} || ipv6.src=={BROKER6}", "-T", "fields", "-E", "separator=,"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    counts = {field: collections.Counter() for field in FIELDS}
    for line in done.stdout.splitlines():
        for field, verdict in zip(FIELDS, line.split(",")):
            if verdict:
                counts[field][verdict] += 1
    return counts


def every_checksum_sent_is_right(bench):
    for tool in ("tcpdump", "tshark", "ping"):
        need_tool(tool)
    bench.start_appliance()
    file = os.path.join(bench.folder, "frames.pcap")
    tcpdump = capture(bench, file)
    for arguments in ((BROKER4,), ("-s", "1400", BROKER4), ("-6", BROKER6), ("-6", "-s", "1401", BROKER6)):
        subprocess.run(("ping", "-n", "-c", "5", "-i", "0.02", "-W", "2") + arguments, check=True,
                       stdout=subprocess.DEVNULL)
    for broker in (BROKER4, BROKER6):
        worker = bench.start_worker(f"echo {broker}", broker=broker)
        # Odd and even sizes: the last byte of an odd one is a checksum's usual mistake.
        for payload in ("17B", "256B", "333B"):
            bench.load("--clients", "2", "--window", "4", "--warmup", "0s", "--duration", "200ms", "--payload", payload,
                       broker=broker)
        bench.end(worker)
    bench.end(tcpdump, signal.SIGINT)

    counts = verdicts(file)
    print({field: dict(count) for field, count in counts.items()})
    for field, count in counts.items():
        assert set(count) == {GOOD}, f"{field}: {dict(count)}"
    assert counts["udp.checksum.status"][GOOD] > FRAMES_MIN
    assert counts["icmp.checksum.status"][GOOD] >= 10 and counts["icmpv6.checksum.status"][GOOD] >= 10


run_cases(every_checksum_sent_is_right)
