#!/bin/sh
# `megatron2hf diff` of the files in fixtures/diff against what torch and Python computed of
# them: every pair, every number, with one thread and with two.
#
#     tests/diff/run.sh MEGATRON2HF                              from the project's root
set -u
exec python3 tests/diff/compare.py "$1" fixtures/diff
