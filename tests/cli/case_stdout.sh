# A full disk behind standard output is an error, a reader that went away is not.
[ -c /dev/full ] || { echo "no /dev/full" >&2; exit 77; }
"$MEGATRON2HF" --help >/dev/full
echo "status $?"
"$MEGATRON2HF" --version >/dev/full
echo "status $?"
"$MEGATRON2HF" help --json >/dev/full
echo "status $?"
{ "$MEGATRON2HF" help; echo "status $?" >&2; } | :
# Closed descriptors are no reason to fail, unless something but words was to go there, and no
# file gets their numbers.
"$MEGATRON2HF" --version <&- >/dev/null
echo "status $?"
"$MEGATRON2HF" --version <&- >&-
echo "status $?"
"$MEGATRON2HF" inspect "$FIXTURES/good-ngc-mini.zip" >&-
echo "status $?"
"$MEGATRON2HF" inspect - <&-
echo "status $?"
"$MEGATRON2HF" convert -q "$FIXTURES/good-ngc-mini.zip" --num-attention-heads 2 \
	-o - --stream tar >&-
echo "status $?"
"$MEGATRON2HF" bogus 2>&-
echo "status $?"
