#!/usr/bin/env python3
"""The benchmark's results as a picture: how long each case took beside its floor, and the memory
that it took.

    plot.py RESULTS_JSON > speed.svg
"""
import json
import sys
from xml.sax.saxutils import escape

CASES = (("folder", "folder", "convert", ("floor",)),
         ("stored", "stored zip", "convert", ("floor",)),
         ("deflated", "deflated zip", "convert", ("inflate", "sha256", "fsync")),
         ("dist", "torch_dist", "convert", ("floor",)),
         ("ranks", "four ranks", "convert", ("floor",)),
         ("both", "both forms", "convert", ("two",)),
         ("float32", "as float32", "convert", ("double",)),
         ("checked", "verify --source", "verify", ("both",)))
LEFT, WIDTH, ROW, TOP = 120, 380, 40, 46

results = json.load(open(sys.argv[1]))
runs = {(run["input"], run["run"]): run for run in results["medians"]}
rows = []
for case, label, ours, floors in CASES:
    if (case, ours) in runs and all((case, floor) in runs for floor in floors):
        rows.append((label, runs[case, ours]["wall_s"],
                     sum(runs[case, floor]["wall_s"] for floor in floors),
                     runs[case, ours]["peak_mib"]))
scale = WIDTH / max(max(row[1], row[2]) for row in rows)
height = TOP + ROW * len(rows) + 16

print(f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" '
      f'viewBox="0 0 640 {height}" font-family="sans-serif" font-size="12">')
print('<title>megatron2hf beside the floor of the same machine</title>')
print(f'<rect width="640" height="{height}" fill="#ffffff"/>')
for x, color, text in ((LEFT, "#1f6feb", "megatron2hf"), (LEFT + 110, "#b0b8c0", "floor")):
    print(f'<rect x="{x}" y="14" width="12" height="12" fill="{color}"/>'
          f'<text x="{x + 18}" y="24" fill="#222222">{text}</text>')
print('<text x="632" y="24" text-anchor="end" fill="#222222">peak memory</text>')
for index, (label, ours, floor, memory) in enumerate(rows):
    y = TOP + ROW * index
    print(f'<text x="{LEFT - 8}" y="{y + 18}" text-anchor="end" fill="#222222">'
          f'{escape(label)}</text>')
    for offset, seconds, color in ((2, ours, "#1f6feb"), (16, floor, "#b0b8c0")):
        print(f'<rect x="{LEFT}" y="{y + offset}" width="{seconds * scale:.1f}" height="12" '
              f'fill="{color}"/><text x="{LEFT + seconds * scale + 5:.1f}" y="{y + offset + 10}" '
              f'font-size="10" fill="#444444">{seconds:.2f} s</text>')
    print(f'<text x="632" y="{y + 18}" text-anchor="end" fill="#222222">{memory:.0f} MiB</text>')
print("</svg>")
