# inspect knows its own results as well.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
"$MEGATRON2HF" convert -q model.zip -o out --num-attention-heads 2
"$MEGATRON2HF" inspect out
echo "status $?"
"$MEGATRON2HF" inspect out/model.safetensors --tensors | head -n 30
