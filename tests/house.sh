#!/bin/sh
# The rules of the house that the layout shows: which room may include which, where threads
# are started, who prints, which library is known where.  From the project's root.
set -u
passed=0
failed=0

expect() {      # RULE, FOUND: lines that break it, empty when none does
	if [ -z "$2" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "house: $1"
		echo "$2" | sed 's/^/    /'
	fi
}

# room: what it may include beside itself and base
rooms='base:
container:
pickle:
torch: container pickle
megatron: container pickle torch
gpt2: container torch
plan: container torch megatron gpt2
check: container pickle torch megatron gpt2 plan
convert: container pickle torch megatron gpt2 plan check
cli:'

echo "$rooms" > "${TMPDIR:-/tmp}/m2h-rooms.$$"
while IFS=: read -r room may; do
	allowed="$room base $may"
	pattern=$(echo $allowed | tr ' ' '|')
	found=$(grep -nE '^#include "[a-z0-9]+/' src/"$room"/*.[ch] |
	    grep -vE "#include \"($pattern)/")
	expect "$room/ includes only: $allowed" "$found"
done < "${TMPDIR:-/tmp}/m2h-rooms.$$"
rm -f "${TMPDIR:-/tmp}/m2h-rooms.$$"

only() {        # RULE, EXTENDED PATTERN, FILES THAT MAY (grep -E)
	expect "$1" "$(grep -rnE "$2" src include | grep -vE "^($3)" || :)"
}

only 'only base/workers starts threads' 'pthread_create' 'src/base/workers\.c'
only 'only cli/ and main print' '\<(printf|puts|putchar|fprintf|fputs|fwrite|perror)\(' \
    'src/cli/|src/(main|completions)\.c'
only 'the library binds nobody of itself' '\<(m2h_confine|sandbox_enter|call_filter_enter)\(' \
    'src/(cli|base)/|src/convert/confine\.c|include/'
only 'zip.h and zlib.h are known in container/' '#include <(zip|zlib|libdeflate)\.h>' \
    'src/container/'
only 'cJSON is known in base/json.c' '#include <cjson' 'src/base/json\.c'
only 'OpenSSL is known in four files of base/' '#include <openssl' \
    'src/base/(digest|ecdsa|certificate|crypt_memory)\.c'
only 'only a clock that cannot jump is used to measure, never a clock that may jump' \
    'CLOCK_REALTIME|gettimeofday' 'nothing'
only 'nothing is left to be done' '\<(TODO|FIXME|XXX)\>' 'nothing'
expect 'file names are unique in src' \
    "$(find src -name '*.c' | sed 's|.*/||' | sort | uniq -d)"
expect 'cli/ and main.c use the public interface and base/ only' \
    "$(grep -nE '^#include "' src/cli/*.[ch] src/main.c |
    grep -vE '#include "(base/|cli/|megatron2hf\.h)')"

# Options: the program's own list is what the manual and the README must know.
m2h=${1:-build/megatron2hf}
for command in convert inspect verify diff sign; do
	for option in $("$m2h" $command --help | grep -oE -- '--[a-z0-9-]+' | sort -u); do
		word=$(echo "$option" | sed 's/^--//')
		expect "the manual knows $option of $command" \
		    "$(grep -qF -e "$word" man/megatron2hf.1 || echo "$option is not in it")"
		expect "the README knows $option of $command" \
		    "$(grep -qF -e "$option" README.md || echo "$option is not in it")"
	done
done
# A report names a rule for each slug; these rooms are what verify goes through.
expect 'report_rules.c has a line for every slug that verify can give' \
    "$(for room in check gpt2 container pickle torch; do cat src/$room/*.c; done |
    tr '\n\t' '  ' | grep -oE '(ERROR_(MISMATCH|CORRUPT|UNSUPPORTED|UNSAFE|NO_INPUT|LIMIT)|NOTE_[A-Z]+), *"[a-z0-9-]+"' |
    cut -d '"' -f 2 | sort -u | while read -r slug; do
	grep -qF "{ \"$slug\"," src/cli/report_rules.c || echo "$slug"
    done)"
expect 'the manual is well formed' "$(mandoc -T lint -W warning man/*.[1-9] 2>&1)"

echo "house: $passed passed, $failed failed"
[ $failed -eq 0 ]
