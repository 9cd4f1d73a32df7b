# How one command is timed; sourced by run.sh for its parts, which set `rows`: a file with a line
# for each run, fields parted by tabs:
#
#     round   case   what   wall seconds   CPU seconds   peak KiB   seconds to the first byte
#     fact    name   value
#
# Round 0 is the warm-up; "once" marks what is not repeated.

# Files and folders that the runs to come read.  Some kernels let go of what nobody has read for
# a minute, and a case's turn is rarer than that.
warm=

# MiB that the runs to come write.  They find as much memory that the machine still has:
# resident.c tells why.
written=

# The state each run starts from: no old output, nothing left to write, all input in the cache.
fresh() {
	rm -rf "$out"
	sync
	[ -z "$warm" ] || find $warm -type f -exec cat {} + > /dev/null
	[ -z "$written" ] || "$bench/resident" "$written"
}

# timed ROUND CASE WHAT COMMAND ...
timed() {
	label=$(printf '%s\t%s\t%s' "$1" "$2" "$3")
	shift 3
	fresh
	"$bench/measure" "$rows" "$label" "$@" ||
		{ echo "bench: failed: $*" >&2; exit 1; }
}

# The same for what becomes a ratio: the faster of two runs.
timed_twice() {
	kept=$rows
	rows=$kept.two
	: > "$rows"
	timed "$@"
	timed "$@"
	rows=$kept
	sort -t "$(printf '\t')" -k 4,4n "$rows.two" | sed -n 1p >> "$rows"
	rm -f "$rows.two"
}

# timed_by_itself ROUND CASE WHAT COMMAND ...: the program tells the seconds that count.
timed_by_itself() {
	label=$(printf '%s\t%s\t%s' "$1" "$2" "$3")
	shift 3
	fresh
	seconds=$("$@") || { echo "bench: failed: $*" >&2; exit 1; }
	printf '%s\t%s\t-\t-\t-\n' "$label" "$seconds" >> "$rows"
}

# timed_first_byte CASE COMMAND ...: to the first byte on standard error
timed_first_byte() {
	label=$(printf 'once\t%s\tfirst byte' "$1")
	shift
	fresh
	"$bench/measure" -f "$rows" "$label" "$@" ||
		{ echo "bench: failed: $*" >&2; exit 1; }
}

fact() {        # NAME VALUE
	printf 'fact\t%s\t%s\n' "$1" "$2" >> "$rows"
}

skipped() {     # PART WHY
	echo "bench: $1 skipped: $2" >&2
}

# has_room PART MIB [DIR]: is so much free in DIR, or else where the bench works?
has_room() {
	free_mib=$(df -Pk "${3:-$bench}" | awk 'NR == 2 { print int($4 / 1024) }')
	[ "$free_mib" -ge "$2" ] && return
	skipped "$1" "${3:-$bench} has $free_mib MiB free, $2 MiB are needed"
	return 1
}

# repeat COMMAND ...: with 0 added for the warm-up, then with the numbers of the rounds
repeat() {
	round=0
	while [ "$round" -le "$rounds" ]; do
		"$@" "$round"
		round=$((round + 1))
	done
}
