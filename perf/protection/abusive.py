"""Ten clients share the workers at 90 % load; then one of them sends ten times its share. What do the others see?"""

from bench import Bench
from gates import Gate, cpu_away, lost, median_ratio, rejected

OTHERS = 9
LOAD = 0.9
TIMES = 10
ROUNDS = 3
RISE_MAX = 0.1
REFUSED_MAX = 0.01  # of theirs: the line stands, so whoever has a few waiting at once may be refused as well


def run(options):
    fair_runs, greedy_runs = [], []
    with Bench(options) as bench:
        share = LOAD * bench.capacity(options.short) / (OTHERS + 1)
        for seed in range(1, ROUNDS + 1):
            for runs, times in (fair_runs, 1), (greedy_runs, TIMES):
                runs.append(bench.open_loop(OTHERS * share, "--clients", str(OTHERS), "--surge-clients", "1",
                                            "--surge-rate", f"{times * share:.0f}/s", "--seed", str(10 * seed),
                                            seconds=options.short))
    refused, sent = (sum(of_run(each) for each in greedy_runs) for of_run in (rejected, lambda each: each["sent"]))
    p99s = [tuple(each["latency_us"]["p99"] for each in pair) for pair in zip(fair_runs, greedy_runs)]
    figures = {"share_per_s": share, "others_p99_us": {"fair": [p99 for p99, _ in p99s],
                                                       "beside the greedy one": [p99 for _, p99 in p99s]},
               "greedy_offered_per_s": [each["surge"]["offered_rate_per_s"] for each in greedy_runs],
               "greedy_answered_per_s": [each["surge"]["achieved_rate_per_s"] for each in greedy_runs],
               "greedy_rejected": [rejected(each["surge"]) for each in greedy_runs],
               "others_rejected": [each["errors"] for each in greedy_runs],
               "cpu_away": cpu_away(fair_runs + greedy_runs)}
    return figures, [Gate("rise of the others' p99", median_ratio(p99s) - 1, RISE_MAX),
                     Gate("tasks of the others refused, of all", refused / sent, REFUSED_MAX),
                     lost(fair_runs + greedy_runs)]
