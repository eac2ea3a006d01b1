"""A new configuration every 100 ms under load, by SIGHUP: it costs no task, and who waits notices nothing."""

import json
import signal
import time

from bench import WARMUP_S, WORKERS, Bench, rig
from gates import Gate, cpu_away, lost, rejected

RATE = 0.8 * WORKERS * 1000  # tasks of a millisecond
EVERY_S = 0.1
P99_TIMES_MAX = 1.2
APPLIED_SHARE_MIN = 0.9
TEXTS = ['[breaker]\nopen = "30s"\n[[route]]\naction = "generate"\nrate = "1M/s"\n',
         '[breaker]\nopen = "31s"\n[[route]]\naction = "generate"\nrate = "2M/s"\npolicy = "power-of-two"\n'
         '[[route]]\naction = "embed"\npolicy = "round-robin"\n']


def generation(bench):
    return json.loads(rig.admin_client.ask(bench.admin, "/v1/config"))["generation"]


def reload_for(bench, seconds):
    """How many were asked for; two at once would be one."""
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        bench.configure(TEXTS[count % 2])
        bench.appliance.send_signal(signal.SIGHUP)
        count += 1
        time.sleep(EVERY_S)
    return count


def run(options):
    flags = ("--rate", f"{RATE:.0f}/s", "--poisson")
    with Bench(options, config=TEXTS[1]) as bench:
        quiet = bench.run(*flags, seconds=max(options.short, options.seconds // 2))
        first = generation(bench)
        load = bench.start(*flags, seconds=options.seconds)
        asked = reload_for(bench, options.seconds + WARMUP_S)
        _, result = bench.result_of(load)
        applied = generation(bench) - first
    p99s = [each["latency_us"]["p99"] for each in (quiet, result)]
    figures = {"asked": asked, "generations": applied, "seconds": options.seconds + WARMUP_S,
               "sent": result["sent"], "p99_us_without": p99s[0], "p99_us": p99s[1], "cpu_away": cpu_away([quiet])}
    return figures, [Gate("generations applied, of those asked for", applied / asked, APPLIED_SHARE_MIN, at_least=True),
                     Gate("tasks refused", rejected(result), 0),
                     Gate("p99, over that without", p99s[1] / p99s[0], P99_TIMES_MAX), lost([quiet, result])]
