cp -r "$FIXTURES/megatron/core_v0.19.0_torch_dist_tp2_pp2/checkpoint" checkpoint
cp -r "$FIXTURES/dist/good-optimizer" optimizer
# The reading of NVIDIA's own: no common.pt, 2 x 2 ranks.
"$MEGATRON2HF" inspect checkpoint
echo
"$MEGATRON2HF" inspect checkpoint -v | grep '^globals'
echo
"$MEGATRON2HF" inspect checkpoint --tensors | grep -c '^tensor'
"$MEGATRON2HF" inspect checkpoint --args | grep -E '^arg.(num_layers|tensor_model_parallel_size)'
echo
"$MEGATRON2HF" convert checkpoint -o out --dry-run | sed 's/, [0-9.]* [a-zA-Z]* are free there/, SPACE are free there/'
echo
"$MEGATRON2HF" convert checkpoint -o out -j 1
# Each file that was read is in the manifest, with its pieces; each tensor names its files.
tr -d ' \n' <out/conversion.json | grep -o '"name":"__3_0.distcp".*"layout":{[^}]*}'
grep -A 8 '"name": "transformer.h.1.attn.c_attn.weight"' out/conversion.json |
    grep -E '"(name|shape)"'
grep -A 30 '"name": "transformer.h.1.attn.c_attn.weight"' out/conversion.json |
    grep -A 4 '"shards"' | head -5
echo
"$MEGATRON2HF" convert optimizer -o small --vocab-size 101 --sha256 "$(printf %064d 0)"
echo "status $?"
(cd optimizer/iter_0001000 && sha256sum .metadata common.pt ./*.distcp | sed 's|\./||') >sums
"$MEGATRON2HF" convert optimizer -o small --vocab-size 101 --sha256 sums -q
sed 's/^[0-9a-f]*/0000000000000000000000000000000000000000000000000000000000000000/' sums >wrong
"$MEGATRON2HF" convert optimizer -o other --vocab-size 101 --sha256 wrong -q
echo "status $?"
"$MEGATRON2HF" convert optimizer/iter_0001000/__0_0.distcp -o other -q
echo "status $?"
"$MEGATRON2HF" convert optimizer -o other -q --qkv-layout 0
echo "status $?"
"$MEGATRON2HF" verify out
"$MEGATRON2HF" verify out --source checkpoint
# DeepSpeed's files for each layer.
cp -r "$FIXTURES/deepspeed/good-bigscience-tp2" deepspeed
"$MEGATRON2HF" convert deepspeed -o layers --vocab-size 101
"$MEGATRON2HF" verify layers --source deepspeed/global_step1000 --vocab-size 101 -q
echo "status $?"
