# Weights against weights: the table, what is said beside it, statuses.  The numbers are
# checked by tests/diff.
try() {
	echo "\$ $*"
	echo "\$ $*" >&2
	"$MEGATRON2HF" diff --progress=none "$@"
	echo "status $?"
}
cp -R "$FIXTURES/diff" w
cp "$FIXTURES/ngc/good-torchzip.pt" "$FIXTURES/ngc/good-torchzip-rezipped-deflated.pt" \
	"$FIXTURES/gpt2/tiny-legacy.bin" "$FIXTURES/gpt2/hostile.bin" "$FIXTURES/good-ngc-mini.zip" w
try w/shards w/shards
try w/shards w/changed.safetensors
try w/shards w/changed.safetensors --tolerance 0.3
try w/types-a.safetensors w/types-b.pt --tolerance 1e0 -v
try w/odd.bin w/odd.safetensors -q
try w/shards w/views.bin -q
try w/shards w/views.bin --json | sed -n '1,60p'
# Of many lines a screen.
try w/good-torchzip.pt w/tiny-legacy.bin | cut -c 1-60
# Of two forms the first is compared; nothing at all is no equality.
mkdir w/both
cp w/shards/* w/both
cp w/views.bin w/both/pytorch_model.bin
try w/shards w/both
printf '\2\0\0\0\0\0\0\0{}' >w/none.safetensors
try w/none.safetensors w/none.safetensors
# Errors name the side they are about.
try w/shards gone
try w w/shards
try w/shards w/expected.json
try w/good-torchzip-rezipped-deflated.pt w/shards
try w/shards w/hostile.bin
try w/good-ngc-mini.zip w/shards
rm w/shards/model-00001-of-00002.safetensors
try w/views.bin w/shards --json | head -n 12
