# Larger models: does time grow as bytes do, and memory not at all?  Sourced by run.sh, as the
# part "sizes" and as "scale".  The shapes are those of the Megatron-LM paper.

size=$bench/size

# made_size NAME LAYERS HIDDEN HEADS VOCABULARY TENSOR_SIZE MIB_IN
made_size() {
	has_room "$part $1" $((2 * $7 + 2000)) || return
	"$bench/make_ngc" --layers "$2" --hidden "$3" --vocab "$5" --tensor-size "$6" "$size" \
		> "$bench/size.log" || exit 1
	fact "bytes $1" "$(stat -c %s "$size"/release/*/*.pt | awk '{ all += $1 } END { printf "%.0f", all }')"
	fact "ranks $1" "$6"
	heads=$4
	timed once version version "$tool" --version    # the memory of doing nothing
}

size_round() {  # NAME ROUND
	timed "$2" "$1" convert "$tool" convert "$size" -o "$out" -q --num-attention-heads "$heads"
	timed "$2" "$1" floor "$bench/floor" convert "$out" "$size"/release/*/*.pt
}

measured_size() {
	if made_size "$@"; then
		warm=$size
		repeat size_round "$1"
		warm=
		rm -rf "$size"
	fi
}

rm -rf "$size"
if [ "$part" = sizes ]; then
	measured_size 345M 24 1024 16 50304 1 680
	measured_size '345M in 8' 24 1024 16 50304 8 680
	measured_size 1.2B 40 1536 16 50304 1 2320
	measured_size 2.5B 54 1920 20 50304 1 4780
elif has_room scale 40000 && made_size 8.3B 72 3072 24 51200 8 15900; then
	timed once 8.3B convert "$tool" convert "$size" -o "$out" -q --num-attention-heads 24
	mv "$out" "$bench/large"
	timed once 8.3B verify "$tool" verify "$bench/large" --source "$size" -q \
		--num-attention-heads 24
	rm -rf "$size" "$bench/large"
fi
