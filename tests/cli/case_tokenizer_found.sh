# --tokenizer auto: files that came with the checkpoint, in the zip or beside it.
T=$FIXTURES/tokenizer
PT=$FIXTURES/ngc/good-torchzip.pt
# What it says of the tokenizer and the vocabulary, and the first warning.
convert() {
	echo "\$ $*"
	"$MEGATRON2HF" convert -v "$@" 2>&1 | grep -E '^(error|megatron2hf|warning|note  .*(token|row)|decided  (tok|vocab))'
	rm -rf out
}
pack() {        # ZIP, then MEMBER=FILE ...
	python3 - "$@" <<'END'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for pair in sys.argv[2:]:
        archive.write(pair.partition("=")[2], pair.partition("=")[0])
END
}
SHARD=release/mp_rank_00/model_optim_rng.pt

# GPT-2's own pair in the zip, under Megatron-LM's names: the bytes of the built-in table.
"$MEGATRON2HF" convert -q "$FIXTURES/good-ngc-mini.zip" -o builtin --num-attention-heads 2
mkdir rank
python3 -c "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall('rank')" "$FIXTURES/good-ngc-mini.zip"
pack gpt2.zip "$SHARD=rank/$SHARD" gpt2-vocab.json=builtin/vocab.json gpt2-merges.txt=builtin/merges.txt
"$MEGATRON2HF" convert -v gpt2.zip -o found --num-attention-heads 2 2>&1 | grep -E ' tokenizer |tokenizer ='
for name in config.json merges.txt model.safetensors tokenizer.json tokenizer_config.json vocab.json; do
	cmp builtin/$name found/$name
done

# In a zip: around the shard, inmost first; else the only other folder.
pack a.zip "a/$SHARD=$PT" "a/vocab.json=$T/good-small/vocab.json" "a/merges.txt=$T/good-small/merges.txt"
convert a.zip -o out
pack b.zip "a/$SHARD=$PT" "tokenizer.json=$T/good-full/tokenizer.json" "a/release/tokenizer.json=$T/good-added/tokenizer.json"
convert b.zip -o out
pack c.zip "a/$SHARD=$PT" "extra/tokenizer.json=$T/good-small/tokenizer.json"
convert c.zip -o out
pack d.zip "a/$SHARD=$PT" "x/tokenizer.json=$T/good-small/tokenizer.json" "y/tokenizer.json=$T/good-small/tokenizer.json"
convert d.zip -o out
convert a.zip -o out --tokenizer none
convert a.zip -o out --tokenizer "$T/good-added"
"$MEGATRON2HF" inspect a.zip | grep -i token
cat a.zip | convert - -o out

# Beside a file, in the root and in the folders below it; not above the root.
mkdir -p box/above/iter_0000100/mp_rank_00
cp "$PT" box/above/iter_0000100/mp_rank_00/model_optim_rng.pt
echo 100 >box/above/latest_checkpointed_iteration.txt
all() {
	for source in box/above box/above/iter_0000100 box/above/iter_0000100/mp_rank_00 \
		box/above/iter_0000100/mp_rank_00/model_optim_rng.pt; do
		convert "$source" -o out
	done
}
cp "$T/good-small/tokenizer.json" box
all
mv box/tokenizer.json box/above
all
cp "$T/good-added/tokenizer.json" box/above/iter_0000100
all
rm box/above/tokenizer.json box/above/iter_0000100/tokenizer.json

# Row 157 `vocabsize`, and what else is wrong: a warning, and it is not used.
beside() {      # FILE NAME
	mkdir -p beside
	cp "$PT" beside/model.pt
	cp "$1" "beside/$2"
	convert beside/model.pt -o out
	rm -r beside
}
beside "$T/good-full/tokenizer.json" tokenizer.json
beside "$T/good-small/vocab.json" vocab.json
beside "$T/make.py" tokenizer.json
printf '{"model": {"type": "Unigram"}}' >unigram.json
beside unigram.json tokenizer.json
mkfifo box/above/tokenizer.json
convert box/above -o out
"$MEGATRON2HF" convert -q --strict box/above -o out
echo "status $?"
ls

# The directory, without the files that told of its vocabulary, against the checkpoint alone.
"$MEGATRON2HF" convert -q a.zip -o trimmed
"$MEGATRON2HF" verify trimmed --source "$PT"
echo "status $?"
