#!/bin/sh
# The manual and the README against the program: the pages name what the header and a real
# manifest have, and the README's examples print what stands there.
#
#     tests/manual/run.sh MEGATRON2HF           from the project's root
#     UPDATE=1 tests/manual/run.sh MEGATRON2HF  writes the output into the README anew
set -u
LC_ALL=C.UTF-8
TERM=dumb
PYTHONDONTWRITEBYTECODE=1
export LC_ALL TERM PYTHONDONTWRITEBYTECODE
unset MEGATRON2HF_THREADS NO_COLOR COLUMNS SOURCE_DATE_EPOCH CDPATH

[ $# -eq 1 ] || { echo "usage: $0 MEGATRON2HF" >&2; exit 2; }
case $1 in /*) m2h=$1 ;; *) m2h=$PWD/$1 ;; esac
[ -x "$m2h" ] || { echo "$0: $m2h is not there" >&2; exit 2; }
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

status=0
for part in pages readme; do
	mkdir "$temp/$part"
	python3 "tests/manual/check_$part.py" "$m2h" "$temp/$part" || status=1
done
exit $status
