"""The goal rows as a picture: what each proxy costs, where the best peer of the row is 1.

SVG by hand: a line a row, a dot a proxy at the median of its figures, a thin bar from min to max, a
tick at the goal, a ring at the floor, which is what the kernel costs alone. adit and the floor stand at
their ratios, as in the tables. The scale is logarithmic, less is better. Colours follow the reader's
light or dark.
"""
import math
from html import escape

WIDTH, LEFT, RIGHT, TOP, ROW = 860, 250, 24, 84, 34
LOW, HIGH = 0.05, 16
MARKS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16]
COLOURS = ["#8a63d2", "#2f8f5b", "#b8860b", "#c2477f", "#3f7fbf", "#7d7d3c", "#a0552d", "#5f7a8a"]

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.soft { fill: #656d76 } .title { font-size: 14px; font-weight: 600 }
.grid { stroke: #d0d7de } .one { stroke: #656d76 } .goal { stroke: #656d76; stroke-width: 2 }
.floor { fill: none; stroke: #24292f; stroke-width: 1.5 }
.adit { fill: #d1242f; stroke: #d1242f } .value { fill: #d1242f; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
  .goal { stroke: #9198a1 } .floor { stroke: #e6edf3 } .adit { fill: #ff7b72; stroke: #ff7b72 } .value { fill: #ff7b72 }
}
"""


def x_of(value):
    share = math.log(max(LOW, min(HIGH, value)) / LOW) / math.log(HIGH / LOW)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def text(x, y, words, style="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def dot(y, ratio, colour, name):
    low, mid, high = (x_of(ratio[key]) for key in ("min", "median", "max"))
    is_ours = name == "adit"
    look = 'class="adit"' if is_ours else f'fill="{colour}" stroke="{colour}"'
    return (f'<g {look}><title>{escape(name)}: {ratio["median"]:.2f}</title>'
            f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" opacity="0.6"/>'
            f'<circle cx="{mid:.1f}" cy="{y}" r="{6 if is_ours else 4.5}"/></g>')


def ring(x, y):
    return f'<circle cx="{x:.1f}" cy="{y}" r="4" class="floor"/>'


def legend(names, colours):
    parts, x = [], LEFT
    for name in names:
        look = 'class="adit"' if name == "adit" else f'fill="{colours[name]}"'
        parts.append(f'<circle cx="{x}" cy="48" r="5" {look}/>' + text(x + 9, 52, name))
        x += 24 + 7 * len(name)
    return parts


def row_of(line, y, colours):
    best = line["proxies"][line["ratio"]["to"]]["median"]
    parts = [text(LEFT - 12, y + 4, f"{line['title']}, {line['unit'].replace('CPU ', '')}", anchor="end"),
             f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" class="grid"/>']
    if line["goal"]:
        x = x_of(line["goal"])
        parts.append(f'<line x1="{x:.1f}" y1="{y - 9}" x2="{x:.1f}" y2="{y + 9}" class="goal"/>')
    for name, colour in colours.items():
        if name in line["proxies"]:
            ratio = {key: value / best for key, value in line["proxies"][name].items()}
            parts.append(dot(y, ratio, colour, name))
    ours = line["ratio"]
    parts.append(dot(y, ours, None, "adit"))
    if line["floor_ratio"]:
        parts.append(ring(x_of(line["floor_ratio"]["median"]), y))
    parts.append(text(x_of(ours["median"]), y - 10, f"{ours['median']:.2f}", "value", "middle"))
    return parts


def svg(lines, peers):
    """`lines` as report.summary makes them; `peers` names those that are drawn. "" without a peer."""
    shown = [line for line in lines if line["kind"] == "cost" and line["ratio"] and not line["is_pair"]
             and line["row"] != "storm" and "adit" in line["proxies"]]
    if not shown:
        return ""
    colours = dict(zip(peers, COLOURS * 2))
    bottom = TOP + ROW * len(shown)
    parts = [text(16, 24, "CPU and memory, where the best peer of each row is 1 (less is better)", "title"),
             *legend(["adit", *peers], colours),
             text(16, 52, "upright bar: the goal", "soft")]
    if any(line["floor_ratio"] for line in shown):
        parts += [ring(20, 64), text(30, 68, "the floor: the kernel alone", "soft")]
    for mark in MARKS:
        x = x_of(mark)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 14}" x2="{x:.1f}" y2="{bottom - ROW / 2}" '
                     f'class="{"one" if mark == 1 else "grid"}"/>' + text(x, bottom + 4, f"{mark:g}", "soft", "middle"))
    for number, line in enumerate(shown):
        parts += row_of(line, TOP + 8 + ROW * number, colours)
    height = bottom + 16
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" aria-label="CPU and memory of adit and its peers">\n'
            f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n")
