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
try -o out --provenance p.json
try -f -o out --provenance p.json
"$MEGATRON2HF" convert -q model.zip --num-attention-heads 2 -o - --stream tar --staging folder \
	--provenance streamed.json | tar tf - | wc -l
ls -A folder
cmp p.json streamed.json && head -n 4 p.json
