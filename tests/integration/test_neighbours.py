#!/usr/bin/env python3
"""The appliance as a host among others: who it asks, whom it believes, and that a restart changes nothing for them."""

import signal
import subprocess

from bench import BROKER4, PEER4, TAP, ip, run_cases, wait_until


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def mac_of_broker():
    fields = run("ip", "neighbour", "show", BROKER4).split()
    return fields[fields.index("lladdr") + 1] if "lladdr" in fields else ""


def sends(bench, prompt):
    code, outcome = bench.send("--action", "generate", "--prompt", prompt)
    assert (code, outcome.get("text")) == (0, prompt), outcome


def a_restart_keeps_neighbours_valid(bench):
    first = bench.start_appliance()
    worker = bench.start_worker("echo")
    sends(bench, "before")
    mac = mac_of_broker()
    bench.end(worker)
    bench.end(first, signal.SIGKILL)
    bench.start_appliance()
    # Nobody asks who has the address: the neighbours' entry of before must do.
    ip("neighbour", "replace", BROKER4, "lladdr", mac, "nud", "permanent", "dev", TAP)
    bench.start_worker("echo2")
    sends(bench, "after")


def peers_behind_a_router_are_reached_through_the_gateway(bench):
    bench.start_appliance("--gateway", PEER4.split("/", maxsplit=1)[0])
    ip("address", "add", "10.88.0.2/32", "dev", "lo")
    ip("route", "add", f"{BROKER4}/32", "dev", TAP, "src", "10.88.0.2")
    bench.start_worker("echo")
    assert bench.node("echo")["address"].startswith("10.88.0.2:"), bench.node("echo")
    sends(bench, "from afar")


def a_moved_neighbour_is_followed(bench):
    bench.start_appliance()
    # The kernel says so at once when its address moves to another MAC.
    with open(f"/proc/sys/net/ipv4/conf/{TAP}/arp_notify", "w", encoding="ascii") as file:
        file.write("1")
    bench.start_worker("echo")
    sends(bench, "old place")
    ip("link", "set", TAP, "address", "02:00:00:00:77:77")
    wait_until("the worker's answers", 2, lambda: bench.node("echo").get("state") == "up")
    sends(bench, "new place")
    assert bench.node("echo")["state"] == "up"


def its_addresses_are_announced(bench):
    bench.start_on(f"tap:{TAP}")
    # Accepts announcements of hosts it never asked about.
    for name in ("arp_accept",):
        with open(f"/proc/sys/net/ipv4/conf/{TAP}/{name}", "w", encoding="ascii") as file:
            file.write("1")
    ip("address", "add", PEER4, "dev", TAP)
    ip("link", "set", TAP, "up")
    wait_until("an announcement", 5, lambda: mac_of_broker() != "")


run_cases(a_restart_keeps_neighbours_valid, peers_behind_a_router_are_reached_through_the_gateway,
          a_moved_neighbour_is_followed, its_addresses_are_announced)
