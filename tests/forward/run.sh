#!/bin/sh
# Checkpoints that NVIDIA's code saved, converted, must compute the logits that it computed.
#
#     tests/forward/run.sh MEGATRON2HF [FORWARD]                 from the project's root
#
# Every folder of fixtures/megatron that holds tokens.json and logits.npy is taken.
set -u
LC_ALL=C
export LC_ALL

[ $# -ge 1 ] || { echo "usage: $0 MEGATRON2HF [FORWARD]" >&2; exit 2; }
m2h=$1
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
forward=${2-}
if [ -z "$forward" ]; then
	forward=$temp/forward
	# shellcheck disable=SC2046
	${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -Itests -o "$forward" tests/forward/forward.c \
	    tests/convert/weights_reader.c $(pkg-config --cflags --libs libcjson) -lm || exit 2
fi

passed=0
failed=0
for logits in fixtures/megatron/*/logits.npy; do
	sample=${logits%/*}
	set --
	# Before 2020-03 a checkpoint did not say how many heads it has.
	case $sample in */abe36e2e5f*) set -- --num-attention-heads 4 ;; esac
	# Loaded by v2.0 and saved again: labelled 3.0, rows as v1.0 had them.
	case $sample in */v2.0_tp2_loaded_from_v1.0) set -- --qkv-layout 0 ;; esac
	if "$m2h" convert "$sample/checkpoint" -o "$temp/out" -q --vocab-size padded "$@" \
	    >"$temp/log" 2>&1 && "$forward" "$temp/out" "$sample/tokens.json" "$logits" \
	    >"$temp/log" 2>&1; then
		passed=$((passed + 1))
		sed "s|^.*/out: |forward: $sample: |" "$temp/log"
	else
		failed=$((failed + 1))
		echo "forward: $sample: failed"
		sed 's/^/    /' "$temp/log"
	fi
	rm -rf "$temp/out"
done

echo "forward: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
