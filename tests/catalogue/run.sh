#!/bin/sh
# Bad inputs and faults by their numbers, with what must happen: see tests/catalogue.md.
#
#     tests/catalogue/run.sh MEGATRON2HF [NAME ...]              from the project's root
#
# NAME: the beginning of cases' names, 063 or 063-os.  The table is compared with the tests too.
set -u
program=$1
shift
PYTHONDONTWRITEBYTECODE=1 exec python3 tests/catalogue/catalogue.py "$program" fixtures "$@"
