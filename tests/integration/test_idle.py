#!/usr/bin/env python3
"""What --idle sleep costs and saves: CPU time of an appliance without load, and how late a first frame is then.

Late is what the median of ten tasks a second takes longer than beside --idle poll. Both figures are the best of up to six:
they are the host's too.
"""

import os
import time

from bench import BROKER4, PEER4, Skip, run_cases

CPU_SHARE_MAX = 0.05
ADDED_US_MAX = 100
ATTEMPTS_MAX = 8
IDLE_S = 5
SEEN_BY_US_MAX = 1_000  # a core that nobody rouses looks up every 4 ms
SPARSE = ("--rate", "10/s", "--clients", "1", "--warmup", "1s")


def cpu_s(process):
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime


def idle_share(process):
    """Of one CPU, all threads."""
    before = cpu_s(process)
    time.sleep(IDLE_S)
    return (cpu_s(process) - before) / IDLE_S


def best(attempt, limit):
    """The least of up to ATTEMPTS_MAX figures; stops at the first below the limit."""
    figures = [attempt()]
    while figures[-1] >= limit and len(figures) < ATTEMPTS_MAX:
        figures.append(attempt())
    print(f"  {', '.join(f'{figure:.4g}' for figure in figures)}", flush=True)
    return min(figures)


def need_two_cpus():
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip("needs a CPU for the appliance and another for the load")


def p50_us(bench, seconds, over=None):
    return bench.load(*SPARSE, "--duration", f"{seconds}s", over=over)["latency_us"]["p50"]


def sleeps_on_tap(bench):
    need_two_cpus()

    def added_us():
        medians = []
        for mode in ("poll", "sleep"):
            appliance = bench.start_appliance("--idle", mode)
            worker = bench.start_worker("echo")
            medians.append(p50_us(bench, 5))
            bench.end(worker)
            bench.end(appliance)
        return medians[1] - medians[0]

    assert best(added_us, ADDED_US_MAX) < ADDED_US_MAX
    appliance = bench.start_appliance("--idle", "sleep")
    bench.start_worker("echo")
    client = bench.start_load("--rate", "0.2/s", "--clients", "1")
    assert best(lambda: idle_share(appliance), CPU_SHARE_MAX) < CPU_SHARE_MAX
    (shard,) = bench.info()["per_shard"]
    assert shard["asleep_ms"] > 0.9 * IDLE_S * 1000, shard
    assert bench.node("echo")["state"] == "up", "asleep is not silence of its peers"
    bench.end_load(client)
    # And wide awake when there is work.
    assert bench.load("--clients", "8", "--window", "16", "--duration", "1s", "--warmup", "0s")["delivered"] > 1_000


def over_virtio(bench, path):
    return ("--workers", "1", "--port", f"virtio:{path}", "--ip", PEER4, "--broker", BROKER4, "--core",
            str(min(bench.other_cpus)))


def sleeps_on_vhost(bench):
    need_two_cpus()

    def added_us():
        medians = []
        for mode in ("poll", "sleep"):
            path = os.path.join(bench.folder, f"{mode}.sock")
            appliance = bench.start_on(f"vhost:{path}", "--idle", mode)
            # Twice: the second peer's signals must come as well.
            p50_us(bench, 1, over_virtio(bench, path))
            medians.append(p50_us(bench, 5, over_virtio(bench, path)))
            bench.end(appliance)
        return medians[1] - medians[0]

    assert best(added_us, ADDED_US_MAX) < ADDED_US_MAX
    path = os.path.join(bench.folder, "idle.sock")
    appliance = bench.start_on(f"vhost:{path}", "--idle", "sleep")
    assert best(lambda: idle_share(appliance), CPU_SHARE_MAX) < CPU_SHARE_MAX


def a_sleeping_core_sees_what_another_hands_over(bench):
    """One queue pair for two cores: whatever the second core does came from the first, and leaves through it."""
    need_two_cpus()
    path = os.path.join(bench.folder, "two.sock")
    bench.start_on(f"vhost:{path},queues=1", "--shards", "2", "--idle", "sleep")
    over = over_virtio(bench, path)
    assert best(lambda: bench.load("--rate", "20/s", "--clients", "2", "--warmup", "1s", "--duration", "3s",
                                   over=over)["latency_us"]["p90"], SEEN_BY_US_MAX) < SEEN_BY_US_MAX
    info = bench.info()
    assert info["frames"]["relayed"] > 20 and info["frames"]["handed_off"] > 20, info["frames"]


def ports_without_interrupts_nap(bench):
    need_two_cpus()
    path = os.path.join(bench.folder, "memif.sock")
    appliance = bench.start_on(f"memif:{path}", "--idle", "sleep")
    assert best(lambda: idle_share(appliance), 0.5) < 0.5
    over = ("--workers", "1", "--port", f"memif:{path}", "--ip", PEER4, "--broker", BROKER4, "--core",
            str(min(bench.other_cpus)))
    assert bench.load("--tasks", "5000", "--clients", "4", "--duration", "20s", "--warmup", "0s",
                      over=over)["delivered"] == 5000
    assert len(bench.log_of(appliance).splitlines()) < 20, bench.log_of(appliance)


run_cases(sleeps_on_tap, sleeps_on_vhost, a_sleeping_core_sees_what_another_hands_over, ports_without_interrupts_nap)
