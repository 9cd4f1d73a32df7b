# What the input must hash to.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
sum=$(sha256sum model.zip | cut -d ' ' -f 1)
convert() { "$MEGATRON2HF" convert -q --num-attention-heads 2 model.zip "$@" 2>&1; echo "status $?"; }
convert -o one --sha256 "$sum"
convert -o two --sha256 "sha256:$(echo "$sum" | tr a-f A-F)"
sha256sum model.zip >SHA256SUMS
convert -o three --sha256 SHA256SUMS
convert -o four --sha256 0f7b4b63f24c7ce98fb5981670d99f7c9f5d0162bb50790b714b16cfa96e6008
echo "$sum  other.zip" >sums
convert -o five --sha256 sums
convert -o six --sha256 no-such-file
ls -A
