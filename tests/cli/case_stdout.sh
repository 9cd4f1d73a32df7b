# A full disk behind standard output is an error, a reader that went away is not.
[ -c /dev/full ] || { echo "no /dev/full" >&2; exit 77; }
"$MEGATRON2HF" --help >/dev/full
echo "status $?"
"$MEGATRON2HF" --version >/dev/full
echo "status $?"
"$MEGATRON2HF" help --json >/dev/full
echo "status $?"
{ "$MEGATRON2HF" help; echo "status $?" >&2; } | :
# No file gets the numbers of closed descriptors, and what was to go there is missed.
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
