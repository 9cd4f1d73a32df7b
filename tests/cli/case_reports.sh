# Reports for programs that run checks.  A report of a failure stays: that is what it is for,
# so that the program itself is run here, not the wrapper.
unset GITHUB_STEP_SUMMARY
cp "$FIXTURES/good-ngc-mini.zip" model.zip
"$MEGATRON2HF" convert -q model.zip -o good --num-attention-heads 2
verify() {
	echo "\$ verify $*"
	"$PROGRAM" verify --progress=none "$@" 2>err
	echo "status $?"
	cat err
}
mask() {
	sed -E -e 's/[0-9a-f]{40,64}/DIGEST/g' -e 's/"length": [0-9]+/"length": SIZE/'
}
{
	verify good --report github --report junit=good.xml
	cat good.xml
	# Missing, changed, one too many with a name that means something everywhere.
	cp -R good bad
	rm bad/vocab.json
	echo >>bad/config.json
	printf x >bad/model.safetensors
	echo nonsense >>bad/SHA256SUMS
	printf x >'bad/extra.safetensors
::error::,<&"'
	GITHUB_STEP_SUMMARY=page.md verify bad --report github
	cat page.md
	verify -q bad --report junit=bad.xml --report=sarif=bad.sarif
	cat bad.xml bad.sarif
	verify absent --report github --report junit=absent.xml --report sarif=absent.sarif
	cat absent.xml
	sed -n '/"invocations"/,/^      \]/p' absent.sarif
	verify bad --json --report github | sed -n '/"problems"/,/^    },/p'
	cat err
} | mask
