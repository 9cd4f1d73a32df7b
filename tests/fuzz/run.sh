#!/bin/sh
# Every reader of bytes that somebody else wrote, on inputs that are not what they should be.
#
#     tests/fuzz/run.sh replay BUILD          the fixtures, and what fuzzing has found, once
#     tests/fuzz/run.sh mutants BUILD         are mutants what they should be?
#     tests/fuzz/run.sh fuzz BUILD [TARGET]   libFuzzer, FUZZ_SECONDS for each target, or for one
#
# An input has a second of processor time (ten in a replay) and 256 MiB of heap: limits.c.
# What is found stays in BUILD/tests/fuzz/crashes; FUZZ_LOG (BUILD/hours.tsv) gets a line for
# each run, of which table.sh makes the table in README.md.  From the project's root.
set -u
mode=$1
build=$2/tests/fuzz
hours=${FUZZ_LOG:-$2/hours.tsv}
only=${3:-}
passed=0
failed=0

seeds() {       # TARGET: files to begin with, one a line
	find tests/fuzz/found -name "$1-*" 2>/dev/null
	case $1 in
	zip)           find fixtures/container fixtures/torch fixtures/ngc -name '*.zip' -o -name '*.pt' ;;
	pickle)        find fixtures/pickle -name '*.pkl' ;;
	torch)         find fixtures/torch fixtures/gpt2 -name '*.pt' -o -name '*.bin' ;;
	convert)       find fixtures/ngc -name '*.pt' -o -name '*.zip' ;;
	inspect)       find fixtures/ngc fixtures/gpt2 fixtures/container -type f ;;
	dist_metadata) find fixtures/dist fixtures/megatron -name .metadata ;;
	safetensors)   find fixtures/gpt2 fixtures/diff -name '*.safetensors' ;;
	json)          find fixtures man -name '*.json' ;;
	sums)          find tests/fuzz -name 'sums.seed*' ;;
	signature)     find tests/fuzz -name 'signature.seed*' ;;
	tokenizer)     find fixtures/tokenizer -name tokenizer.json; find tests/fuzz -name 'tokenizer.seed*' ;;
	inflate)       find tests/fuzz -name 'inflate.seed*' ;;
	esac | while read -r file; do
		[ "$(wc -c <"$file")" -gt 400000 ] || echo "$file"
	done
}

dictionary() {  # TARGET: its words
	case $1 in
	pickle | dist_metadata)  cat tests/fuzz/pickle.dict tests/fuzz/megatron.dict ;;
	zip)                     cat tests/fuzz/zip.dict ;;
	torch | convert)         cat tests/fuzz/zip.dict tests/fuzz/pickle.dict tests/fuzz/megatron.dict ;;
	inspect)                 cat tests/fuzz/*.dict ;;
	safetensors | tokenizer) cat tests/fuzz/json.dict "tests/fuzz/$1.dict" ;;
	*)                       cat "tests/fuzz/$1.dict" ;;
	esac
}

# One line: target, seconds of processor time, seconds, executions, status.  The second line of
# `times` is what the children of the shell took.
log_hours() {   # TARGET STATUS SECONDS TIMES
	number() {
		echo "$log" | sed -n "s/^stat::$1: *//p"
	}
	cpu=$(echo "$4" | sed -n 2p | tr -d s | tr 'm ' '  ' |
	    awk '{ printf "%.1f", $1 * 60 + $2 + $3 * 60 + $4 }')
	printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$cpu" "$3" "$(number number_of_executed_units)" \
	    "$2" >> "$hours"
}

# -timeout is for what never comes back: a machine that is busy may not find anything.
fuzz() {        # TARGET
	mkdir -p "$build/corpus/$1" "$build/crashes"
	seeds "$1" | while read -r file; do
		cp "$file" "$build/corpus/$1/$(echo "$file" | tr '/' '_')"
	done
	dictionary "$1" > "$build/$1.dict"
	start=$(date +%s)
	log=$(nice "$build/fuzz_$1" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=120 \
	    -rss_limit_mb=2048 -max_len=200000 -len_control=0 -print_final_stats=1 -verbosity=0 \
	    -dict="$build/$1.dict" -artifact_prefix="$build/crashes/$1-" "$build/corpus/$1" 2>&1
	    echo "status $?"
	    times)
	status=$(echo "$log" | sed -n 's/^status //p')
	log_hours "$1" "$status" $(($(date +%s) - start)) "$(echo "$log" | tail -2)"
	echo "fuzz: $1: $(echo "$log" | sed -n 's/.*number_of_executed_units: *//p') inputs"
}

if [ "$mode" = mutants ]; then
	exec python3 tests/fuzz/mutants.py "$build/mutants"
fi
for source in tests/fuzz/fuzz_${only:-*}.c; do
	target=$(basename "$source" .c)
	target=${target#fuzz_}
	if [ "$mode" = replay ]; then
		log=$(seeds "$target" | sort | tr '\n' '\0' |
		    timeout 120 xargs -0 "$build/replay_$target" 2>&1)
		status=$?
	else
		fuzz "$target"
	fi
	if [ "$status" -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "fuzz: $target: status $status"
		echo "$log" | tail -30 | sed 's/^/    /'
	fi
done
echo "fuzz: $passed passed, $failed failed"
[ $failed -eq 0 ]
