# All problems are listed, not the first.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
"$MEGATRON2HF" convert -q model.zip -o good --num-attention-heads 2
check() {
	printf '$ %s\n' "$1" | cat -v >&2
	rm -rf out
	cp -R good out
	eval "$1"
	"$MEGATRON2HF" verify --progress=none out 2>err
	status=$?
	sed "s/[0-9a-f]\{40,64\}/DIGEST/g" err >&2
	echo "status $status" >&2
}
check ':'
check 'rm out/config.json'
check 'echo >>out/config.json'
check 'echo hello >out/extra.txt; rm out/generation_config.json'
check 'printf "\377" | dd of=out/model.safetensors bs=1 seek=400000 conv=notrunc 2>/dev/null'
check 'rm out/SHA256SUMS'
check 'rm out/model.safetensors'
check 'printf x >out/model.safetensors'
check 'echo "{}" >out/conversion.json'
check 'mv out/merges.txt .; ln -s ../merges.txt out/merges.txt'
