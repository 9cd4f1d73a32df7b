# An option goes before what the checkpoint says, and that it does is told.
tell() {
	source=$1
	shift
	"$MEGATRON2HF" convert --progress=none "$source" -o out --vocab-size 101 "$@" 2>&1 |
		grep -e 'error' -e '^note.* --[qa]'
	grep '"code": ".*-overridden"' out/conversion.json
	rm -rf out
	echo "told of $*"
}
cp "$FIXTURES/ngc/good-label-3.0-tp1.pt" labelled.pt
tell labelled.pt --qkv-layout 0 --strict
tell labelled.pt --qkv-layout 2
cp "$FIXTURES/eras/good-args-activation-option.zip" args.zip
tell args.zip --activation relu2
tell args.zip --activation gelu
tell args.zip --activation gelu_new
cp "$FIXTURES/good-ngc-mini.zip" silent.zip
tell silent.zip --activation relu2 --qkv-layout 1 --num-attention-heads 2 --vocab-size padded
