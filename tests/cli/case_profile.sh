# The older form of config.json: same values, other keys, and the result passes verify.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
for profile in hf5 hf4.18; do
	"$MEGATRON2HF" convert -q model.zip -o $profile --num-attention-heads 2 --profile $profile
	"$MEGATRON2HF" verify -q $profile
	echo "status $?"
done
diff hf5/config.json hf4.18/config.json
diff -rq hf5 hf4.18 || :
