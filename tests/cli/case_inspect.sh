cp "$FIXTURES/good-ngc-mini.zip" model.zip
cp "$FIXTURES/ngc/good-torchzip.pt" torch.pt
"$MEGATRON2HF" inspect model.zip
echo
"$MEGATRON2HF" inspect model.zip -v --num-attention-heads 2
echo
"$MEGATRON2HF" inspect torch.pt --tensors --args
echo
"$MEGATRON2HF" inspect torch.pt --json
# It fits on a screen.
[ "$("$MEGATRON2HF" inspect torch.pt | wc -l)" -le 24 ] || echo "more than 24 lines"
