#!/bin/sh
# Every dialect, version, parallel size, container and dtype, converted and compared with the
# truth that it was saved from.  Needs python3-torch (tests/bootstrap.sh matrix).
#
#     tests/matrix/run.sh MEGATRON2HF [PATTERN...]               from the project's root
#
# The last line is "matrix: N passed, N failed".
set -u
LC_ALL=C
export LC_ALL

[ $# -ge 1 ] || { echo "usage: $0 MEGATRON2HF [PATTERN...]" >&2; exit 2; }
[ -x "$1" ] || { echo "$0: $1 is not there" >&2; exit 2; }
OMP_NUM_THREADS=1 exec "${PYTHON:-/usr/bin/python3}" tests/matrix/matrix.py "$@"
