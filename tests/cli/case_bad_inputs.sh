# What people really hand in: one clear line for each, and nothing left behind.
# What depends on how a fixture was packed is left out: CRCs, offsets, sizes of parts.
try() {
	printf '$ convert %s\n' "$*" | cat -v >&2
	"$MEGATRON2HF" convert --progress=none "$@" -o out 2>err
	status=$?
	sed -e 's/(stored [0-9a-f]*, computed [0-9a-f]*)/(CRCS)/' -e 's/(offset [0-9]*)/(OFFSET)/' \
		-e 's/missing; file is [0-9]* bytes/missing; file is SIZE bytes/' err >&2
	echo "status $status" >&2
}
good=$FIXTURES/good-ngc-mini.zip
size=$(wc -c <"$good")

try missing.zip
: >empty.zip
try empty.zip
printf abc >tiny.pt
try tiny.pt
printf '<!DOCTYPE html>\n<html><title>404 Not Found</title></html>\n' >page.zip
try page.zip
printf '{"error": {"message": "Unauthorized"}}\n' >error.zip
try error.zip
printf '<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>\n' >denied.zip
try denied.zip
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 0 >lfs.zip
try lfs.zip
dd if=/dev/zero of=zeros.zip bs=4096 count=4 2>/dev/null
try zeros.zip
head -c $((size - 1)) "$good" >short.zip
try short.zip
head -c $((size / 2)) "$good" >half.zip
try half.zip
head -c $((size / 2)) "$good" >model.zip.part
try model.zip.part
printf '\037\213\010\000\000\000\000\000\000\003' >model.pt.gz
try model.pt.gz
printf '\050\000\000\000\000\000\000\000{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' >model.safetensors
try model.safetensors
printf 'GGUF\003\000\000\000\000\000\000\000' >model.gguf
try model.gguf
printf '\211HDF\r\n\032\n' >model.h5
try model.h5
printf '\177ELF\002\001\001%0100d' 0 >program.bin
try program.bin
mkdir folder
try folder
ln -s loop loop
try loop
mkfifo pipe
try pipe
try "$(printf 'evil\033[31m\nname')"
cp "$FIXTURES/ngc/bad-bitflip-stored.zip" bitflip.zip
try bitflip.zip --num-attention-heads 4 --vocab-size 101
cp "$FIXTURES/ngc/bad-global-os.pt" hostile.pt
try hostile.pt
cp "$good" model.zip
try model.zip --num-attention-heads 3
try model.zip --num-attention-heads 2 --vocab-size 60000
rm err
ls -A
