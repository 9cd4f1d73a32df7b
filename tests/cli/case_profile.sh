# The older form of config.json: same values, other keys, and the result passes verify.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
for profile in hf5 hf4.18; do
	"$MEGATRON2HF" convert -q model.zip -o $profile --num-attention-heads 2 --profile $profile
	"$MEGATRON2HF" verify -q $profile
	echo "status $?"
done
diff hf5/config.json hf4.18/config.json
diff -rq hf5 hf4.18 || :
# An activation that the programs of the older form do not know.
for profile in hf5 hf4.18; do
	"$MEGATRON2HF" convert "$FIXTURES/eras/good-relu2-C-23.04-tp1-pp1.zip" -o relu-$profile --profile $profile 2>&1 | grep '^warning'
done
