#!/usr/bin/env python3
"""The README's section "Speed", from the benchmark's results.

    speed.py RESULTS_JSON               prints it
    speed.py RESULTS_JSON README        puts it there
"""
import json
import re
import sys

with open(sys.argv[1]) as file:
    results = json.load(file)
runs = {(run["input"], run["run"]): run for run in results["medians"]}
ratios = {(ratio["input"], ratio["to"]): ratio for ratio in results["ratios"]}
calls = {(row["input"], row["kind"]): row for row in results["calls"]}
LIBRARIES = {"isal": "ISA-L", "zlib": "zlib", "libdeflate": "libdeflate"}
streaming = LIBRARIES.get(results["streaming"], "-")

CASES = (("folder", "folder", "F", "floor"), ("stored", "stored zip", "F", "floor"),
         ("deflated", "deflated zip", "%s's inflate alone, SHA-256 of the output, fsync" % streaming,
          "%s sha256 fsync" % results["streaming"]),
         ("dist", "torch_dist folder, 4 files", "F", "floor"),
         ("ranks", "folder of 4 ranks", "F", "floor"),
         ("both", "folder, `--weights both`", "F with two files written, a thread for each", "two"),
         ("float32", "folder, `--dtype float32`", "F with twice the bytes written", "double"),
         ("disk", "folder, `--read-back disk`", "F with the file out of the cache before it is read back",
          "disk"),
         ("checked", "`verify --source`, directory and folder",
          "SHA-256 of both sides, a thread for each", "both"))


def wall(case, what):
    return "%.2f s" % runs[case, what]["wall_s"]


def ratio_of(case, to):
    return "%.2f" % ratios[case, to]["median"]


def together(case, to):
    return "%.2f s" % sum(runs[case, part]["wall_s"] for part in to.split())


def of_rounds(part):
    count = results["parts"][part]["rounds"]
    return "medians of %d rounds" % count if count > 1 else "one round"


def cases():
    machine = results["machine"]
    cpu = re.sub(r"\(R\)|\(TM\)| Processor| CPU.*", "", machine["cpu"])
    yield ("`make bench`, %s, %d cores of an %s (%sSHA extensions, %s, %s), %.1f MB of fp16 weights "
           "that deflate to %.1f %%, warm cache, %s. F is the floor: a program that reads and hashes "
           "the input in one thread, and in another writes as many bytes, reads them back with SHA-256 "
           "and syncs them. Of both, as of all that stands in the table, the faster of two runs in each "
           "round counts, and each finds the memory for its output where another just had it: this virtual "
           "machine hands free memory back to its host, and waiting for it takes up to two seconds." % (
               results["parts"]["rounds"]["date"], machine["cores"], cpu,
               "" if machine["sha"] else "no ", " ".join(re.findall(r"^\w+ \d+\.\d+", machine["kernel"])),
               machine["filesystem"],
               results["input_bytes"] / 1e6, results["deflated_percent"], of_rounds("rounds")))
    yield ""
    yield "| input | megatron2hf | against | ratio | peak memory |"
    yield "|---|---:|---|---:|---:|"
    for case, label, against, to in CASES:
        ours = runs[case, ratios[case, to]["run"]]
        yield "| %s | %.2f s | %s: %s | %s | %.1f MiB |" % (
            label, ours["wall_s"], against, together(case, to), ratio_of(case, to), ours["peak_mib"])
    yield ""
    yield "![bars: megatron2hf beside the floor](tests/bench/speed.svg)"
    yield ""
    yield ("For comparison: coreutils' `sha256sum` (%s) of the input takes %s, so the conversion of the "
           "folder takes %s and that of the stored zip %s of the time that hashing alone takes there; "
           "`cp` (not synced) takes %s. Inflating alone takes %s. `inspect` of these inputs takes %.0f "
           "to %.0f ms; the first line of `convert` comes after %.0f ms." % (
               results["sha256sum"], wall("folder", "sha256sum"), ratio_of("folder", "sha256sum"),
               ratio_of("stored", "sha256sum"), wall("folder", "cp"),
               ", ".join("%s with %s%s" % (wall("deflated", library), name,
                                           " (the whole member at once)" * (name == "libdeflate"))
                         for library, name in LIBRARIES.items() if ("deflated", library) in runs),
               1e3 * min(inspections()), 1e3 * max(inspections()),
               1e3 * ratios["folder", "floor"]["first_byte_s"]))


def inspections():
    return [run["wall_s"] for (_, what), run in runs.items() if what == "inspect"]


def seconds(case, what):
    return runs[case, what]["wall_s"]


def threads():
    yield ("**Threads**: on the folder, `-j2` takes %s of the time of `-j1` (%s, %s; %s) and gives the "
           "same bytes. F takes %.2f of it, and less cannot be had: the SHA-256 of a file is made from "
           "its front to its end, and in the output layer 10 stands behind layer 1, so reading back "
           "waits for what comes late in the input." % (
               ratio_of("threads", "j1"), wall("threads", "j2"), wall("threads", "j1"),
               of_rounds("threads"), seconds("threads", "floor") / seconds("threads", "j1")))


