# A tar on standard output: its summary, its plan, and what can go wrong with it.
[ -c /dev/full ] || { echo "no /dev/full" >&2; exit 77; }
cp "$FIXTURES/good-ngc-mini.zip" model.zip
mkdir staging
convert() {
	"$MEGATRON2HF" convert -o - --stream tar --staging "${staging:-staging}" --num-attention-heads 2 "$@"
	echo "status $?" >&2
}
convert model.zip | tar tf -
convert -n -q model.zip | sed -E -e 's/(conversion.json|SHA256SUMS)  .*/\1  .../' \
	-e 's/output: .* are free there/output: SIZE, SPACE are free there/' \
	-e 's/of at most .*/of at most BOUND/'
convert -q - <model.zip | tar tf - | sed -n 1,2p
cat model.zip | convert -q - | tar tf - | tail -n 1
convert -q model.zip >/dev/full
staging=absent convert -q model.zip
staging=model.zip convert -q model.zip
# The plan refuses what the run would.
staging=absent convert -n -q model.zip
staging=model.zip convert -n -q model.zip
# Nothing on standard output when the input is bad.
head -c 200000 model.zip >cut.zip
convert -q cut.zip | wc -c
find . | sort
