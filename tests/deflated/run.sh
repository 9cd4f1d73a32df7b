#!/bin/sh
# A deflated checkpoint that is long enough to be inflated in two places at once: the same
# weights as from its folder, and what is damaged is told.
#
#     tests/deflated/run.sh MEGATRON2HF MAKE_NGC                 from the project's root
set -u
exec python3 tests/deflated/deflated.py "$1" "$2"
