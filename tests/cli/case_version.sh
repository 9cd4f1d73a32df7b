"$MEGATRON2HF" --version
"$MEGATRON2HF" -V convert
"$MEGATRON2HF" --json --version
