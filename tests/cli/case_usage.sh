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
try sign a --key k -o -
try convert a -o d --out e
try convert a -output d
try convert a -o d --forse
try convert a -o d -x
try convert a -o d --force=yes
try convert a -o d --tensors
try convert a -o d --sha256 ''
try convert a -o d --sha256 0f7b4b63f24c7ce98fb5981670d99f7c9f5d0162bb50790b714b16cfa96e600
try convert a -o d --tokenizer ''
try convert a -o d --profile hf4
try convert a -o d --dtype FP16
try convert a -o d --dtype half
try convert a -o d --dtype bf16
try convert a -o d --dtype fp32
try convert a -o d --dtype float64
try convert a -o d --allow-overflow
try convert a -o d --dtype keep --allow-overflow
try convert a -o d --stream tar
try convert a -o - --stream zip
try convert a -o - --stream tar --json >/dev/null
try convert a -o - --stream tar --staging ''
try convert a -o d --staging s
try convert a -o d --provenance ''
try convert a -o d --provenance -
SOURCE_DATE_EPOCH=2020-01-01 try convert a -o d --provenance p
SOURCE_DATE_EPOCH=today try convert a -o - --stream tar
SOURCE_DATE_EPOCH=8589934592 try convert a -o - --stream tar
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
try diff
try diff a
try diff a b c
try diff a ''
try diff a b --tolerance -1
try diff a b --tolerance=-1
try diff a b --tolerance nan
try diff a b --tolerance 1e-3x
try inspect d --tolerance 1
MEGATRON2HF_THREADS=all try verify d
# After -- nothing is an option.
try verify -- d --json
