# inspect knows its own results as well.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
"$MEGATRON2HF" convert -q model.zip -o out --num-attention-heads 2
"$MEGATRON2HF" inspect out
echo "status $?"
"$MEGATRON2HF" inspect out/model.safetensors --tensors | head -n 30
# Torch weights in shards, with the masks and the head of transformers 4.18.
"$MEGATRON2HF" convert -q "$FIXTURES/good-ngc-mini.zip" --num-attention-heads 2 --profile hf4.18 --max-shard-size 2MB -o torch
"$MEGATRON2HF" inspect torch
