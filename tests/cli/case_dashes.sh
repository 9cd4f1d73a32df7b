# Names that look like options, and others that only look odd.
cp "$FIXTURES/good-ngc-mini.zip" -- ./-model.zip
"$MEGATRON2HF" convert --progress=none --num-attention-heads=2 --output=-out -- -model.zip
echo "status $?"
"$MEGATRON2HF" verify -- -out
"$MEGATRON2HF" convert -q --num-attention-heads=2 -o 'with blank/' ./-model.zip
echo "status $?"
odd=$(printf 'caf\351 \033[31m')
"$MEGATRON2HF" convert --progress=none --num-attention-heads=2 -o "$odd" ./-model.zip | cat -v
"$MEGATRON2HF" convert --progress=none --num-attention-heads=2 -o "$odd" ./-model.zip
echo "status $?"
