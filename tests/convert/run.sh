#!/bin/sh
# Every fixture that has an expected.json beside it, through `megatron2hf convert`.
#
#     tests/convert/run.sh MEGATRON2HF [TENSOR_DIGESTS]          from the project's root
#
# good: every tensor's digest is that of the truth, config.json has its values, SHA256SUMS
# agrees, all fixtures of one truth give the same bytes, and so do -j 1, 2 and 4.
# bad, unsupported, usage: the status, one line of error, the slug in --json, nothing left.
set -u
LC_ALL=C
export LC_ALL

[ $# -ge 1 ] || { echo "usage: $0 MEGATRON2HF [TENSOR_DIGESTS]" >&2; exit 2; }
case $1 in /*) m2h=$1 ;; *) m2h=$PWD/$1 ;; esac
[ -x "$m2h" ] || { echo "$0: $m2h is not there" >&2; exit 2; }
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
digests=${2-}
if [ -z "$digests" ]; then
	digests=$temp/tensor_digests
	# shellcheck disable=SC2046
	${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -o "$digests" tests/convert/tensor_digests.c \
	    tests/convert/weights_reader.c $(pkg-config --cflags --libs libcjson libcrypto) -lm ||
	    exit 2
fi

passed=0
failed=0

pass() {
	passed=$((passed + 1))
}

fail() {        # TEXT [FILE to show]
	failed=$((failed + 1))
	echo "convert: $fixture: $1"
	if [ $# -gt 1 ]; then sed -n '1,12s/^/    /p' "$2"; fi
}

# Runs the conversion of $expected in the empty folder $temp/case: status, stdout, stderr.
convert() {     # extra options
	rm -rf "$temp/case"
	mkdir "$temp/case"
	while read -r option; do
		[ -z "$option" ] || set -- "$@" "$option"
	done <<-END
	$("$digests" get "$expected" options)
	END
	"$m2h" convert "$source" -o "$temp/case/out" "$@" >"$temp/stdout" 2>"$temp/stderr"
	status=$?
}

is_only() {     # is this all that $temp/case holds?
	[ "$(ls -A "$temp/case")" = "$1" ]
}

# Texts that standard error must have, whatever the case of their letters.
is_said() {
	"$digests" get "$expected" says >"$temp/says"
	while read -r words; do
		grep -qiF -e "$words" "$temp/stderr" || return 1
	done <"$temp/says"
}

check_good() {
	convert
	if [ $status -ne 0 ]; then
		fail "status $status, expected 0" "$temp/stderr"
		return
	fi
	if [ "$(cat "$temp/stdout")" != "$temp/case/out" ]; then
		fail "stdout is not the path of the directory" "$temp/stdout"
	elif ! is_only out; then
		fail "something is left beside the directory"
	elif ! is_said; then
		fail "does not say $(tr '\n' ' ' <"$temp/says")" "$temp/stderr"
	elif ! "$digests" compare "$expected" "$temp/case/out" >"$temp/log" 2>&1; then
		fail "not what the truth says" "$temp/log"
	elif ! (cd "$temp/case/out" && sha256sum --strict -c SHA256SUMS) >"$temp/log" 2>&1; then
		fail "SHA256SUMS" "$temp/log"
	else
		pass
	fi
	check_same
	check_threads
}

# The first fixture of a truth sets the bytes for all others.
check_same() {
	first=$temp/same$(cd "${expected%/*}/$(dirname "$truth")" && pwd)/${truth##*/}
	if [ ! -d "$first" ]; then
		mkdir -p "$first"
		for name in model.safetensors config.json generation_config.json; do
			if [ -f "$temp/case/out/$name" ]; then cp "$temp/case/out/$name" "$first/"; fi
		done
	fi
	for name in "$first"/*; do
		if cmp "$name" "$temp/case/out/${name##*/}" >"$temp/log" 2>&1; then
			pass
		else
			fail "${name##*/} differs from that of another layout" "$temp/log"
		fi
	done
}

check_threads() {
	rm -rf "$temp/reference"
	mv "$temp/case/out" "$temp/reference"
	for threads in 1 2 4; do
		convert -q -j $threads
		if [ $status -eq 0 ] &&
		    diff -r "$temp/reference" "$temp/case/out" >"$temp/log" 2>&1; then
			pass
		else
			fail "other bytes with -j $threads (status $status)" "$temp/log"
		fi
	done
}

check_bad() {
	convert
	if ! echo "$statuses" | grep -qx "$status"; then
		fail "status $status, expected $(echo $statuses)" "$temp/stderr"
	elif ! [ "$(grep -c '^megatron2hf: error: ' "$temp/stderr")" -eq 1 ]; then
		fail "one line of error is expected" "$temp/stderr"
	elif [ -s "$temp/stdout" ]; then
		fail "something on stdout" "$temp/stdout"
	elif ! is_said; then
		fail "does not say $(tr '\n' ' ' <"$temp/says")" "$temp/stderr"
	elif ! is_only "" || [ -e canary ]; then
		fail "something is left"
	else
		pass
	fi
	convert --json
	code=$("$digests" get "$temp/stdout" code 2>"$temp/log")
	number=$("$digests" get "$temp/stdout" exit 2>>"$temp/log")
	if [ "$number" != $status ] || ! echo "$statuses" | grep -qx "$status"; then
		fail "--json: exit $number, status $status" "$temp/log"
	elif [ -z "$code" ] || { [ -n "$slug" ] && [ "$code" != "$slug" ]; }; then
		fail "--json: code \"$code\", expected \"$slug\"" "$temp/stdout"
	elif ! is_only ""; then
		fail "--json: something is left"
	else
		pass
	fi
}

for expected in fixtures/*.expected.json fixtures/ngc/*.expected.json fixtures/eras/*.expected.json \
    fixtures/dist/*.expected.json fixtures/deepspeed/*.expected.json; do
	fixture=${expected%.expected.json}
	source=$("$digests" get "$expected" source)
	source=${source:+${fixture%/*}/$source}
	source=${source:-$fixture}
	statuses=$("$digests" get "$expected" status)
	truth=$("$digests" get "$expected" truth)
	slug=$("$digests" get "$expected" slug)
	grep -q "^${fixture#fixtures/} " fixtures/README || fail "no line in fixtures/README"
	if [ "$statuses" = 0 ]; then check_good; else check_bad; fi
done

echo "convert: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
