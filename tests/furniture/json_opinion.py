"""Asks Python's json module about every row of test_json_conformance: FOLDER of NUMBER.VERDICT.

Strict as RFC 8259 allows: UTF-8 decoded strictly, no NaN or Infinity, no duplicate keys.
y and a must be accepted, n refused; r are the rows that megatron2hf refuses for reasons of its
own (NUL in strings, halves of surrogate pairs, nesting beyond 64), which Python accepts.
"""
import json
import pathlib
import sys


def unique(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError('duplicate key')
    return dict(pairs)


def refuse(name):
    raise ValueError(name)


def accepts(data):
    try:
        json.loads(data.decode('utf-8'), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True


rows = sorted(pathlib.Path(sys.argv[1]).iterdir())
wrong = [row for row in rows if accepts(row.read_bytes()) != (row.suffix in ('.y', '.a', '.r'))]
for row in wrong:
    print(f'{row.name}: {row.read_bytes()[:60]!r}: Python says otherwise')
counts = {verdict: sum(row.suffix == verdict for row in rows) for verdict in ('.y', '.n')}
if counts['.y'] < 90 or counts['.n'] < 150:
    print(f'too few rows: {counts}')
    sys.exit(1)
sys.exit(bool(wrong))
