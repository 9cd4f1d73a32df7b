# A short usage, on standard error.
"$MEGATRON2HF"
