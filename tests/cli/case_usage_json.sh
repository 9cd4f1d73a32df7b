# With --json a usage error is a document as well, wherever --json stands.
"$MEGATRON2HF" convert a --bogus --json
"$MEGATRON2HF" --json inspect | head -n 9
"$MEGATRON2HF" verify --json
"$MEGATRON2HF" --json cnvert
