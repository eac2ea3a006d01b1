"""Twice and ten times as many tasks as the workers can do: what is answered, how fast the rest is refused, and how soon
all is as before once the load is gone."""

from bench import CLIENTS, WARMUP_S, Bench
from gates import Gate, cpu_away, lost, recovery_s, rejected, worst_before

TIMES = {2: 0.95, 10: 0.90}  # the capacity, and what of it must be answered
NEAR_FULL, AFTERWARDS = 0.9, 0.8  # of capacity
P99_TIMES_MAX = 2
REJECT_P99_MAX_MS = 1
RECOVERY_MAX_S = 1
BEFORE_S, BEHIND_S = 5, 6
NEVER_S = 1e9


def recover(bench, capacity, times, seconds):
    """(run at 80 %, on top of which others make it `times` the capacity for a while; when those ended)."""
    end_s = WARMUP_S + BEFORE_S + seconds
    result = bench.open_loop(AFTERWARDS * capacity, "--surge-rate", f"{(times - AFTERWARDS) * capacity:.0f}/s",
                             "--surge-clients", str(CLIENTS), "--surge-after", f"{WARMUP_S + BEFORE_S}s",
                             "--surge-for", f"{seconds}s", seconds=BEFORE_S + seconds + BEHIND_S)
    return result, end_s


def figures_of(result):
    return {"offered_per_s": result["offered_rate_per_s"], "answered_per_s": result["achieved_rate_per_s"],
            "p99_us": result["latency_us"]["p99"], "rejected": rejected(result),
            "reject_p50_us": result["reject_latency_us"]["p50"], "reject_p99_us": result["reject_latency_us"]["p99"]}


def run(options):
    with Bench(options) as bench:
        capacity = bench.capacity(options.short)
        near_full = bench.open_loop(NEAR_FULL * capacity, seconds=options.seconds)
        overloads = {times: bench.open_loop(times * capacity, seconds=options.seconds) for times in TIMES}
        recoveries = {times: recover(bench, capacity, times, max(4, options.seconds // 3)) for times in TIMES}
    figures = {"capacity_per_s": capacity, "at 90 %": figures_of(near_full)}
    gates = []
    for times, goodput_min in TIMES.items():
        result = overloads[times]
        figures[f"{times} x"] = figures_of(result)
        gates += [Gate(f"{times} x: answered, of capacity", result["achieved_rate_per_s"] / capacity, goodput_min,
                       at_least=True),
                  Gate(f"{times} x: p99 of what is answered, over that at 90 %",
                       result["latency_us"]["p99"] / near_full["latency_us"]["p99"], P99_TIMES_MAX),
                  Gate(f"{times} x: p99 from SEND to REJECT", result["reject_latency_us"]["p99"] / 1000,
                       REJECT_P99_MAX_MS, "ms")]
        after, end_s = recoveries[times]
        before_us = worst_before(after["series"], WARMUP_S, WARMUP_S + BEFORE_S)
        seconds = recovery_s(after["series"], end_s, before_us)
        figures[f"after {times} x"] = {"recovery_s": seconds, "p99_before_us": before_us}
        gates.append(Gate(f"{times} x: until all is as before", NEVER_S if seconds is None else seconds,
                          RECOVERY_MAX_S, "s"))
    runs = [near_full, *overloads.values(), *(after for after, _ in recoveries.values())]
    figures["cpu_away"] = cpu_away(runs)
    return figures, gates + [lost(runs)]
