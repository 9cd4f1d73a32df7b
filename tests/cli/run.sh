#!/bin/sh
# Golden command tests: sh tests/cli/run.sh PATH/TO/megatron2hf [CASE ...]
#
# Each case_NAME.sh runs in an empty folder of its own, with $MEGATRON2HF and $FIXTURES set.
# What it prints is compared with case_NAME.out and case_NAME.err, its status with
# case_NAME.status; a file that is missing stands for "nothing" and 0.  Paths of this machine
# are replaced before: FIXTURES, BOX.  Status 77 skips a case.  UPDATE=1 writes the files anew.
#
# $MEGATRON2HF is a wrapper that also looks whether a command that failed left anything behind
# or changed what was there; $PROGRAM is the program itself, for cases that send signals.

set -u
umask 022
unset MEGATRON2HF_THREADS NO_COLOR COLUMNS CDPATH
LC_ALL=C TZ=UTC TERM=dumb
export LC_ALL TZ TERM

[ $# -ge 1 ] || { echo "usage: sh tests/cli/run.sh PATH/TO/megatron2hf [CASE ...]" >&2; exit 2; }
program=$1
shift
PROGRAM=$(cd "$(dirname "$program")" && pwd -P)/$(basename "$program")
[ -x "$PROGRAM" ] || { echo "cli: no program $program" >&2; exit 2; }
cases=$(cd "$(dirname "$0")" && pwd -P)
FIXTURES=$(cd "$cases/../../fixtures" && pwd -P)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/m2h-cli.XXXXXX") || exit 2
scratch=$(cd "$scratch" && pwd -P)
trap 'chmod -R u+rwx "$scratch"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
MEGATRON2HF=$scratch/megatron2hf
export PROGRAM MEGATRON2HF FIXTURES

# The zip that most cases use, as it appears in what the program says.
input=$FIXTURES/good-ngc-mini.zip
sum=$(sha256sum "$input" | cut -d ' ' -f 1)
short=$(echo "$sum" | sed 's/^\(....\).*\(..\)$/\1…\2/')
size=$(wc -c <"$input" | tr -d ' ')
rounded=$(awk -v size="$size" 'BEGIN { printf "%.1f kB", size / 1000 }')

# Names everywhere, contents below the top: at the top a case may keep logs of the command.
cat >"$MEGATRON2HF" <<'WRAPPER'
#!/bin/sh
look() {
	find . | sort
	find ./*/* -type f -exec cksum {} + 2>/dev/null | sort
}
before=$(look)
"$PROGRAM" "$@"
status=$?
if [ "$status" -ne 0 ] && [ "$(look)" != "$before" ]; then
	echo "LEFT BEHIND OR CHANGED by a command that failed: $*" >&2
	look >&2
fi
exit "$status"
WRAPPER
chmod +x "$MEGATRON2HF"

# compare GOLDEN FOUND: 0 when equal; a missing golden file is an empty one.
compare() {
	golden=$1
	[ -f "$golden" ] || golden=/dev/null
	cmp -s "$golden" "$2" && return 0
	if [ "${UPDATE:-}" = 1 ]; then
		if [ -s "$2" ]; then cp "$2" "$1"; else rm -f "$1"; fi
		echo "updated $(basename "$1")"
		return 0
	fi
	diff -u "$golden" "$2" | sed "1s|.*|--- expected $(basename "$1")|; 2s|.*|+++ found|"
	return 1
}

run_case() {
	name=$(basename "$1" .sh)
	box=$scratch/box.$name
	mkdir "$box"
	(cd "$box" && exec sh "$1") <"/dev/null" >"$scratch/raw.out" 2>"$scratch/raw.err"
	status=$?
	for stream in out err; do
		sed -e "s|$box|BOX|g" -e "s|$FIXTURES|FIXTURES|g" -e "s/$sum/INPUT-SHA256/g" \
			-e "s/sha256 $short/sha256 INPUT/g" -e "s/model.zip\(.*\)  $rounded/model.zip\1  INPUT-SIZE/" \
			-e "s/\"bytes\": $size\$/\"bytes\": INPUT-SIZE/" -e "s/\"bytes\": $size,/\"bytes\": INPUT-SIZE,/" \
			-e "s/  $rounded  sha256 INPUT/  INPUT-SIZE  sha256 INPUT/" \
			-e "s/^sandbox  .*/sandbox  AS THE KERNEL HAS IT/" \
			"$scratch/raw.$stream" >"$scratch/found.$stream"
	done
	: >"$scratch/found.status"
	[ "$status" -eq 0 ] || echo "$status" >"$scratch/found.status"
	[ "$status" -ne 77 ] || { echo "skipped $name: $(cat "$scratch/raw.err")"; return 77; }
	good=0
	for part in out err status; do
		compare "$cases/$name.$part" "$scratch/found.$part" || good=1
	done
	chmod -R u+rwx "$box"
	rm -rf "$box"
	return "$good"
}

if [ $# -eq 0 ]; then
	set -- "$cases"/case_*.sh
fi
passed=0 failed=0
for file in "$@"; do
	case $file in */*) ;; *) file=$cases/case_${file#case_}; file=${file%.sh}.sh ;; esac
	run_case "$file"
	case $? in
	0) passed=$((passed + 1)) ;;
	77) ;;
	*) failed=$((failed + 1)); echo "FAILED $(basename "$file" .sh)" ;;
	esac
done
echo "cli: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
