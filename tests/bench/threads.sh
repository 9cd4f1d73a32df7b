# One thread beside two and beside the floor, and that both give the same bytes.  Sourced by
# run.sh.

one=$bench/one

one_and_two() { # ROUND
	timed_twice "$1" threads j1 "$tool" convert "$folder" -o "$out" -q -j1
	timed_twice "$1" threads floor "$bench/floor" convert "$out" "$checkpoint"
	timed_twice "$1" threads j2 "$tool" convert "$folder" -o "$out" -q -j2
}

if [ "$(nproc)" -lt 2 ]; then
	skipped threads "this machine has one core"
else
	warm=$folder written=$(($(wc -c < "$checkpoint") >> 20))
	repeat one_and_two
	warm= written=
	rm -rf "$one"
	"$tool" convert "$folder" -o "$one" -q -j1
	diff -r "$one" "$out" ||
		{ echo "bench: one thread and two give different bytes" >&2; exit 1; }
	rm -rf "$one"
fi
