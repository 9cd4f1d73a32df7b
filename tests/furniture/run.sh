#!/bin/sh
# What stands around the weights, read by programs that are not ours: Python's json and yaml,
# sha256sum, tar.
#
#     tests/furniture/run.sh BUILD          from the project's root; BUILD holds the programs
set -u
LC_ALL=C
export LC_ALL
unset SOURCE_DATE_EPOCH

[ $# -eq 1 ] || { echo "usage: $0 BUILD" >&2; exit 2; }
build=$(cd "$1" && pwd) || exit 2
here=$PWD/tests/furniture
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0
failed=0

# expect TEXT COMMAND ...: succeeds
expect() {
	text=$1
	shift
	if "$@" >"$temp/log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "furniture: $text"
		sed -n '1,12s/^/    /p' "$temp/log"
	fi
}

# ---- JSON ---------------------------------------------------------------------------

mkdir "$temp/json"
"$build/tests/unit/test_json_conformance" "$temp/json" >/dev/null
expect "Python's json agrees about what is JSON" python3 "$here/json_opinion.py" "$temp/json"

echo "furniture: $passed passed, $failed failed"
[ $failed -eq 0 ]
