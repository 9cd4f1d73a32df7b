# Reports that cannot be: nothing is left, and what is checked stays as it is.
unset GITHUB_STEP_SUMMARY
cp "$FIXTURES/good-ngc-mini.zip" model.zip
"$MEGATRON2HF" convert -q model.zip -o good --num-attention-heads 2
verify() {
	"$MEGATRON2HF" verify -q good "$@"
	echo "status $?" >&2
}
verify --report junit
verify --report junit=
verify --report xml=out.xml
verify --report junit=-
verify --report github=out
verify --report junit=a --report sarif=a
verify --report junit=no/where.xml
# A pipe stands for a device, which a fault would replace.
mkfifo pipe
verify --report sarif=pipe
verify --report junit=good/junit.xml
verify --report sarif=good
verify --report junit=good/config.json
verify --report junit=no/where.xml --json | sed -n 1,11p
(cd good && "$MEGATRON2HF" verify -q . --report junit=junit.xml)
echo "status $?" >&2
"$MEGATRON2HF" convert model.zip -o out --report github
GITHUB_STEP_SUMMARY=no/page verify --report github
"$MEGATRON2HF" verify good
