#!/bin/sh
# Runs all test programs and suites; each ends with "NAME: N passed, N failed".  The last line
# is their sum.  Arguments: the unit tests; BUILD: where everything was built.
set -u
build=${BUILD:-build}
log=$build/check.log
status=0

run() {
	"$@" || status=1
}

: > "$log"
{
	for test in "$@"; do
		run "$test"
	done
	run sh tests/house.sh "$build/megatron2hf"
	run sh tests/fuzz/run.sh replay "$build"
	run sh tests/fuzz/run.sh mutants "$build"
	run sh tests/cli/run.sh "$build/megatron2hf"
	run sh tests/inspect/run.sh "$build/megatron2hf"
	run sh tests/dist/run.sh "$build/megatron2hf"
	run sh tests/catalogue/run.sh "$build/megatron2hf"
	run sh tests/diff/run.sh "$build/megatron2hf"
	run sh tests/source/run.sh "$build/megatron2hf"
	run sh tests/forms/run.sh "$build/megatron2hf"
	run sh tests/convert/run.sh "$build/megatron2hf" "$build/tests/convert/tensor_digests"
	run sh tests/deflated/run.sh "$build/megatron2hf" "$build/bench/make_ngc"
	run sh tests/engine/run.sh "$build/megatron2hf"
	run sh tests/furniture/run.sh "$build"
	run sh tests/sign/run.sh "$build/megatron2hf"
	run sh tests/faults/run.sh "$build/megatron2hf" "$build/tests/faults/fail_nth.so"
	run sh tests/sandbox/run.sh "$build/megatron2hf"
	run sh tests/forward/run.sh "$build/megatron2hf" "$build/tests/forward/forward"
	run sh tests/writer/run.sh "$build/tests/unit/test_torch_writer"
	run sh tests/reports/run.sh "$build/megatron2hf"
	run sh tests/manual/run.sh "$build/megatron2hf"
	run bash tests/install/run.sh "$build"
	echo "status $status"
} 2>&1 | tee "$log" | grep -av '^status [01]$'

awk '
	/^[a-z0-9_]+: [0-9]+ passed, [0-9]+ failed/ { passed += $2; failed += $4 }
	/^status 1$/ { broken = 1 }
	END {
		if (broken && failed == 0)
			failed = 1      # something ended without its closing line
		printf "%d passed, %d failed\n", passed, failed
		exit failed != 0
	}' "$log"
