# The plan is data, and nothing is written.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
"$MEGATRON2HF" convert -n model.zip -o out --num-attention-heads 2 |
	sed -E -e 's/(conversion.json|SHA256SUMS)  .*/\1  .../' \
		-e 's/, [0-9.]* [a-zA-Z]* are free there/, SPACE are free there/' \
		-e 's/of at most .*/of at most BOUND/'
ls -A
"$MEGATRON2HF" convert --dry-run --json model.zip -o out --num-attention-heads 2 |
	sed -e 's/"free_bytes": [0-9]*/"free_bytes": SPACE/' \
		-e 's/"memory_bytes": [0-9]*/"memory_bytes": BOUND/' | tail -n 8
"$MEGATRON2HF" convert -n model.zip -o out
echo "status $?"
