# Weights in two forms are compared with each other.
mkdir -p same other
cp "$FIXTURES/gpt2/tiny-zip.safetensors" same/model.safetensors
cp "$FIXTURES/gpt2/tiny-zip.bin" same/pytorch_model.bin
cp "$FIXTURES/gpt2/tiny-zip.safetensors" other/model.safetensors
cp "$FIXTURES/gpt2/tiny-legacy.bin" other/pytorch_model.bin
for folder in same other; do
	"$MEGATRON2HF" verify --progress=none $folder
	echo "status $?"
done
