# One document on standard output, nothing on standard error; on failure its line as well.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
# The manifest names its tool and its source: its digest is nothing to write down here.
mask() {
	sed -E -e 's/"free_bytes": [0-9]+/"free_bytes": SPACE/' \
		-e 's/"memory_bytes": [0-9]+/"memory_bytes": BOUND/' \
		-e '/"(conversion.json|SHA256SUMS)"/,/\}/d'
}
"$MEGATRON2HF" convert --json model.zip -o out --num-attention-heads 2 | mask
"$MEGATRON2HF" verify --json out | mask
"$MEGATRON2HF" convert --json missing.zip -o out2
echo "status $?"
