# What the input must hash to.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
sum=$(sha256sum model.zip | cut -d ' ' -f 1)
other=0f7b4b63f24c7ce98fb5981670d99f7c9f5d0162bb50790b714b16cfa96e6008
convert() { "$MEGATRON2HF" convert -q --num-attention-heads 2 model.zip "$@" 2>&1; echo "status $?"; }
convert -o one --sha256 "$sum"
convert -o two --sha256 "sha256:$(echo "$sum" | tr a-f A-F)"
convert -n -o planned --sha256 "$other" | grep -e '^note.*sha256' -e '^status'
sha256sum model.zip >SHA256SUMS
convert -o three --sha256 SHA256SUMS
convert -o four --sha256 "$other"
echo "$sum  other.zip" >sums
convert -o five --sha256 sums
convert -o six --sha256 no-such-file
# The name that tells most of the path; one with more folders only where it is the only one.
list() { for line; do echo "$line"; done >sums; }
list "$other  old/model.zip" "$sum  model.zip"
convert -o exact --sha256 sums
list "$sum  old/model.zip" "$other  ./model.zip"
convert -o changed --sha256 sums
list "$sum  old/model.zip"
convert -o alone --sha256 sums
list "$sum  old/model.zip" "$sum  new/model.zip"
convert -o agreed --sha256 sums
list "$sum  old/model.zip" "$other  new/model.zip"
convert -o ambiguous --sha256 sums
list "$sum  model.zip" "$other  ./model.zip"
convert -o twice --sha256 sums
# A folder whose one shard is damaged is first of all not what the list says.
cp -r "$FIXTURES/ngc/good-label-2.0-tp2" ck
(cd ck && sha256sum iter_*/mp_rank_*/*.pt >SUMS)
damage() { printf '%s' "$2" | dd of="$1" bs=1 seek="$3" conv=notrunc 2>/dev/null; }
folder() { "$MEGATRON2HF" convert -q --vocab-size 101 ck --sha256 ck/SUMS "$@" 2>&1 |
	sed 's/found [0-9a-f]*/found DIGEST/; s/expected [0-9a-f]*,/expected DIGEST,/'; }
folder -o seven
damage ck/iter_0001000/mp_rank_01/model_optim_rng.pt XXXX 20
folder -o eight
ls -A
