"""The comparison as an SVG picture: bars on a logarithmic axis, one panel an arrangement, for light and dark pages."""

import math
from xml.sax.saxutils import escape

WIDTH, MARGIN = 880, 20
LABEL_WIDTH, FIGURE_WIDTH = 270, 170
ROW, BAR = 30, 18
PANEL_HEAD, PANEL_FOOT = 50, 34

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .note, .tick { font-size: 11px; fill: #59636e }
  .ours { fill: #0969da } .peer { fill: #a0a8b2 } .grid { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note, .tick { fill: #9198a1 }
    .ours { fill: #4493f8 } .peer { fill: #656c76 } .grid { stroke: #3d444d }
  }
"""


def short(value):
    """1234567 as 1.23 M."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def duration(us):
    if us < 1e3:
        return f"{us:.0f} µs"
    return f"{us / 1e3:.1f} ms" if us < 1e4 else f"{us / 1e3:.0f} ms"


class Axis:
    """Decades from below the least value to above the greatest."""

    def __init__(self, values):
        self.low = math.floor(math.log10(min(values) * 0.7))
        self.high = math.log10(max(values) * 1.15)
        self.x0 = MARGIN + LABEL_WIDTH
        self.width = WIDTH - self.x0 - FIGURE_WIDTH - MARGIN

    def x(self, value):
        return self.x0 + self.width * (math.log10(value) - self.low) / (self.high - self.low)

    def ticks(self):
        return [10 ** power * step for power in range(self.low, math.ceil(self.high)) for step in (1, 3)
                if math.log10(10 ** power * step) <= self.high]


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def panel(top, title, note, rows, axis):
    """rows: (name, transport, requests a second, p50 in us), best first."""
    bottom = top + PANEL_HEAD + ROW * len(rows)
    parts = [text(MARGIN, top + 18, title, "title"), text(MARGIN, top + 36, note, "note")]
    for value in axis.ticks():
        x = axis.x(value)
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{top + PANEL_HEAD}" y2="{bottom}" class="grid"/>')
        parts.append(text(x, bottom + 14, f"{short(value)}/s", "tick", "middle"))
    for i, (name, transport, rate, p50_us) in enumerate(rows):
        y = top + PANEL_HEAD + ROW * i + (ROW - BAR) / 2
        kind = "ours" if name == "mcplane" else "peer"
        width = axis.x(rate) - axis.x0
        parts.append(f'<rect x="{axis.x0}" y="{y:.0f}" width="{width:.0f}" height="{BAR}" rx="3" class="{kind}"/>')
        parts.append(f'<text x="{axis.x0 - 8}" y="{y + 14:.0f}" text-anchor="end">{escape(name)}'
                     f'<tspan class="note" dx="4">· {escape(transport)}</tspan></text>')
        parts.append(text(axis.x0 + width + 8, y + 14, f"{short(rate)}/s · p50 {duration(p50_us)}"))
    return parts, bottom + PANEL_FOOT


def draw(panels):
    """panels: (title, note, rows) each. The whole picture as text."""
    axis = Axis([row[2] for _, _, rows in panels for row in rows])
    parts, top = [], MARGIN
    for title, note, rows in panels:
        drawn, top = panel(top, title, note, sorted(rows, key=lambda row: -row[2]), axis)
        parts += drawn
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}">',
        f"<style>{STYLE}</style>", *parts, "</svg>", ""])
