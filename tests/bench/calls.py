#!/usr/bin/env python3
"""Counts reads and writes of a conversion in what strace wrote, and says how large they were.

    calls.py CASE INPUT OUTPUT TRACE ...         traces of `strace -ff -y -s 0`, one of each thread

Prints facts, "fact TAB calls CASE KIND TAB COUNT BYTES", for these kinds:

    input        reads of INPUT
    read-back    reads of what was written
    output       writes of weights
    straight     those of them outside the large transposed tensors
"""
import bisect
import json
import os
import re
import struct
import sys

# pwrite64(6</path/model.safetensors>, ""..., 1048576, 4096) = 1048576
CALL = re.compile(r'p?(read|write)(?:64|v)?\(\d+<(.*?)>.*?(?:, (\d+))?\) = (\d+)$')
TRANSPOSED = re.compile(r"\.(c_attn|c_proj|c_fc)\.weight$")
LARGE = 1 << 20

case, source, output = sys.argv[1:4]
source = os.path.realpath(source)
weights = os.path.join(output, "model.safetensors")
with open(weights, "rb") as file:
    length, = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
tensors = sorted((8 + length + tensor["data_offsets"][0], name,
                  tensor["data_offsets"][1] - tensor["data_offsets"][0])
                 for name, tensor in header.items() if name != "__metadata__")
starts = [start for start, _, _ in tensors]


def in_large_transpose(offset):
    place = bisect.bisect_right(starts, offset) - 1
    return place >= 0 and TRANSPOSED.search(tensors[place][1]) and tensors[place][2] >= LARGE


calls = {kind: [0, 0] for kind in ("input", "read-back", "output", "straight")}
for trace in sys.argv[4:]:
    with open(trace) as file:
        for line in file:
            found = CALL.match(line.rstrip("\n"))
            if not found:
                continue
            verb, path, last, size = found.groups()
            kinds = []
            if verb == "read" and (path + "/").startswith(source + "/"):
                kinds = ["input"]
            elif os.path.basename(path) == os.path.basename(weights):
                kinds = ["read-back"]
                if verb == "write":
                    kinds = ["output"] + ([] if in_large_transpose(int(last)) else ["straight"])
            for kind in kinds:
                calls[kind][0] += int(size) > 0
                calls[kind][1] += int(size)
if calls["output"][1] != os.path.getsize(weights):
    sys.exit("calls.py: %s: %d bytes were seen written, the file has %d" % (
        case, calls["output"][1], os.path.getsize(weights)))
for kind, (count, size) in calls.items():
    print("fact\tcalls %s %s\t%d %d" % (case, kind, count, size))
