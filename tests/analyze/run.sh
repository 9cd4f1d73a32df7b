#!/bin/sh
# gcc's and clang's analyzers, clang-tidy and cppcheck over src/, without a word from any of them.
#
#     tests/analyze/run.sh [FLAG ...]         from the project's root
#
# Flags as the build has them (-DM2H_HAS_ISAL).  What each is not to say, and why: .clang-tidy, and
# here.
set -u
LC_ALL=C
export LC_ALL

here=tests/analyze
flags="-std=c11 -D_GNU_SOURCE -Iinclude -Isrc $*"
jobs=$(nproc 2>/dev/null || echo 2)
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
passed=0
failed=0

# The one file that cannot be told what its functions return, because it makes them.
told="-include $here/errors_are_false.h -Wno-unused-value"
{
	ls src/*.c src/*/*.c | grep -vx src/base/error.c
} > "$temp/files"

# gcc 12 loses sight of memory whose only pointer is stored behind a parameter, and reads memory
# that a function of another file, or memcpy() from another type, has filled as uninitialized: both
# are told of correct code only.  AddressSanitizer and valgrind look for them while it runs.
gcc_flags='-O0 -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-use-of-uninitialized-value'

judge() {       # NAME FILE: what it said
	if [ -s "$2" ]; then
		failed=$((failed + 1))
		echo "analyze: $1"
		sed 's/^/    /' "$2"
	else
		passed=$((passed + 1))
	fi
}

each() {        # OUT COMMAND: for every file, {} in it
	xargs -P "$jobs" -I{} sh -c "{ $2; } > $temp/one.\$(echo {} | tr / _) 2>&1" < "$temp/files"
	cat "$temp"/one.* > "$1"
	rm -f "$temp"/one.*
}

gcc_one="gcc $flags $told $gcc_flags -c -o /dev/null {}"
each "$temp/gcc" "$gcc_one"
# shellcheck disable=SC2086
gcc $flags $gcc_flags -c -o /dev/null src/base/error.c >> "$temp/gcc" 2>&1
judge 'gcc -fanalyzer' "$temp/gcc"

# It also tries machines that base/checked.h refuses.
cppcheck -j "$jobs" --quiet --std=c11 --enable=warning,performance,portability \
    --suppress=preprocessorErrorDirective -D_GNU_SOURCE "$@" -Iinclude -Isrc src > "$temp/cppcheck" 2>&1
judge cppcheck "$temp/cppcheck"

# It counts the warnings of the system's headers, which it does not show.
each "$temp/tidy" "clang-tidy --quiet {} -- $flags $told 2>/dev/null"
clang-tidy --quiet src/base/error.c -- $flags >> "$temp/tidy" 2>/dev/null
judge 'clang-tidy' "$temp/tidy"

echo "analyze: $passed passed, $failed failed"
[ $failed -eq 0 ]
