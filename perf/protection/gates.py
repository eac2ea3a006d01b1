"""What is held against what: limits, and what is read out of a load's time line. Pure."""

import dataclasses
import statistics

GOOD_IN_A_ROW = 5  # intervals, before a load counts as recovered: one may be good by chance


@dataclasses.dataclass(frozen=True)
class Gate:
    """A figure and the most, or the least, that it may be."""
    name: str
    measured: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def held(self):
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def as_json(self):
        return {**dataclasses.asdict(self), "held": self.held}

    def as_line(self):
        relation = ">=" if self.at_least else "<="
        return (f"  {'ok' if self.held else 'MISSED':<6} {self.name:<58} {self.measured:>10.4g} {relation} "
                f"{self.limit:<6.4g} {self.unit}").rstrip()


def lost(results):
    """Nothing may be lost, doubled or wrong in any run, nor in its surge."""
    runs = list(results) + [result["surge"] for result in results if "surge" in result]
    counts = {name: sum(run[name] for run in runs) for name in ("lost", "duplicates", "mismatched")}
    what = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return Gate("tasks lost, doubled or wrong", sum(counts.values()), 0, f"({what})" if what else "")


def cpu_away(results):
    """Of the time, at most: above a hundredth a p99 is partly other processes'."""
    return max(result["cpu_away"] for result in results)


def rejected(result):
    return sum(result["errors"].values())


def median_ratio(pairs):
    """Of what was measured in rounds, each the two things one after the other."""
    return statistics.median(second / first for first, second in pairs)


def worst_before(series, from_s, until_s):
    """The highest p99 of an interval that lies between the two times."""
    return max(each["p99_us"] for each in series if each["from_s"] >= from_s and end_of(each) <= until_s)


def end_of(interval):
    return interval["from_s"] + interval["length_s"]


def recovery_s(series, at_s, p99_max_us):
    """From at_s until the load is as before: nothing refused, and p99 as it may be, in so many intervals in a row.

    None: it did not recover. An interval in which at_s lies belongs to what was before.
    """
    later = [each for each in series if each["from_s"] >= at_s and each["delivered"] > 0]
    good = [each["rejected"] == 0 and each["p99_us"] <= p99_max_us for each in later]
    for first in range(len(good) - GOOD_IN_A_ROW + 1):
        if all(good[first:first + GOOD_IN_A_ROW]):
            return later[first]["from_s"] - at_s
    return None


def errors_until_none(series):
    """(errors up to the first interval without any behind one that had some, seconds that took, errors later)."""
    found = [each for each in series if each["rejected"] > 0]
    if not found:
        return 0, 0.0, 0
    began = found[0]["from_s"]
    quiet = next((each["from_s"] for each in series if each["from_s"] > began and each["rejected"] == 0),
                 end_of(series[-1]))
    return (sum(each["rejected"] for each in found if each["from_s"] < quiet), quiet - began,
            sum(each["rejected"] for each in found if each["from_s"] >= quiet))
