#!/bin/sh
# valgrind's memcheck over unit tests and over the program at work, sound inputs and damaged ones:
# no invalid access, nothing uninitialized that decides, no memory lost.
#
#     tests/analyze/valgrind.sh BUILD         from the project's root
#
# It takes each some thirty times as long, so the longest unit tests are left to AddressSanitizer
# (make asan).  valgrind knows no sandbox: the program says so, and runs without.
set -u
LC_ALL=C
export LC_ALL
unset MEGATRON2HF_THREADS NO_COLOR

build=$1
long='cast crc32 memory pickle_files pickle_value tokenizer tokenizer_read torch_samples verify'
long="$long verify_edits weight_set"
jobs=$(nproc 2>/dev/null || echo 2)
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
m2h=$build/megatron2hf
ngc=fixtures/ngc

openssl ecparam -name prime256v1 -genkey -noout -out "$temp/key.pem" 2>/dev/null

# One line for each run, in groups of which each line needs the ones before it.
unit_tests() {
	for test in "$build"/tests/unit/test_*; do
		name=${test##*/test_}
		case $name in *.o|*.d) continue ;; esac
		case " $long " in *" $name "*) continue ;; esac
		echo "$test"
	done
}

# Damaged files too: status 1 to 8 is an answer, 99 is valgrind's.
inputs() {
	for path in fixtures/good-ngc-mini.zip "$ngc"/good-tp4 "$ngc"/good-strided* "$ngc"/bad-*; do
		case $path in *.json) continue ;; esac
		echo "$m2h inspect --tensors --num-attention-heads 2 $path"
	done
}

work() {
	out=$temp/out mini='fixtures/good-ngc-mini.zip --num-attention-heads 2'
	echo "$m2h convert $mini -o $out -j 4 --tensor-sha256 --model-card auto"
	echo "$m2h convert $ngc/good-tp2 -o $temp/both --weights both --dtype float32 --provenance $temp/json"
	echo "$m2h verify $out --source fixtures/good-ngc-mini.zip"
	echo "$m2h diff $out $temp/both"
	echo "$m2h sign $out --key $temp/key.pem"
	echo "$m2h verify $out --json --signature $out/model.sig --key $temp/key.pem"
	echo "$m2h convert $mini -o - --stream tar --staging $temp"
}

cat > "$temp/one" <<'ONE'
#!/bin/sh
log=$(mktemp "$0.XXXXXX") || exit 2
valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
    --log-file="$log" $1 >/dev/null 2>&1 </dev/null
status=$?
case $status in
[0-8]) echo "passed: $1" ;;
*)	echo "failed: $1"
	echo "valgrind: status $status: $1" >&2
	grep -v 'WARNING: unhandled\|You may be able\|Read the file\|Nevertheless\|it at http' "$log" |
	    sed 's/^/    /' | head -n 60 >&2 ;;
esac
rm -f "$log"
ONE
chmod +x "$temp/one"

{
	{ unit_tests; inputs; } | xargs -P "$jobs" -d '\n' -n 1 "$temp/one"
	work | xargs -d '\n' -n 1 "$temp/one"
} > "$temp/results"
passed=$(grep -c '^passed' "$temp/results")
failed=$(grep -c '^failed' "$temp/results")
echo "valgrind: $passed passed, $failed failed"
[ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]
