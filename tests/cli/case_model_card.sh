# README.md on request, and what is wrong with a request for it.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
try() {
	echo "\$ megatron2hf convert model.zip $*"
	"$MEGATRON2HF" convert -q model.zip -o out --num-attention-heads 2 "$@" 2>&1
	echo "status $?"
}
mkdir cards
printf 'Words.\n' >cards/body.md
printf -- '---\nlicense: mit\n---\n' >cards/whole.md
printf -- '---\nlicense: mit\n' >cards/open.md
printf '\357\273\277Words.\n' >cards/bom.md
printf 'Words \377.\n' >cards/latin.md
head -c 1048577 /dev/zero | tr '\0' x >cards/large.md
try --license mit
try --model-card none --license mit
try --model-card ''
try --model-card -
try --model-card absent.md
try --model-card cards
try --model-card cards/open.md
try --model-card cards/bom.md
try --model-card cards/latin.md
try --model-card cards/large.md
try --model-card cards/whole.md --license mit
try --model-card cards/body.md --license ''
try --model-card cards/body.md --license 'Apache 2.0'
try --model-card auto --json --license 'a: b' | grep -E '"(code|exit|message)"|^status'
try --model-card cards/body.md --license apache-2.0
cat out/README.md
ls -A out
"$MEGATRON2HF" verify out
# The card is not in what is replaced.
"$MEGATRON2HF" convert -q -f model.zip -o cards --num-attention-heads 2 --model-card cards/body.md
echo "status $?"
