"$MEGATRON2HF" help
"$MEGATRON2HF" help >one
"$MEGATRON2HF" -h >two
cmp one two
echo
for command in convert inspect verify diff sign help; do
	"$MEGATRON2HF" help $command
	echo
	"$MEGATRON2HF" help $command >one
	"$MEGATRON2HF" $command --help >two
	cmp one two
done
"$MEGATRON2HF" verify --help --json
