# A directory against the checkpoint it was made from.
try() {
	echo "\$ verify $*"
	echo "\$ verify $*" >&2
	"$MEGATRON2HF" verify --progress=none "$@"
	echo "status $?"
}
cp "$FIXTURES/good-ngc-mini.zip" model.zip
"$MEGATRON2HF" convert -q model.zip -o good --num-attention-heads 2
try good --source model.zip
try good --source model.zip --num-attention-heads 2 -v | sed 's/  sha256.*//'
try good --source model.zip -q
try good --source model.zip --json 2>/dev/null | grep -A 99 '"tensors"'
try good --source - <model.zip
cat model.zip | try good --source -
# One number, and a bit of the list beside it.
cp -R good changed
rm changed/SHA256SUMS changed/conversion.json
printf '\001' | dd of=changed/model.safetensors bs=1 seek=1000000 conv=notrunc 2>/dev/null
try changed --source model.zip
try changed --source model.zip --tolerance 1000
try changed --source model.zip --json | sed -n '/"problems"/,/"files"/p'
# The rows in the order of another version.
cp "$FIXTURES/ngc/good-label-3.0-tp1.pt" labelled.pt
"$MEGATRON2HF" convert -q labelled.pt -o confused --qkv-layout 0 --vocab-size 101 --tokenizer none
try confused --source labelled.pt --vocab-size 101
try confused --source labelled.pt --vocab-size 101 --qkv-layout 0
# Sources that cannot be read, with what is wrong in the directory.
try changed --source gone.pt
cp "$FIXTURES/ngc/bad-bitflip-stored.zip" damaged.zip
"$MEGATRON2HF" convert -q "$FIXTURES/ngc/good-stored.zip" -o small --num-attention-heads 4
echo >small/merges.txt
rm -f small/SHA256SUMS small/conversion.json
try small --source damaged.zip
# The command line.
try good --source
try good --source ''
try good --tolerance 1
try good --qkv-layout 1
try good --memory-limit 1GB
try good --source model.zip --tolerance -1
try good --source model.zip --tolerance nan
try good --source model.zip other
