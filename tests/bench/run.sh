#!/bin/sh
# Measures conversions of a full-size input against what the machine allows at best.
#
#     sh tests/bench/run.sh BUILD_DIR MEGATRON2HF
#
# ROUNDS=N: rounds that count (5), after one that does not.  The programs are those of this
# folder, built as BUILD_DIR/bench/NAME.  Inputs are made there and kept; results are
# BUILD_DIR/bench/results.md and results.json.
set -eu
LC_ALL=C
export LC_ALL

[ $# -eq 2 ] || { echo "usage: run.sh BUILD_DIR MEGATRON2HF" >&2; exit 2; }
here=$(dirname "$0")
bench=$1/bench
tool=$2
rounds=${ROUNDS:-5}
need_mib=8000

folder=$bench/ngc
checkpoint=$folder/release/mp_rank_00/model_optim_rng.pt
stored=$bench/ngc-stored.zip
deflated=$bench/ngc-deflated.zip
dist=$bench/dist                # the same model in four files, as Megatron Core saves it
ranks=$bench/ranks              # and as it saved four ranks before
twice=$bench/twice
out=$bench/out
checked=$bench/checked          # what verify --source is measured on
table=$bench/rounds.tsv         # round, case, what, then the fields that measure writes

# The state each run starts from: no old output, nothing left to write.
fresh() {
	rm -rf "$out"
	sync
}

# timed ROUND CASE WHAT COMMAND ...
timed() {
	label=$(printf '%s\t%s\t%s' "$1" "$2" "$3")
	shift 3
	fresh
	"$bench/measure" "$table" "$label" "$@" ||
		{ echo "bench: failed: $*" >&2; exit 1; }
}

# The same for a floor, which is what the machine allows at best: the faster of two runs.
timed_floor() {
	kept=$table
	table=$kept.two
	: > "$table"
	timed "$@"
	timed "$@"
	table=$kept
	sort -t "$(printf '\t')" -k 4,4n "$table.two" | sed -n 1p >> "$table"
	rm -f "$table.two"
}

# The same, for what counts is the time to the first byte on standard error.
timed_first_byte() {
	fresh
	"$bench/measure" -f "$table" "$(printf 'once\t%s\tfirst byte' "$1")" \
		"$tool" convert "$2" -o "$out" --progress=plain ||
		{ echo "bench: failed: convert $2 --progress=plain" >&2; exit 1; }
}

# timed_fsync ROUND CASE: only the sync counts, so the program tells its time itself.
timed_fsync() {
	fresh
	seconds=$("$bench/floor" fsync "$(wc -c < "$checkpoint")" "$out")
	printf '%s\t%s\tfsync\t%s\t-\t-\t-\n' "$1" "$2" "$seconds" >> "$table"
}

# one_round ROUND: everything once, ours and its floor next to each other
one_round() {
	timed "$1" folder convert     "$tool" convert "$folder" -o "$out" -q
	timed_floor "$1" folder floor "$bench/floor" convert "$out" "$checkpoint"
	timed "$1" folder cp          cp "$checkpoint" "$out"
	timed "$1" folder sha256sum   sha256sum "$checkpoint"
	timed "$1" folder inspect     "$tool" inspect "$folder"

	timed "$1" stored convert     "$tool" convert "$stored" -o "$out" -q
	timed_floor "$1" stored floor "$bench/floor" convert "$out" "$stored"
	timed "$1" stored cp          cp "$stored" "$out"
	timed "$1" stored sha256sum   sha256sum "$stored"
	timed "$1" stored inspect     "$tool" inspect "$stored"

	timed "$1" deflated convert   "$tool" convert "$deflated" -o "$out" -q
	timed "$1" deflated inflate   "$bench/floor" inflate "$deflated"
	timed "$1" deflated sha256    "$bench/floor" sha256 "$checkpoint"
	timed_fsync "$1" deflated
	timed "$1" deflated cp        cp "$deflated" "$out"
	timed "$1" deflated sha256sum sha256sum "$deflated"
	timed "$1" deflated inspect   "$tool" inspect "$deflated"

	timed "$1" dist convert       "$tool" convert "$dist" -o "$out" -q
	timed_floor "$1" dist floor   "$bench/floor" convert "$out" "$dist"/*/*.distcp
	timed "$1" dist inspect       "$tool" inspect "$dist"

	timed "$1" ranks convert      "$tool" convert "$ranks" -o "$out" -q
	timed_floor "$1" ranks floor  "$bench/floor" convert "$out" "$ranks"/*/*/*.pt

	timed "$1" both convert       "$tool" convert "$folder" -o "$out" -q --weights both
	timed_floor "$1" both two     "$bench/floor" two "$out" "$checkpoint"
	timed "$1" float32 convert    "$tool" convert "$folder" -o "$out" -q --dtype float32
	timed_floor "$1" float32 double "$bench/floor" double "$out" "$checkpoint"

	timed "$1" checked verify     "$tool" verify "$checked" --source "$folder" -q
	timed_floor "$1" checked both "$bench/floor" both "$checkpoint" \
		"$checked/model.safetensors"
	timed "$1" checked directory  "$tool" verify "$checked" -q
}

# Twice the layers: memory must not grow.  The shape is no known model, so the number of
# heads is told.
twice_the_layers() {
	"$bench/make_ngc" --layers 48 "$twice"
	timed once twice convert "$tool" convert "$twice" -o "$out" -q \
		--num-attention-heads 16
}

cpu_model() {
	sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | sed -n 1p
}

clean_up() {
	rm -rf "$out" "$twice" "$checked"
}

# A virtual machine whose kernel hands free memory back to the host pays for it when it is
# wanted again: a second, now and then, on whichever side it falls.
reporting=/sys/module/page_reporting/parameters/page_reporting_order
if [ -r $reporting ] && [ "$(cat $reporting)" -lt 10 ]; then
	echo "note: this kernel reports free memory to its host, so expect outliers;"
	echo "      for steady figures, as root: echo 10 > $reporting"
fi

mkdir -p "$bench"
free_mib=$(df -Pk "$bench" | awk 'NR == 2 { print int($4 / 1024) }')
if [ "$free_mib" -lt "$need_mib" ]; then
	echo "bench: skipped: $bench has $free_mib MiB free, $need_mib MiB are needed" >&2
	exit 0
fi
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$bench/make_ngc" "$folder"
"$bench/make_zip" store "$folder" "$stored"
packed=$("$bench/make_zip" deflate "$folder" "$deflated")
echo "$packed"
python3 "$here/make_dist.py" "$checkpoint" "$dist"
python3 "$here/make_dist.py" --classic "$checkpoint" "$ranks"

rm -rf "$checked"
"$tool" convert "$folder" -o "$checked" -q
for same in "$dist" "$ranks"; do
	rm -rf "$out"
	"$tool" convert "$same" -o "$out" -q
	cmp "$checked/model.safetensors" "$out/model.safetensors" ||
		{ echo "bench: $same does not hold the model of $folder" >&2; exit 1; }
done

: > "$table"
round=0
while [ "$round" -le "$rounds" ]; do
	if [ "$round" -eq 0 ]; then echo "warm-up"; else echo "round $round of $rounds"; fi
	one_round "$round"
	round=$((round + 1))
done
echo "first byte, twice the layers"
timed_first_byte folder "$folder"
timed_first_byte stored "$stored"
timed_first_byte deflated "$deflated"
timed_first_byte dist "$dist"
twice_the_layers

awk -f "$here/summary.awk" -v markdown="$bench/results.md" -v json="$bench/results.json" \
	-v cpu="$(cpu_model)" -v cores="$(getconf _NPROCESSORS_ONLN)" \
	-v kernel="$(uname -sr)" -v date="$(date -u +%Y-%m-%d)" -v rounds="$rounds" \
	-v input_bytes="$(wc -c < "$checkpoint")" \
	-v deflate_percent="$(echo "$packed" | sed 's/.*(\(.*\) %)/\1/')" "$table"
python3 "$here/plot.py" "$bench/results.json" > "$bench/speed.svg"
cat "$bench/results.md"
echo
"$bench/cast"
