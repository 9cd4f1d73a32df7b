# What a newcomer types, and whether the answer helps.
try() {
	echo "\$ megatron2hf $*" >&2
	"$MEGATRON2HF" "$@"
	echo "status $?"
}
cp "$FIXTURES/good-ngc-mini.zip" model.zip
mkdir 'my models' 'größe' deep deep/er
cp model.zip 'my models/model ü.zip'
cp -R "$FIXTURES/eras/good-folders-model_rng-folder" deep/er/checkpoint
"$MEGATRON2HF" convert -q 'my models/model ü.zip' -o 'größe/out dir' --num-attention-heads 2
"$MEGATRON2HF" convert -q ./deep/../model.zip -o gpt2/ --num-attention-heads 2
# Another place, another kind of thing.
try convert model.zip gpt2-new
try convert gpt2 -o again
try convert deep -o again
try convert . -o again
try convert my models/model.zip -o again
try convert model.zip -o .
try verify model.zip
try verify gpt2 --source 'größe/out dir'
try sign model.zip --key none
try diff gpt2
# A word that is not quite right.
try version
try help convrt
try model.zip -o gpt2-new
try convert model.zip -o again --heads 2
try convert model.zip -o again --qkv-layout 3
try convert model.zip -o again --dtype fp16
try convert model.zip -o again --num-attention-heads two
# What is right all the same.
try verify -q gpt2/../gpt2/
try verify -q 'größe/out dir' --source 'my models/model ü.zip'
(cd gpt2 && try verify -q .)
