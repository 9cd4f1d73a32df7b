#!/bin/sh
# Adds what the logs of run.sh say to the table in tests/fuzz/README.md: hours of processor
# time and executions of each target.
#
#     tests/fuzz/table.sh LOG ...             from the project's root
#
# A log counts each time that it is given: give a new one, or put the table's numbers back.
set -eu
readme=tests/fuzz/README.md
temp=$(mktemp)
trap 'rm -f "$temp"' EXIT

# Rows that are there already come first, as "= target hours executions".
{
	sed -n 's/^| \([a-z_]*\) | \([0-9.]*\) | \([0-9,]*\) |$/=\t\1\t\2\t\3/p' "$readme"
	cat "$@"
} | LC_ALL=C awk -F '\t' '
	function grouped(n,    text) {
		n = sprintf("%.0f", n)
		while (length(n) > 3) {
			text = "," substr(n, length(n) - 2) text
			n = substr(n, 1, length(n) - 3)
		}
		return n text
	}
	$1 == "=" {
		gsub(",", "", $4)
		hours[$2] += $3; runs[$2] += $4
		next
	}
	$4 > 0 {
		hours[$1] += $2 / 3600; runs[$1] += $4
	}
	END {
		for (target in hours) {
			printf "| %s | %.2f | %s |\n", target, hours[target], grouped(runs[target])
		}
	}' | LC_ALL=C sort > "$temp"

awk -v rows="$temp" '
	/^<!-- table: end -->/ { while ((getline line < rows) > 0) print line; inside = 0 }
	!inside || /^\| target / || /^\|---/ { print }
	/^<!-- table: begin -->/ { inside = 1 }' "$readme" > "$temp.new"
cat "$temp.new" > "$readme"
rm -f "$temp.new"
