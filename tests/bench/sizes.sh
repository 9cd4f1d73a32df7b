# Larger models: does time grow as bytes do, and memory not at all?  Sourced by run.sh, as the
# parts "sizes" and "scale", and as "memory": the same where no disk is waited for.  The shapes
# are those of the Megatron-LM paper.

size=$bench/size
where=                          # what the names of cases end with

# made_size NAME LAYERS HIDDEN HEADS VOCABULARY TENSOR_SIZE MIB_IN
made_size() {
	has_room "$part $1" $((2 * $7 + 2000)) "$(dirname "$size")" || return
	"$bench/make_ngc" --layers "$2" --hidden "$3" --vocab "$5" --tensor-size "$6" "$size" \
		> "$bench/size.log" || exit 1
	fact "bytes $1" "$(stat -c %s "$size"/release/*/*.pt | awk '{ all += $1 } END { printf "%.0f", all }')"
	fact "ranks $1" "$6"
	heads=$4
	timed once version version "$tool" --version    # the memory of doing nothing
}

size_round() {  # NAME ROUND
	timed_twice "$2" "$1$where" convert "$tool" convert "$size" -o "$out" -q \
		--num-attention-heads "$heads"
	timed_twice "$2" "$1$where" floor "$bench/floor" convert "$out" "$size"/release/*/*.pt
}

measured_size() {
	if made_size "$@"; then
		warm=$size written=$7
		repeat size_round "$1"
		warm= written=
		rm -rf "$size" "$out"
	fi
}

rm -rf "$size"
case $part in
sizes)
	measured_size 345M 24 1024 16 50304 1 680
	measured_size '345M in 8' 24 1024 16 50304 8 680
	measured_size 1.2B 40 1536 16 50304 1 2320
	measured_size 2.5B 54 1920 20 50304 1 4780 ;;
memory)
	if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" != tmpfs ]; then
		skipped memory "/dev/shm is no file system in memory"
	elif [ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -lt 13000 ]; then
		skipped memory "13000 MiB of memory are needed"
	else
		in_memory=$(mktemp -d /dev/shm/megatron2hf-bench.XXXXXX)
		size=$in_memory/size out=$in_memory/out where=' in memory'
		measured_size 345M 24 1024 16 50304 1 680
		measured_size 1.2B 40 1536 16 50304 1 2320
		measured_size 2.5B 54 1920 20 50304 1 4780
		out=$bench/out
		rm -rf "$in_memory"
	fi ;;
scale)
	if has_room scale 40000 && made_size 8.3B 72 3072 24 51200 8 15900; then
		timed once 8.3B convert "$tool" convert "$size" -o "$out" -q \
			--num-attention-heads 24
		mv "$out" "$bench/large"
		timed once 8.3B verify "$tool" verify "$bench/large" --source "$size" -q \
			--num-attention-heads 24
		rm -rf "$size" "$bench/large" "$out"
	fi
	# Sixteen times that: as many layers as there is room for, and the plan of all, after which
	# it may say that there is no room for them.
	for layers in 2 72; do
		case=131B
		[ $layers = 72 ] || case="131B, $layers layers"
		"$bench/make_ngc" --layers $layers --hidden 12288 --vocab 51200 --tensor-size 8 \
			--holes "$size" > "$bench/size.log"
		timed once "$case" plan sh -c '"$@" 2> /dev/null || :' sh "$tool" convert "$size" \
			-o "$out" -q --num-attention-heads 96 --dry-run
		rm -rf "$size"
	done
	if made_size '131B, 2 layers' 2 12288 96 51200 8 8200; then
		timed once '131B, 2 layers' convert "$tool" convert "$size" -o "$out" -q \
			--num-attention-heads 96
		rm -rf "$size"
	fi ;;
esac
