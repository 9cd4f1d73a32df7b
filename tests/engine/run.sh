#!/bin/sh
# How the program reads and writes, as strace sees it, and what it says of that: --read-back,
# --input-sha256, --memory-limit.
#
#     tests/engine/run.sh MEGATRON2HF [PART ...]                 from the project's root
set -u
program=$1
shift
exec python3 -B tests/engine/engine.py "$program" fixtures "$@"
