"""What the comparison says: a table, one JSON object, a picture."""

import picture
from rounds import MANY, SINGLE

OURS = "vhost-user to virtio-user"  # mcplane's row that the others are held against


def ours_divided_by(rows, arrangement_name, rate):
    """mcplane's rate on virtio over another's; None when it was not measured."""
    for one, arrangement, median in rows:
        if one.name == "mcplane" and one.transport == OURS and arrangement.name == arrangement_name:
            return median["rate_per_s"] / rate if rate else None
    return None


def as_table(rows):
    lines = []
    for name in (MANY, SINGLE):
        lines.append(f"{name:<44} {'window':>6} {'requests/s':>11} {'p50':>8} {'p99':>8} {'CPU s/1M':>9} "
                     f"{'broker':>7} {'load':>5} {'mcplane is':>10}")
        for one, arrangement, median in sorted(rows, key=lambda row: -row[2]["rate_per_s"]):
            if arrangement.name != name:
                continue
            ratio = ours_divided_by(rows, name, median["rate_per_s"])
            p50, p99 = (picture.duration(median["latency_us"][which]) for which in ("p50", "p99"))
            lines.append(
                f"  {f'{one.name}, {one.transport}':<42} {arrangement.in_flight:>6} {median['rate_per_s']:>11,.0f} "
                f"{p50:>8} {p99:>8} "
                f"{median['broker_cpu_s_per_million']:>9.2f} {median['broker_busy']:>7.0%} {median['load_busy']:>5.0%} "
                f"{f'{ratio:.2f} x' if ratio else '':>10}")
        lines.append("")
    return "\n".join(lines)


def as_json(options, rows, faults):
    return {
        "payload_bytes": options.payload, "workers": options.workers, "rounds": options.rounds,
        "seconds": options.seconds, "faults": faults,
        "rows": [{"broker": one.name, "transport": one.transport, "arrangement": arrangement.name,
                  "clients": arrangement.clients, "window": arrangement.window, **median,
                  "mcplane_is": ours_divided_by(rows, arrangement.name, median["rate_per_s"])}
                 for one, arrangement, median in rows]}


def as_picture(rows):
    def panel(name, note):
        return (name, note, [(one.name, one.transport, median["rate_per_s"], median["latency_us"]["p50"])
                             for one, arrangement, median in rows
                             if arrangement.name == name and median["rate_per_s"] > 0])
    return picture.draw([
        panel(MANY, "requests a second through one broker core (log scale), 256 bytes each way, at its best window"),
        panel(SINGLE, "the same; nothing to coalesce on a client's side")])
