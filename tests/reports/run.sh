#!/bin/sh
# What other programs read, held against parsers that are not ours: JSON documents against the
# schemas in man/, JUnit, SARIF and GitHub's commands, and the examples of README "In CI".
#
#     tests/reports/run.sh MEGATRON2HF          from the project's root
set -u
LC_ALL=C.UTF-8
PYTHONDONTWRITEBYTECODE=1
PYTHONWARNINGS=ignore
export LC_ALL PYTHONDONTWRITEBYTECODE PYTHONWARNINGS
unset GITHUB_STEP_SUMMARY MEGATRON2HF_THREADS NO_COLOR

[ $# -eq 1 ] || { echo "usage: $0 MEGATRON2HF" >&2; exit 2; }
case $1 in /*) m2h=$1 ;; *) m2h=$PWD/$1 ;; esac
[ -x "$m2h" ] || { echo "$0: $m2h is not there" >&2; exit 2; }

# Debian's packages are those of Debian's Python.
for python in /usr/bin/python3 python3 none; do
	"$python" -c 'import jsonschema.validators, yaml
jsonschema.validators.Draft202012Validator' 2>/dev/null && break
done
if [ $python = none ] || ! command -v xmllint >/dev/null; then
	echo "reports: needs python3-jsonschema (4 or later), python3-yaml and libxml2-utils"
	echo "reports: 0 passed, 1 failed"
	exit 1
fi
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

status=0
for part in documents forms examples; do
	mkdir "$temp/$part"
	"$python" "tests/reports/check_$part.py" "$m2h" "$temp/$part" || status=1
done
exit $status
