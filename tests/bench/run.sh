#!/bin/sh
# Measures conversions of full-size inputs against what the machine allows at best.
#
#     sh tests/bench/run.sh BUILD_DIR MEGATRON2HF
#
# PARTS="NAME ..." chooses among these, the others keep the results they had:
#
#     rounds       the table of cases, each beside its floor
#     threads      one thread beside two
#     sizes        models of 345M, 1.2B and 2.5B parameters: 12 GB of disk
#     memory       the same with input and output in /dev/shm: 12 GB of memory
#     calls        how large reads and writes are (strace)
#     slow         a disk that is slower than the conversion (root)
#     kernel       conversions, transpositions and permutations beside memcpy()
#     scale        8.3B parameters in 8 ranks: 40 GB of disk, some minutes; SCALE=1 adds it
#     reference    the script that transformers had; needs what `make interop` needs, PyPI too;
#                  REFERENCE=1 adds it
#
# ROUNDS=N: rounds that count (5), after one that does not.  The programs are those of this
# folder, built as BUILD_DIR/bench/NAME.  Inputs are made there and kept; results are
# BUILD_DIR/bench/results.json, the README's section in speed.md and its pictures.
set -eu
LC_ALL=C
export LC_ALL

[ $# -eq 2 ] && [ "${ROUNDS:-5}" -ge 1 ] ||
	{ echo "usage: [PARTS='NAME ...'] [ROUNDS=N] run.sh BUILD_DIR MEGATRON2HF" >&2; exit 2; }
here=$(dirname "$0")
build=$1
bench=$1/bench
tool=$2
rounds=${ROUNDS:-5}
parts=${PARTS:-rounds threads sizes memory calls slow kernel ${SCALE:+scale} ${REFERENCE:+reference}}

folder=$bench/ngc
checkpoint=$folder/release/mp_rank_00/model_optim_rng.pt
stored=$bench/ngc-stored.zip
deflated=$bench/ngc-deflated.zip
dist=$bench/dist                # the same model in four files, as Megatron Core saves it
ranks=$bench/ranks              # and as it saved four ranks before
out=$bench/out
group=                          # a control group, while there is one
in_memory=                      # a folder in memory, while there is one

. "$here/timing.sh"

cpu_model() {
	sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | sed -n 1p
}

clean_up() {
	rm -rf "$out" "$bench/twice" "$bench/checked" "$bench/one" "$bench/size" "$bench/large" \
		"$bench/traces" "$bench/reference" "$bench/size.log" "$bench/unfinished.tsv"
	[ -z "$in_memory" ] || rm -rf "$in_memory"
	[ -z "$group" ] || rmdir "$group" 2>/dev/null || :
}

# A virtual machine whose kernel hands free memory back to its host in small pieces is never
# without them, whatever resident.c does.
reporting=/sys/module/page_reporting/parameters/page_reporting_order
if [ -r $reporting ] && [ "$(cat $reporting)" -lt 10 ]; then
	echo "note: this kernel reports free memory to its host, so expect outliers;"
	echo "      for steady figures, as root: echo 10 > $reporting"
fi

mkdir -p "$bench/rows"
has_room bench 7000 || exit 0
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$bench/make_ngc" "$folder"
"$bench/make_zip" store "$folder" "$stored"
packed=$("$bench/make_zip" deflate "$folder" "$deflated")
echo "$packed"
python3 "$here/make_dist.py" "$checkpoint" "$dist"
python3 "$here/make_dist.py" --classic "$checkpoint" "$ranks"

for part in $parts; do
	echo "part $part"
	rows=$bench/unfinished.tsv
	: > "$rows"
	fact date "$(date -u +%Y-%m-%d)"
	fact rounds "$rounds"
	case $part in
	rounds|threads|calls|slow)
		. "$here/$part.sh" ;;
	sizes|memory|scale)
		. "$here/sizes.sh" ;;
	reference)
		python3 "$here/reference.py" "$build" "$tool" "$rows" "$rounds" ;;
	kernel)
		"$bench/kernel" ;;
	*)
		echo "bench: no part is called $part" >&2
		exit 2 ;;
	esac
	# A part that was skipped leaves the results of an earlier run.
	[ "$(wc -l < "$rows")" -le 2 ] || mv "$rows" "$bench/rows/$part.tsv"
done

rows=$bench/rows/machine.tsv
: > "$rows"
fact cpu "$(cpu_model)"
fact cores "$(getconf _NPROCESSORS_ONLN)"
fact kernel "$(uname -sr)"
grep -q sha_ni /proc/cpuinfo && fact sha yes || fact sha no
fact filesystem "$(df --output=fstype "$bench" | sed -n 2p)"
fact 'bytes in' "$(wc -c < "$checkpoint")"
fact 'deflated percent' "$(echo "$packed" | sed 's/.*(\(.*\) %)/\1/')"
python3 "$here/summary.py" "$bench/rows" > "$bench/results.json"
python3 "$here/speed.py" "$bench/results.json" > "$bench/speed.md"
[ ! -e "$bench/rows/rounds.tsv" ] ||
	python3 "$here/plot.py" cases "$bench/results.json" > "$bench/speed.svg"
[ ! -e "$bench/rows/sizes.tsv" ] ||
	python3 "$here/plot.py" sizes "$bench/results.json" > "$bench/sizes.svg"
cat "$bench/speed.md"
