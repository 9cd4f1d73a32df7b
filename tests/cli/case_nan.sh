# NaN and infinities are copied as they are, and told; --strict wants none.
cp "$FIXTURES/ngc/good-odd-values.pt" model.pt
"$MEGATRON2HF" convert --vocab-size 101 --num-attention-heads 4 model.pt -o out 2>&1 | grep '^warning'
"$MEGATRON2HF" convert --vocab-size 101 --num-attention-heads 4 -q model.pt -o strict --strict
echo "status $?"
ls
