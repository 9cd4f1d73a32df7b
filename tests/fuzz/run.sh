#!/bin/sh
# Every reader of bytes that somebody else wrote, on inputs that are not what they should be.
#
#     tests/fuzz/run.sh replay BUILD [FOLDER]     the fixtures, and what fuzzing has found, once
#     tests/fuzz/run.sh fuzz BUILD                libFuzzer, FUZZ_SECONDS for each target
#
# An input has a second (ten in a replay) and 256 MiB.  From the project's root.
set -u
mode=$1
build=$2/tests/fuzz
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
	esac | while read -r file; do
		[ "$(wc -c <"$file")" -gt 400000 ] || echo "$file"
	done
}

for source in tests/fuzz/fuzz_*.c; do
	target=$(basename "$source" .c)
	target=${target#fuzz_}
	if [ "$mode" = replay ]; then
		log=$(seeds "$target" | sort | tr '\n' '\0' |
		    timeout 120 xargs -0 "$build/replay_$target" 2>&1)
		status=$?
	else
		mkdir -p "$build/corpus/$target" "$build/crashes"
		seeds "$target" | while read -r file; do
			cp "$file" "$build/corpus/$target/$(echo "$file" | tr '/' '_')"
		done
		log=$(nice "$build/fuzz_$target" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 \
		    -rss_limit_mb=1024 -max_len=200000 -print_final_stats=1 -verbosity=0 \
		    -artifact_prefix="$build/crashes/$target-" "$build/corpus/$target" 2>&1)
		status=$?
		echo "fuzz: $target: $(echo "$log" | sed -n 's/.*number_of_executed_units: *//p') inputs"
	fi
	if [ $status -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "fuzz: $target: status $status"
		echo "$log" | tail -30 | sed 's/^/    /'
	fi
done
echo "fuzz: $passed passed, $failed failed"
[ $failed -eq 0 ]
