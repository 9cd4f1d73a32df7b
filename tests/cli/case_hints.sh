# What was meant by a path or a value that does not do, and the way out.
try() {
	echo "\$ megatron2hf $*" >&2
	"$MEGATRON2HF" "$@" >out.log 2>err.log
	echo "status $?" >>err.log
	grep -v '^reading ' err.log >&2
}
cp "$FIXTURES/good-ngc-mini.zip" model.zip
"$MEGATRON2HF" convert -q model.zip -o hf --num-attention-heads 2 --weights both >out.log
mkdir ranks empty
unzip -q model.zip -d ranks
cp -R "$FIXTURES/eras/good-folders-model_rng-folder" checkpoint
# One file of what is several.
try convert hf/config.json -o new
try convert hf/tokenizer.json -o new
try convert hf/conversion.json -o new
try convert hf/model.safetensors -o new
try convert hf/pytorch_model.bin -o new
echo 1000 >latest_checkpointed_iteration.txt
try convert latest_checkpointed_iteration.txt -o new
cp ranks/release/mp_rank_00/model_optim_rng.pt layer_01-model_00-model_states.pt
try convert layer_01-model_00-model_states.pt -o new
# What is no place of a checkpoint.
try convert https://example.org/model.zip -o new
mkfifo pipe
try convert pipe -o new
printf 'model_config.yaml' >weights.nemo
dd if=/dev/zero bs=1 count=240 2>/dev/null >>weights.nemo
printf 'ustar' >>weights.nemo
dd if=/dev/zero bs=1 count=4096 2>/dev/null >>weights.nemo
try convert weights.nemo -o new
# Folders.
try verify empty
try verify ranks/release
try verify -
try diff - hf
mkdir root
cp -R ranks/release root/iter_0001000
echo 2000 >root/latest_checkpointed_iteration.txt
try convert root -o new
# Values.
: >none.txt
try convert model.zip -o new --num-attention-heads 2 --sha256 none.txt
try convert model.zip -o new --num-attention-heads 3
try convert model.zip -o new --num-attention-heads 2 --tokenizer gpt2
try convert model.zip -o new --num-attention-heads 2 --tokenizer hf/tokenizer.json
try verify hf --source model.zip
# Ranks, zips in zips, keys.
cp -R "$FIXTURES/eras/good-folders-model_rng-folder" holed
find holed -type d -name 'mp_rank_01*' -prune -exec rm -r {} +
try convert holed -o new
mkdir package && cp model.zip package && (cd package && zip -q0 ../nested.zip model.zip)
try convert nested.zip -o new
zip -q0 packed.zip hf/model.safetensors hf/config.json
try convert packed.zip -o new
openssl ecparam -name prime256v1 -genkey -noout -out key.pem 2>/dev/null
openssl pkey -in key.pem -pubout -out public.pem 2>/dev/null
try sign hf --key public.pem
# No configuration at all, and what verify can be told of it.
try verify empty --source model.zip
try diff hf model.zip
try diff checkpoint hf
