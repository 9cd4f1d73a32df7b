# -v says all; -q says nothing, but standard output keeps its data.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
# The manifest names its tool and its source: its digest is nothing to write down here.
mask() { sed -E 's/(conversion.json|SHA256SUMS)  .*/\1  .../'; }
{ "$MEGATRON2HF" convert -v model.zip -o out --num-attention-heads 2 2>&1 >&3 | mask >&2; } 3>&1
"$MEGATRON2HF" convert -q model.zip -o quiet --num-attention-heads 2
"$MEGATRON2HF" verify -v out | mask
"$MEGATRON2HF" verify -q out
diff -r out quiet
