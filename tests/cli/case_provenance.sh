# What was made of what, beside the directory; where it cannot be, nothing is made.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
mkdir folder
echo old >folder/old.json
try() {
	echo "\$ megatron2hf convert model.zip $*"
	"$MEGATRON2HF" convert --progress=none model.zip --num-attention-heads 2 "$@" 2>&1 | grep -v \
		-e '^read' -e '^model' -e '^layout' -e '^note' -e '^weights' -e '^decided'
	ls -A
}
try -o out --provenance absent/p.json
try -o out --provenance folder
try -o out --provenance folder/old.json
try -o out --provenance folder/old.json -n -q
try -o out --provenance out
try -o out --provenance ./out/p.json
try -o out/ --provenance folder/../out
try -o folder -f --provenance folder/p.json
try -f -o out --provenance model.zip
cat folder/old.json
# What is to be read is not replaced, whatever it is named by and wherever it would be found.
cp -r "$FIXTURES/ngc/good-label-2.0-tp2" ck
"$MEGATRON2HF" convert -q model.zip --num-attention-heads 2 -o made
mkdir -p tokens shelf
cp made/vocab.json made/merges.txt tokens
cp model.zip made/vocab.json made/merges.txt shelf
echo '{"n_head": 2}' >config.json
echo '# Mine' >card.md
sha256sum model.zip >sums
read=$(find ck shelf tokens config.json card.md sums -type f | sort)
before=$(cksum $read)
keep() {
	file=$1
	shift
	echo "\$ megatron2hf convert -f $* --provenance $file"
	"$MEGATRON2HF" convert -q -f -o none --provenance "$file" "$@" 2>&1
	echo "status $?"
}
keep ck/latest_checkpointed_iteration.txt ck --vocab-size 101
keep tokens/vocab.json model.zip --num-attention-heads 2 --tokenizer tokens
keep shelf/vocab.json shelf/model.zip --num-attention-heads 2
keep config.json model.zip --config config.json
keep card.md model.zip --num-attention-heads 2 --model-card card.md
keep sums model.zip --num-attention-heads 2 --sha256 sums
[ "$(cksum $read)" = "$before" ] || echo 'something that was read is gone'
rm -r ck made tokens shelf config.json card.md sums
try -o out --provenance p.json
try -f -o out --provenance p.json
"$MEGATRON2HF" convert -q model.zip --num-attention-heads 2 -o - --stream tar --staging folder \
	--provenance streamed.json | tar tf - | wc -l
ls -A folder
cmp p.json streamed.json && head -n 4 p.json
