"""The table as an SVG picture: one panel a service time and number of slots, p99 over the ideal's by network delay."""

from xml.sax.saxutils import escape

PANEL_WIDTH, PANEL_HEIGHT, HEAD, FOOT, LEFT, RIGHT = 290, 190, 46, 44, 44, 14
MARGIN, LEGEND_ROW, TITLE = 16, 20, 34
AXIS_MAX = 3.0  # above it a bar is cut, and says so
COLOURS = 8

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 } .panel { font-weight: 600 }
  .note, .tick { font-size: 11px; fill: #59636e } .grid { stroke: #d1d9e0 } .ideal { stroke: #1f2328 }
  .unstable { fill: none; stroke: #cf222e; stroke-dasharray: 3 2 } .bad { font-size: 11px; fill: #cf222e }
  .c0 { fill: #a0a8b2 } .c1 { fill: #0969da } .c2 { fill: #54aeff } .c3 { fill: #8250df } .c4 { fill: #bf8700 }
  .c5 { fill: #1a7f37 } .c6 { fill: #bc4c00 } .c7 { fill: #bf3989 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note, .tick { fill: #9198a1 } .grid { stroke: #3d444d } .ideal { stroke: #f0f6fc }
    .c0 { fill: #656c76 } .c1 { fill: #4493f8 } .c2 { fill: #a5d6ff } .bad { fill: #f85149 }
  }
"""


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def bar(x, width, base, scale, cell, kind):
    """From the ideal's height; an unstable one is a dashed box of full height."""
    if not cell["stable"]:
        top = base - scale * AXIS_MAX
        middle = x + width / 2
        return [f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{base - top:.1f}" class="unstable"/>',
                f'<text x="0" y="0" class="bad" text-anchor="middle" '
                f'transform="translate({middle + 4:.1f} {(top + base) / 2:.1f}) rotate(-90)">unstable</text>']
    height = scale * min(cell["p99_ratio"], AXIS_MAX)
    return [f'<rect x="{x:.1f}" y="{base - height:.1f}" width="{width:.1f}" height="{height:.1f}" class="{kind}"/>']


def panel(left, top, title, by_delay, names):
    """by_delay: the cells of one service time and number of slots, a list a delay, in the order of `names`."""
    base, scale = top + HEAD + PANEL_HEIGHT, PANEL_HEIGHT / (AXIS_MAX + 0.2)
    right = left + LEFT + PANEL_WIDTH
    parts = [text(left + LEFT, top + 22, title, "panel")]
    for tick in (0, 1, 2, 3):
        y = base - scale * tick
        parts.append(f'<line x1="{left + LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" '
                     f'class="{"ideal" if tick == 1 else "grid"}"/>')
        parts.append(text(left + LEFT - 6, y + 4, f"{tick} x", "tick", "end"))
    group = PANEL_WIDTH / len(by_delay)
    for i, (delay, cells) in enumerate(sorted(by_delay.items())):
        width = (group - 14) / len(names)
        for cell in cells:
            place = names.index(label(cell))
            parts += bar(left + LEFT + group * i + 7 + width * place, width - 3, base, scale, cell,
                         f"c{place % COLOURS}")
        parts.append(text(left + LEFT + group * (i + 0.5), base + 16, f"delay {delay:g}", "tick", "middle"))
    return parts


def label(cell):
    shards = f", {cell['shards']} shards" if cell["shards"] > 1 else ""
    return cell["scheduler"] + shards


def draw(cells):
    """One and the most shards of each scheduler. The whole picture as text."""
    most = max(cell["shards"] for cell in cells)
    cells = [cell for cell in cells if cell["shards"] in (1, most)]
    names = list(dict.fromkeys(label(cell) for cell in cells))
    panels = {}
    for cell in cells:
        panels.setdefault((cell["slots"], cell["service"]), {}).setdefault(cell["delay"], []).append(cell)
    columns = len({service for _, service in panels})
    step_x, step_y = LEFT + PANEL_WIDTH + RIGHT, HEAD + PANEL_HEIGHT + FOOT
    width = 2 * MARGIN + columns * step_x
    parts = [text(MARGIN, 26, "p99 over that of the ideal queue, 16 workers at 80 % load", "title"),
             text(MARGIN, 44, "delay: one way, in mean service times; the ideal has the same delays; figures are in the table", "note")]
    top = TITLE + 20
    for i, name in enumerate(names):
        parts.append(f'<rect x="{MARGIN}" y="{top + LEGEND_ROW * i}" width="12" height="12" class="c{i % COLOURS}"/>')
        parts.append(text(MARGIN + 18, top + LEGEND_ROW * i + 10, name))
    top += LEGEND_ROW * len(names)
    for i, ((slots, service), by_delay) in enumerate(panels.items()):
        title = f"{service}, {slots} slot{'s' if slots > 1 else ''} a worker"
        parts += panel(MARGIN + step_x * (i % columns), top + step_y * (i // columns), title, by_delay, names)
    height = top + step_y * (len(panels) // columns) + MARGIN
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<style>{STYLE}</style>", *parts, "</svg>", ""])
