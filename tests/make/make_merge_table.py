#!/usr/bin/env python3
"""Make src/gpt2/merge_table.c from OpenAI's merges.txt (vocab.bpe) of GPT-2.

    tests/make/make_merge_table.py merges.txt > src/gpt2/merge_table.c

Each merge becomes the ids of its two parts: ids 0-255 are the single bytes, 256 + N is what
merge N makes.  Nothing but the Python standard library is needed.
"""
import hashlib
import sys

SHA256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"
PAIRS_A_ROW = 6

HEAD = """\
#include "gpt2/merge_table.h"

/*
 * Made by tests/make/make_merge_table.py from merges.txt of OpenAI's GPT-2 (see NOTICE):
 * the ids of the two parts of each merge, in the order of the file.
 */
const uint16_t merge_table[MERGE_TABLE_COUNT][2] = {
"""


def byte_symbols():
    """The character that stands for each byte, in the order of the ids."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(0x100 + n) for n in range(len(others))]


def read_pairs(path):
    data = open(path, "rb").read()
    if hashlib.sha256(data).hexdigest() != SHA256:
        sys.exit(f"{path}: not OpenAI's merges.txt")
    ids = {symbol: number for number, symbol in enumerate(byte_symbols())}
    pairs = []
    for line in data.decode("utf-8").split("\n")[1:-1]:
        left, right = line.split(" ")
        pairs.append((ids[left], ids[right]))
        ids[left + right] = len(ids)
    return pairs


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pairs = read_pairs(sys.argv[1])
    print(HEAD, end="")
    for first in range(0, len(pairs), PAIRS_A_ROW):
        row = pairs[first:first + PAIRS_A_ROW]
        print("\t" + " ".join(f"{{{left},{right}}}," for left, right in row))
    print("};")


main()
