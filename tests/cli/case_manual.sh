# The examples of the manual work as they are printed.
cp "$FIXTURES/ngc/good-torchzip.pt" megatron_lm_345m_v0.0.zip
cp "$FIXTURES/ngc/good-torchzip.pt" model_optim_rng.pt
megatron2hf() { "$MEGATRON2HF" "$@"; }
sed -n 's/^\.Dl \$ //p' "$FIXTURES/../man/megatron2hf.1" >examples
while read -r line; do
	echo "\$ $line"
	eval "$line" 2>err >out || cat err >&2
	sed -E -e 's/(conversion.json|SHA256SUMS)  .*/\1  .../' \
		-e 's/: .* are free there/: SIZE, SPACE are free there/' \
		-e 's/of at most .*/of at most BOUND/' out
done <examples
