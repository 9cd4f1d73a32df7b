# sign and verify --signature: what they say.  Keys are made by openssl, so that nothing of
# them is golden; tests/sign compares the bytes.
"$MEGATRON2HF" convert -q "$FIXTURES/eras/good-small-C-23.04-tp1-pp1.zip" -o gpt2 --tokenizer none
openssl ecparam -name prime256v1 -genkey -noout -out key.pem
openssl pkey -in key.pem -pubout -out key.pub
openssl ecparam -name secp384r1 -genkey -noout -out other.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:secret -out locked.pem
openssl genpkey -algorithm ED25519 -out ed.pem
chmod 600 key.pem other.pem locked.pem ed.pem
try() {
	echo "\$ megatron2hf $*" >&2
	"$MEGATRON2HF" "$@" --progress=none 2>err
	status=$?
	sed -E -e 's/[0-9a-f]{64}/DIGEST/g' -e 's/  [0-9.]+ (kB|bytes) /  SIZE /' -e 's/sha256 [0-9a-f]{4}…[0-9a-f]{2}/sha256 .../g' err >&2
	[ $status -eq 0 ] || echo "status $status" >&2
}
try sign gpt2 --key key.pem
try sign gpt2 --key key.pem
try sign -f -v gpt2 --key key.pem
try verify gpt2 --signature gpt2/model.sig --key key.pub
try verify gpt2 --signature gpt2/model.sig --key other.pem
try verify gpt2 --signature gpt2/model.sig --ca key.pub
try sign gpt2 --key ed.pem -o ed.sig
MEGATRON2HF_PASSPHRASE=secret try sign -q gpt2 --key locked.pem -o locked.sig
MEGATRON2HF_PASSPHRASE=wrong try sign gpt2 --key locked.pem -o wrong.sig
try sign gpt2 --key key.pem -f -o gpt2/config.json
try sign -q gpt2 --key key.pem -o gpt2/second.sig
try sign -q gpt2 --key key.pem -f -o gpt2/second.sig
rm gpt2/second.sig
chmod 644 key.pem
try sign gpt2 --key - -o piped.sig <key.pem
try sign gpt2 --key key.pem -o open.sig
mv gpt2/config.json gpt2/config.jso
try verify gpt2 --signature gpt2/model.sig --key key.pub
"$MEGATRON2HF" sign gpt2 --key none.pem --json -o new.sig 2>/dev/null
