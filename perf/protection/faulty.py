"""One of 16 workers fails each task at once, and draws all who find the others busy; or takes ten times as long."""

from bench import WORKERS, Bench
from gates import Gate, cpu_away, errors_until_none, lost, rejected

LOAD = 0.8
RATE = LOAD * WORKERS * 1000  # tasks of a millisecond
WINDOW = 100  # breaker.window
ERRORS_MAX = 10  # five in a row, and what was under way
SLOW = "4ms"
CLOSED = "[breaker]\nenabled = false\n"


def measure(options, faulty, config):
    with Bench(options, config=config) as bench:
        return bench.open_loop(RATE, "--faulty-workers", faulty, seconds=options.short, warmup=0)


def share_of(result):
    return result["faulty_worker_tasks"] / result["worker_tasks"]


def black_hole(options):
    without, result = measure(options, "fail:1", CLOSED), measure(options, "fail:1", "")
    errors, seconds, later = errors_until_none(result["series"])
    sent_later = sum(each["sent"] for each in result["series"] if each["from_s"] >= seconds)
    figures = {"share_without_breaker": share_of(without), "errors_without_breaker": rejected(without),
               "share": share_of(result), "errors": rejected(result), "errors_until_open": errors,
               "open_after_s_at_most": seconds, "cpu_away": cpu_away([without, result])}
    return figures, [Gate("errors that clients see until its breaker opens", errors, ERRORS_MAX),
                     Gate("its tasks until then, beside one window", result["faulty_worker_tasks"], WINDOW),
                     Gate("its share behind that", later / max(1, sent_later), 1 / WORKERS),
                     lost([without, result])]


def slow(options):
    """A probe fails as well: in a run shorter than breaker.open all of its tasks are those before it opened."""
    without = measure(options, "slow:1:10", CLOSED)
    result = measure(options, "slow:1:10", f'[breaker]\nslow = "{SLOW}"\n')
    figures = {"share_without_breaker": share_of(without), "tasks_without_breaker": without["faulty_worker_tasks"],
               "share": share_of(result), "tasks_until_open": result["faulty_worker_tasks"],
               "p99_us_without_breaker": without["latency_us"]["p99"], "p99_us": result["latency_us"]["p99"],
               "cpu_away": cpu_away([without, result])}
    return figures, [Gate("its tasks until its breaker opens, beside one window", result["faulty_worker_tasks"], WINDOW),
                     Gate("its tasks, of those without a breaker", result["faulty_worker_tasks"] /
                          without["faulty_worker_tasks"], 0.5),
                     Gate("tasks refused", rejected(result), 0),
                     lost([without, result])]
