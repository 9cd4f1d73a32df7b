# "-": a file is read in place, a pipe is spooled.
"$MEGATRON2HF" convert - -o file --num-attention-heads 2 <"$FIXTURES/good-ngc-mini.zip"
echo "status $?"
cat "$FIXTURES/good-ngc-mini.zip" | "$MEGATRON2HF" convert - -o pipe --num-attention-heads 2
echo "status $?"
cmp file/model.safetensors pipe/model.safetensors
"$MEGATRON2HF" convert - -o none </dev/null
echo "status $?"
ls -A
