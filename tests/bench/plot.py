#!/usr/bin/env python3
"""The benchmark's results as pictures.

    plot.py cases RESULTS_JSON > speed.svg      how long each case took beside its floor, and the
                                                memory that it took
    plot.py sizes RESULTS_JSON > sizes.svg      time and memory over the size of the input
"""
import json
import math
import sys
from xml.sax.saxutils import escape

CASES = (("folder", "folder", "convert", "floor"),
         ("stored", "stored zip", "convert", "floor"),
         ("deflated", "deflated zip", "convert", "STREAMING sha256 fsync"),
         ("dist", "torch_dist", "convert", "floor"),
         ("ranks", "four ranks", "convert", "floor"),
         ("both", "both forms", "convert", "two"),
         ("float32", "as float32", "convert", "double"),
         ("disk", "read back from disk", "convert", "disk"),
         ("checked", "verify --source", "verify", "both"))
WIDTH = 640

# Colours for a light page, and for a dark one where the viewer says that it is.
STYLE = """<style>
.page { fill: #ffffff } .text { fill: #222222 } .small { fill: #444444; font-size: 10px }
.ours { fill: #1f6feb } .other { fill: #b0b8c0 } .line { stroke: #1f6feb; fill: none }
.halo { paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
.axis { stroke: #d0d7de } .end { text-anchor: end } .middle { text-anchor: middle }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } .text { fill: #e6edf3 } .small { fill: #b1bac4 }
.ours { fill: #4493f8 } .other { fill: #656c76 } .line { stroke: #4493f8 } .axis { stroke: #3d444d }
.halo { stroke: #0d1117 }
}
</style>"""


def text(x, y, classes, words):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}">{escape(words)}</text>'


def bar(x, y, width, classes):
    return f'<rect x="{x}" y="{y}" width="{width:.1f}" height="12" class="{classes}"/>'


def picture(title, height, lines):
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
          f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">')
    print(f'<title>{escape(title)}</title>\n{STYLE}')
    print(f'<rect width="{WIDTH}" height="{height}" class="page"/>')
    print("\n".join(lines))
    print("</svg>")


def draw_cases(results):
    left, widest, row_height, top = 120, 380, 40, 46
    runs = {(run["input"], run["run"]): run for run in results["medians"]}
    rows = []
    for case, label, ours, floors in CASES:
        floors = floors.replace("STREAMING", results["streaming"]).split()
        rows.append((label, runs[case, ours]["wall_s"],
                     sum(runs[case, floor]["wall_s"] for floor in floors),
                     runs[case, ours]["peak_mib"]))
    scale = widest / max(max(row[1], row[2]) for row in rows)
    lines = []
    for x, color, words in ((left, "ours", "megatron2hf"), (left + 110, "other", "floor")):
        lines += [bar(x, 14, 12, color), text(x + 18, 24, "text", words)]
    lines.append(text(WIDTH - 8, 24, "text end", "peak memory"))
    for index, (label, ours, floor, memory) in enumerate(rows):
        y = top + row_height * index
        lines.append(text(left - 8, y + 18, "text end", label))
        for offset, seconds, color in ((2, ours, "ours"), (16, floor, "other")):
            lines += [bar(left, y + offset, seconds * scale, color),
                      text(left + seconds * scale + 5, y + offset + 10, "small", f"{seconds:.2f} s")]
        lines.append(text(WIDTH - 8, y + 18, "text end", f"{memory:.0f} MiB"))
    picture("megatron2hf beside the floor of the same machine", top + row_height * len(rows) + 16,
            lines)


def round_steps(most):
    """About four round numbers from 0 to at least `most`."""
    power = 10 ** math.floor(math.log10(most / 4))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= most / 4)
    return [step * i for i in range(math.ceil(most / step) + 1)]


def panel(left, title, points, unit, rises):
    """points: (size in GB, value, name), in order of size; both axes begin at 0."""
    top, height, width = 52, 170, 236
    ticks = round_steps(max(value for _, value, _ in points) * 1.05)
    sizes = round_steps(max(size for size, _, _ in points))
    across, up = width / sizes[-1], height / ticks[-1]
    bottom = top + height
    lines = [text(left, 24, "text", title)]
    for value in ticks:
        y = bottom - value * up
        lines += [f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}" class="axis"/>',
                  text(left - 6, y + 4, "small end", f"{value:g}")]
    for size in sizes:
        lines.append(text(left + size * across, bottom + 16, "small middle", f"{size:g}"))
    lines.append(text(left + width, bottom + 32, "small end", "GB of input"))
    lines.append(text(left - 6, top - 12, "small end", unit))
    at = [(left + size * across, bottom - value * up, name) for size, value, name in points]
    lines.append('<polyline points="%s" class="line" stroke-width="1.5"/>' % " ".join(
        f"{x:.1f},{y:.1f}" for x, y, _ in at))
    for i, (x, y, name) in enumerate(at):
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="ours"/>')
        if rises:
            lines.append(text(x + 8, y + 5, "small halo", name))
        else:                       # small models are near each other
            lines.append(text(x - 4, y + (-9 if i % 2 else 17), "small halo", name))
    return lines


def draw_sizes(results):
    rows = sorted((row for row in results["sizes"]
                   if row["run"] == "convert" and " " not in row["size"]),
                  key=lambda row: row["bytes"])
    picture("time and memory over the size of the input", 262, [
        *panel(46, "time of a conversion", [
            (row["bytes"] / 1e9, row["wall_s"], row["size"]) for row in rows], "s", True),
        *panel(376, "peak memory", [
            (row["bytes"] / 1e9, row["peak_mib"], row["size"]) for row in rows], "MiB", False)])


with open(sys.argv[2]) as file:
    {"cases": draw_cases, "sizes": draw_sizes}[sys.argv[1]](json.load(file))
