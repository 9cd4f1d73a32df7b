#!/bin/sh
# Says which lines and branches of the readers and checkers the tests ran, after a run of
# programs built with --coverage.
#
#     tests/coverage.sh BUILD
#
# BUILD/coverage.html has every line.  Left out are the places that only a bug of ours reaches:
# lines and branches that set ERROR_INTERNAL.
set -eu
build=$1

set --
for room in container pickle torch megatron check; do
	set -- "$@" --filter "src/$room/"
done
gcovr --root . "$@" --exclude-lines-by-pattern '.*ERROR_INTERNAL.*' --exclude-unreachable-branches \
	--html-details "$build/coverage.html" --txt "$build/coverage.txt" "$build/src"
gcovr --root . "$@" --exclude-lines-by-pattern '.*ERROR_INTERNAL.*' --exclude-unreachable-branches \
	--branches --txt "$build/coverage-branches.txt" "$build/src"
cat "$build/coverage.txt"
