#!/bin/sh
# `megatron2hf verify --source`: directories in every form are found right, and every mistake
# that can be made in one is found, by its cause where that is known.
#
#     tests/source/run.sh MEGATRON2HF [PART ...]                 from the project's root
set -u
program=$1
shift
exec python3 tests/source/source.py "$program" fixtures "$@"
