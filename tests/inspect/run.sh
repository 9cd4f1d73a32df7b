#!/bin/sh
# Every file of fixtures/torch, good or hostile, as `megatron2hf inspect --tensors` sees it.
#
#     tests/inspect/run.sh MEGATRON2HF                           from the project's root
#
# expected.json says "ok" (status 0), "refuse" (3, 4, 5 or 8) or "either", which is decided
# in fixtures/torch/README.  A refusal is one line of error, at most one hint, and nothing
# on standard output.
set -u
LC_ALL=C
export LC_ALL

m2h=$1
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
passed=0
failed=0

# "name outcome", one a line, of an expected.json, where each file is an object by its name.
outcomes() {
	awk -F'"' '/^  ?"[^"]+\.[a-z]+": \{/ { name = $2 } /^   ?"outcome":/ { print name, $4 }' "$1"
}

# The status that the README decides for a file: a number, or 0 for "read".
decided() {
	awk -v name="${1%.*}" '/^Decisions/ { on = 1 }
		on && $1 == name { print ($2 == "read" ? 0 : $2); exit }' fixtures/torch/README
}

check() {       # FOLDER NAME OUTCOME
	[ -e "$1/$2" ] || return        # the list also has samples of other formats
	"$m2h" inspect --tensors "$1/$2" >"$temp/out" 2>"$temp/err" </dev/null
	status=$?
	case $3 in
	ok) wanted=0 ;;
	refuse*) wanted='[3458]' ;;
	*) wanted=$(decided "$2") ;;
	esac
	problem=
	# shellcheck disable=SC2254
	case $status in
	$wanted) ;;
	*) problem="status $status, expected ${wanted:-a decision in the README}" ;;
	esac
	if [ $status -ne 0 ]; then
		[ "$(grep -c '^megatron2hf: error: ' "$temp/err")" = 1 ] ||
			problem="$problem; not one line of error"
		[ "$(grep -vc '^megatron2hf: error: \|^hint: ' "$temp/err")" = 0 ] ||
			problem="$problem; more than error and hint"
		if grep -q '[[:cntrl:]]' "$temp/err"; then
			problem="$problem; a control character"
		fi
	fi
	if [ -z "$problem" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "inspect: $1/$2 ($3): $problem"
		sed -n '1,3s/^/    /p' "$temp/err"
	fi
}

for folder in fixtures/torch fixtures/torch/bad; do
	outcomes $folder/expected.json > "$temp/list"
	while read -r name outcome; do
		check $folder "$name" "$outcome"
	done < "$temp/list"
done

said=$(python3 -B tests/inspect/many.py "$m2h" 2>&1)
if [ -z "$said" ]; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
	echo "inspect: many names: $said"
fi

echo "inspect: $passed passed, $failed failed"
[ $failed -eq 0 ]