def sizes():
    rows = results["sizes"]
    paces = {(pace["place"], pace["run"]): pace for pace in results["slowest_to_fastest"]}
    text = "**Size**: models of the Megatron-LM paper's shapes, from a folder."
    if ("", "convert") in paces:
        text += (" Of those with one rank, a gigabyte of the slowest takes %.2f times as long as one"
                 " of the fastest, and that of F %.2f times: what grows is the time that the kernel "
                 "takes for the pages of a large output (%s)." % (paces["", "convert"]["ratio"], paces["", "floor"]["ratio"],
                                              of_rounds("sizes")))
    if ("in memory", "convert") in paces:
        pace = paces["in memory", "convert"]
        text += (" With input and output in memory (tmpfs), it is %.2f times: "
                 "%s s per GB (%s)." % (pace["ratio"], ", ".join("%.2f" % some for some in pace["s_per_gb"]),
                                        of_rounds("memory")))
    whole, part = ("131B", "plan"), ("131B, 2 layers", "plan")
    beside = {row["size"]: row["above_idle_mib"] for row in rows}.get(part[0])
    if whole in runs and part in runs and beside is not None:
        text += (" 131B is a model sixteen times as large as the largest, of 72 layers of 12288 in 8 ranks; "
                 "the plan of all its copies (`--dry-run`) takes %.1f MiB more than that of two layers, so all "
                 "of them would take %.0f MiB beyond idle." % (
                     runs[whole]["peak_mib"] - runs[part]["peak_mib"],
                     beside + runs[whole]["peak_mib"] - runs[part]["peak_mib"]))
    yield text + (" The last column is the memory beyond that of `megatron2hf --version`, which "
                  "does nothing. The inputs of 8.3B and 131B are not in the cache.")
    yield ""
    yield "| model | ranks | input | run | time | per GB | against F | peak memory | beyond idle |"
    yield "|---|---:|---:|---|---:|---:|---:|---:|---:|"
    for row in rows:
        to_floor = ratios.get((row["size"], "floor"))
        yield "| %s | %d | %.1f GB | `%s` | %.2f s | %.2f s | %s | %.1f MiB | %.1f MiB |" % (
            row["size"].removesuffix(" in 8"), row["ranks"], row["bytes"] / 1e9,
            "verify --source" if row["run"] == "verify" else row["run"],
            row["wall_s"], row["s_per_gb"],
            "%.2f" % to_floor["median"] if to_floor and row["run"] == "convert" else "",
            row["peak_mib"], row["above_idle_mib"])
    yield ""
    yield "![time and memory by size of the input](tests/bench/sizes.svg)"


def system_calls():
    yield "**System calls**, as strace sees them: how many, and how large in the mean."
    yield ""
    yield ("| input | reads of it | writes of weights | … outside the large transposed tensors | "
           "reads that check them |")
    yield "|---|---:|---:|---:|---:|"
    for case in "folder", "ranks", "stored", "deflated":
        rows = [calls[case, kind] for kind in ("input", "output", "straight", "read-back")]
        yield "| %s | %s |" % (
            {"stored": "stored zip", "deflated": "deflated zip", "ranks": "folder, 8 ranks"}.get(
                case, case),
            " | ".join("%d × %.3g KiB" % (row["count"], row["mean_bytes"] / 1024) for row in rows))


def slow_disk():
    yield ("**A slow disk**: with the input not in the cache and reads held to %d MB/s, `cat` takes %s "
           "to read the folder's file, the conversion %s (%s times) with %.1f s of CPU time; stored zip "
           "%s times, deflated zip %s times. What is more than 1 is time in which the "
           "disk waits." % (
               results["rate"] / 1e6, wall("slow-folder", "cat"), wall("slow-folder", "convert"),
               ratio_of("slow-folder", "cat"), runs["slow-folder", "convert"]["cpu_s"],
               ratio_of("slow-stored", "cat"), ratio_of("slow-deflated", "cat")))


def reference():
    parts = []
    for case, label in ("reference-folder", "folder"), ("reference-deflated", "deflated zip"):
        theirs, ours = runs[case, "theirs"], runs[case, "convert"]
        parts.append("%s %.2f s and %.0f MiB against %.2f s and %.1f MiB, %.1f times the time and %.0f "
                     "times the memory" % (
                         label, theirs["wall_s"], theirs["peak_mib"], ours["wall_s"],
                         ours["peak_mib"], ratios[case, "convert"]["median"],
                         theirs["peak_mib"] / ours["peak_mib"]))
    yield ("**The script that transformers had** (`make bench REFERENCE=1`: %s; %s), which neither "
           "hashes what it reads nor syncs what it writes: %s. F, which does both, takes %.1f times less "
           "than the script on the folder. Its tensors are the same, as `verify --source` finds." % (
               results["reference"], of_rounds("reference"), "; ".join(parts),
               seconds("reference-folder", "theirs") / seconds("folder", "floor")))


def section():
    yield from ("## Speed", "")
    for part, lines in (("rounds", cases), ("threads", threads), ("sizes", sizes),
                        ("calls", system_calls), ("slow", slow_disk), ("reference", reference)):
        if part in results["parts"]:
            yield from lines()
            yield ""


def wrapped(line, width=112):
    """Paragraphs in lines, as the rest of the README has them; tables as they are."""
    if line.startswith(("|", "#", "!")):
        return line
    lines = [""]
    for word in line.split(" "):
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return "\n".join(lines)


text = "\n".join(map(wrapped, section()))
if len(sys.argv) == 2:
    print(text.rstrip("\n"))
else:
    with open(sys.argv[2], encoding="utf-8") as file:
        readme = file.read()
    readme, count = re.subn(r"## Speed\n.*?(?=^##)", lambda _: text + "\n", readme,
                            flags=re.S | re.M)
    if count != 1:
        sys.exit("speed.py: %s has %d sections of that name" % (sys.argv[2], count))
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(readme.replace("\n\n\n## ", "\n\n## "))
