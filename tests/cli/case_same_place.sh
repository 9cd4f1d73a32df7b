# --force never removes what is to be read, however it was named.
convert() { "$MEGATRON2HF" convert -q --vocab-size 101 "$@"; echo "status $?"; }
cp -r "$FIXTURES/ngc/good-label-2.0-tp2" ck
count() { find ck -name '*.pt' | wc -l; }
convert ck -o ck/iter_0001000 --force
convert ck -o ck/iter_0001000/mp_rank_01 --force
count
mkdir in
cp "$FIXTURES/good-ngc-mini.zip" in/model.zip
convert - --num-attention-heads 2 -o in --force <in/model.zip
ls in
mkdir -p linked/iter_0001000/mp_rank_00 linked/iter_0001000/mp_rank_01
for rank in 00 01; do
	ln -s "../../../ck/iter_0001000/mp_rank_$rank/model_optim_rng.pt" \
		"linked/iter_0001000/mp_rank_$rank/model_optim_rng.pt"
done
convert linked/iter_0001000 -o ck --force
count
cp "$FIXTURES/good-ngc-mini.zip" model.zip
sha256sum model.zip >in/SUMS
convert model.zip --num-attention-heads 2 --sha256 in/SUMS -o in --force
ls in
convert model.zip --num-attention-heads 2 -o / --force
