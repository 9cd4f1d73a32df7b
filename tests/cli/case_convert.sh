# The simple case, as a person sees it, and that the result is what it says.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
"$MEGATRON2HF" convert model.zip -o out --num-attention-heads 2
echo "status $?"
ls -A . out
(cd out && sha256sum -c --quiet SHA256SUMS) && grep -v conversion.json out/SHA256SUMS
"$MEGATRON2HF" verify out
