#!/usr/bin/env python3
"""What /metrics says of a live appliance is well formed, and what everybody else counted."""

import json
import os
import re
import subprocess

from bench import need_tool, run_cases, wait_until

MONITORING = os.path.join(os.path.dirname(__file__), "..", "..", "scripts", "monitoring")
NAME = re.compile(r"\b(?:mcplane|process)_[a-z0-9_]+")
PARTS_OF_HISTOGRAMS = re.compile(r"_(?:bucket|sum|count)$")


def scrape(bench):
    """Values by series, as they are written."""
    text = bench.ask("/metrics")
    assert text.endswith("\n"), text[-200:]
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}


def total(series, family, **labels):
    wanted = {f'{name}="{value}"' for name, value in labels.items()}
    found = [value for name, value in series.items()
             if name.split("{")[0] == family and wanted <= set(re.findall(r'\w+="[^"]*"', name))]
    assert found, (family, labels)
    return sum(found)


def promtool(*arguments, given=None):
    need_tool("promtool")
    done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "FAILED" not in done.stdout, done.stdout + done.stderr
    return done.stdout + done.stderr


def figures_are_those_of_both_sides(bench):
    bench.start_appliance("--max-queued", "64")
    bench.start_worker("one", slots=2)
    # More than two slots and 64 places take: some are refused.
    load = bench.load("--clients", "16", "--window", "32", "--warmup", "0s", "--duration", "1s", "--ttl", "20s")
    # Once all clients have said that their answers came.
    wait_until("quiet", 5, lambda: total(scrape(bench), "mcplane_tasks_in_state") == 0)
    assert promtool("check", "metrics", given=bench.ask("/metrics")) == ""
    series, info, later = scrape(bench), bench.info(), scrape(bench)

    assert load["errors"] and load["delivered"], load
    assert total(series, "mcplane_tasks_received_total") == load["sent"], load
    assert total(series, "mcplane_tasks_received_total", action="generate") == load["sent"], load
    assert total(series, "mcplane_tasks_completed_total", outcome="result") == load["delivered"], load
    assert total(series, "mcplane_tasks_completed_total", outcome="rejected") == sum(load["errors"].values()), load
    assert total(series, "mcplane_tasks_completed_total") == load["sent"], load

    # Heartbeats, and what the kernel says to everybody, go on.
    for family, counted in (("mcplane_frames_received_total", info["frames"]["received"]),
                            ("mcplane_frames_sent_total", info["frames"]["sent"]),
                            ("mcplane_frames_dropped_total", sum(info["drops"].values()))):
        assert total(series, family) <= counted <= total(later, family), (family, counted)
    assert total(series, "mcplane_rejects_sent_total") == info["tasks"]["rejected"], info["tasks"]
    assert total(series, "mcplane_packet_buffers") == info["buffers"]["total"]
    assert total(series, "mcplane_worker_slots", worker="one") == 2
    assert total(series, "mcplane_worker_inflight_tasks", worker="one") == 0
    assert total(series, "mcplane_sessions", service="worker") == 1

    # Every task that was taken waited, took its time and was answered; the client's time is the longer one.
    for family in "queue_duration", "broker_overhead", "task_duration":
        assert series[f"mcplane_{family}_seconds_count"] == load["delivered"], (family, load["delivered"])
        buckets = [value for name, value in series.items() if name.startswith(f"mcplane_{family}_seconds_bucket")]
        assert buckets == sorted(buckets) and buckets[-1] == load["delivered"], (family, buckets)
    seconds = {family: series[f"mcplane_{family}_seconds_sum"] for family in
               ("queue_duration", "broker_overhead", "task_duration")}
    assert 0 < seconds["broker_overhead"] and seconds["queue_duration"] < seconds["task_duration"], seconds
    mean_us = 1e6 * seconds["task_duration"] / load["delivered"]
    assert mean_us < load["latency_us"]["mean"] * 1.05, (mean_us, load["latency_us"])


def breakers_routes_and_process_are_there(bench):
    appliance = bench.start_appliance()
    bench.start_worker("only")
    node = bench.node("only")["node_id"]
    before = scrape(bench)
    assert total(before, "mcplane_breaker_state", worker="only", state="closed") == 1
    assert total(before, "mcplane_route_without_workers", action="generate") == 0
    done = bench.run("mcplane-ctl", "breaker", "force-open", node, "--admin", bench.admin)
    assert done.returncode == 0, done.stderr
    after = scrape(bench)
    assert total(after, "mcplane_breaker_state", worker="only", state="open") == 1
    assert total(after, "mcplane_route_without_workers", action="generate") == 1
    assert 1e6 < after["process_resident_memory_bytes"] < 1e10
    assert after["process_open_fds"] >= len(os.listdir(f"/proc/{appliance.pid}/fd")) - 2
    assert after["process_cpu_seconds_total"] > 0
    assert 0 < after["mcplane_heap_allocated_bytes"] <= after["mcplane_heap_active_bytes"]
    assert total(after, "mcplane_port_link_up") == 1
    assert total(after, "mcplane_core_loops_total") > 0


def names_of(expression):
    """The metrics that a query names."""
    return {PARTS_OF_HISTOGRAMS.sub("", name) for name in NAME.findall(re.sub(r"instance:\w+:\w+", "", expression))}


def what_dashboard_and_rules_name_exists(bench):
    with open(os.path.join(MONITORING, "grafana.json"), encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    with open(os.path.join(MONITORING, "mcplane.rules.yml"), encoding="utf-8") as file:
        # Without comments and annotations, which name what a person may look at; that has to exist too.
        queries += [line for line in file if not line.lstrip().startswith(("#", "- record:"))]
    assert len(queries) > 50
    config = os.path.join(bench.folder, "mcplane.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write('[[route]]\naction = "generate"\ndegrade = ["reply"]\nreply = "later"\n')
    bench.start_appliance("--config", config)
    bench.start_worker("one")
    families = set(re.findall(r"^# TYPE (\S+)", bench.ask("/metrics"), re.MULTILINE))
    with_series = {PARTS_OF_HISTOGRAMS.sub("", name.split("{")[0]) for name in scrape(bench)}
    assert families == with_series, families ^ with_series
    named = set().union(*map(names_of, queries))
    assert len(named) > 30 and named <= families, named - families


run_cases(figures_are_those_of_both_sides, breakers_routes_and_process_are_there, what_dashboard_and_rules_name_exists)
