#!/usr/bin/env python3
"""The appliance as a host on its network: echo requests, large ones, and a peer behind a VLAN tag."""

import subprocess

from bench import BROKER4, BROKER6, PEER4, PEER6, TAP, ip, need_tool, run_cases
from vlan import VlanDevice

PINGS = 10
VLAN = "vlan5"


def ping(*arguments):
    need_tool("ping")
    done = subprocess.run(("ping", "-n", "-c", str(PINGS), "-i", "0.02", "-W", "2") + arguments, capture_output=True,
                          text=True, check=False)
    assert f"{PINGS} received" in done.stdout and "0% packet loss" in done.stdout, done.stdout + done.stderr
    assert "DUP" not in done.stdout and "wrong data" not in done.stdout, done.stdout


def answers_ping(bench):
    bench.start_appliance()
    ping(BROKER4)
    ping("-s", "1400", "-p", "5aa5", BROKER4)


def answers_ping_over_ipv6(bench):
    bench.start_appliance()
    ping("-6", BROKER6)
    ping("-6", "-s", "1400", "-p", "5aa5", BROKER6)


def serves_peers_behind_a_vlan(bench):
    bench.start_appliance()
    with VlanDevice(TAP, VLAN, tag=5) as vlan:
        for address in (PEER4, PEER6):
            ip("address", "del", address, "dev", TAP)
        ip("link", "set", VLAN, "up")
        ip("address", "add", PEER4, "dev", VLAN)
        ip("address", "add", PEER6, "dev", VLAN, "nodad")
        ping(BROKER4)
        ping("-6", BROKER6)
        bench.start_worker("echo", broker=BROKER6)
        for broker in (BROKER4, BROKER6):
            code, outcome = bench.send("--action", "generate", "--prompt", "tagged", broker=broker)
            assert (code, outcome["text"]) == (0, "tagged"), outcome
        assert vlan.relayed > 2 * PINGS


run_cases(answers_ping, answers_ping_over_ipv6, serves_peers_behind_a_vlan)
