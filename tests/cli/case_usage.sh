# One line for every way to get the command line wrong; status 2 each time.
try() {
	echo "\$ megatron2hf $*" >&2
	"$MEGATRON2HF" "$@"
	[ $? -eq 2 ] || echo "not status 2" >&2
}
try -q
try ''
try convrt a -o d
try model.zip -o d
try help convrt
try help convert verify
try convert
try convert a
try convert -o d
try convert a b -o d
try convert '' -o d
try convert a -o ''
try convert a -o
try convert a -o -f
try convert a -o -
try convert a -o d --out e
try convert a -output d
try convert a -o d --forse
try convert a -o d -x
try convert a -o d --force=yes
try convert a -o d --tensors
try convert a -o d --sha256 ''
try convert a -o d --sha256 0f7b4b63f24c7ce98fb5981670d99f7c9f5d0162bb50790b714b16cfa96e600
try convert a -o d --tokenizer gpt2
try convert a -o d --vocab-size 0
try convert a -o d --vocab-size 50,257
try convert a -o d --num-attention-heads 0
try convert a -o d -j many
try convert a -o d --threads=-1
try convert a -o d --threads=99999999999999999999
try convert a -o d --progress bra
try convert a -o d --color=yes
try inspect
try inspect a b
try inspect a -o d
try verify
try verify d --sha256 x
try verify d --signature s
try verify d --key k
try verify d --ca c
try verify d --signature s --key k --ca c
try verify d --signature s --certificate c
try sign d
try sign --key k
try sign d --key ''
try sign d --key k --signature s
try verify d --"$(printf 'e\033[31mvil')"
MEGATRON2HF_THREADS=all try verify d
# After -- nothing is an option.
try verify -- d --json
