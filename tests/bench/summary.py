#!/usr/bin/env python3
"""Medians and ratios of what the parts of run.sh noted, as JSON.

    summary.py ROWS_FOLDER > results.json

timing.sh describes the rows.  A ratio is that of two runs in the same round, one after the
other, and then the median of all rounds.
"""
import collections
import glob
import json
import os
import statistics
import sys

# case, the run that is measured, and the runs whose sum it is compared with
PAIRS = (("folder", "convert", "floor"), ("stored", "convert", "floor"),
         ("deflated", "convert", "STREAMING sha256 fsync"), ("dist", "convert", "floor"),
         ("ranks", "convert", "floor"),
         ("both", "convert", "two"), ("float32", "convert", "double"), ("disk", "convert", "disk"),
         ("checked", "verify", "both"),
         ("folder", "convert", "sha256sum"), ("stored", "convert", "sha256sum"),
         ("deflated", "convert", "sha256sum"), ("threads", "j2", "j1"),
         ("345M", "convert", "floor"), ("345M in 8", "convert", "floor"),
         ("1.2B", "convert", "floor"), ("2.5B", "convert", "floor"),
         ("345M in memory", "convert", "floor"), ("1.2B in memory", "convert", "floor"),
         ("2.5B in memory", "convert", "floor"),
         ("slow-folder", "convert", "cat"), ("slow-stored", "convert", "cat"),
         ("slow-deflated", "convert", "cat"),
         ("reference-folder", "theirs", "convert"), ("reference-deflated", "theirs", "convert"))
SIZES = "345M", "345M in 8", "1.2B", "2.5B", "8.3B", "131B, 2 layers"
LINEAR = "345M", "1.2B", "2.5B" # those with one rank


def read_rows(folder):
    """{(case, what): {round: fields}}, {fact: value}, {part: its facts}"""
    runs, facts, parts = collections.defaultdict(dict), {}, {}
    for path in sorted(glob.glob(os.path.join(folder, "*.tsv"))):
        part = parts[os.path.basename(path)[:-4]] = {}
        with open(path) as file:
            for line in file:
                first, *rest = line.rstrip("\n").split("\t")
                if first == "fact":
                    facts[rest[0]] = part[rest[0]] = rest[1]
                elif first != "0":
                    runs[tuple(rest[:2])][first] = [None if field == "-" else float(field)
                                                    for field in rest[2:]]
    return runs, facts, parts


def median(rounds, field):
    values = [fields[field] for fields in rounds.values()]
    return None if None in values else statistics.median(values)


def rounded(value, digits):
    return None if value is None else round(value, digits)


def medians(runs):
    for (case, what), rounds in runs.items():
        if what == "first byte":
            continue
        kibibytes = median(rounds, 2)
        yield {"input": case, "run": what, "wall_s": rounded(median(rounds, 0), 3),
               "cpu_s": rounded(median(rounds, 1), 3),
               "peak_mib": None if kibibytes is None else round(kibibytes / 1024, 1)}


def ratios(runs, streaming):
    for case, ours, others in PAIRS:
        others = others.replace("STREAMING", streaming).split()
        rows = [runs.get((case, what)) for what in [ours, *others]]
        if None in rows:
            continue
        each = [fields[0] / sum(other[round_][0] for other in rows[1:])
                for round_, fields in rows[0].items()]
        first_byte = runs.get((case, "first byte"))
        yield {"input": case, "run": ours, "to": " ".join(others),
               "median": round(statistics.median(each), 3),
               "first_byte_s": first_byte["once"][3] if first_byte else None,
               "each": [round(ratio, 3) for ratio in each]}


def sizes(runs, facts):
    """Seconds for a gigabyte, and memory above that of a program that does nothing."""
    idle = runs.get(("version", "version"))
    for name in SIZES:
        for what in "convert", "verify":
            rounds = runs.get((name, what))
            if not rounds:
                continue
            size = int(facts["bytes " + name])
            wall, peak = median(rounds, 0), median(rounds, 2)
            yield {"size": name, "run": what, "bytes": size, "ranks": int(facts["ranks " + name]),
                   "wall_s": round(wall, 3), "s_per_gb": round(wall / size * 1e9, 3),
                   "peak_mib": round(peak / 1024, 1),
                   "above_idle_mib": round((peak - idle["once"][2]) / 1024, 1)}


def slowest_to_fastest(runs, facts):
    """How much longer a gigabyte takes of one size than of another; 1 would be linear."""
    for place in "", " in memory":
        for what in "convert", "floor":
            pace = [median(runs[name + place, what], 0) / int(facts["bytes " + name])
                    for name in LINEAR if (name + place, what) in runs]
            if len(pace) == len(LINEAR):
                yield {"place": place.strip(), "run": what, "ratio": round(max(pace) / min(pace), 3),
                       "s_per_gb": [round(1e9 * some, 3) for some in pace]}


def calls(facts):
    for name, value in facts.items():
        if name.startswith("calls "):
            _, case, kind = name.split()
            count, size = map(int, value.split())
            yield {"input": case, "kind": kind, "count": count,
                   "mean_bytes": size // count if count else None}


def main(folder):
    runs, facts, parts = read_rows(folder)
    by_size = list(sizes(runs, facts))
    json.dump({
        "machine": {name: facts[name] for name in ("cpu", "kernel", "filesystem")} |
                   {"cores": int(facts["cores"]), "sha": facts["sha"] == "yes"},
        "parts": {name: {"date": part["date"], "rounds": int(part["rounds"])}
                  for name, part in parts.items() if "date" in part},
        "input_bytes": int(facts["bytes in"]),
        "deflated_percent": float(facts["deflated percent"]),
        "streaming": facts.get("streaming"), "sha256sum": facts.get("sha256sum"),
        "rate": int(facts["rate"]) if "rate" in facts else None,
        "reference": facts.get("reference"),
        "medians": list(medians(runs)),
        "ratios": list(ratios(runs, facts.get("streaming", "-"))),
        "sizes": by_size,
        "slowest_to_fastest": list(slowest_to_fastest(runs, facts)),
        "calls": list(calls(facts))}, sys.stdout, indent=1)
    print()


main(sys.argv[1])
