# A tokenizer that the user names: what is written, and what is wrong with it.
cp "$FIXTURES/ngc/good-torchzip.pt" model.pt
T=$FIXTURES/tokenizer
convert() {
	echo "\$ $*"
	"$MEGATRON2HF" convert model.pt "$@"
	echo "status $?"
}
sizes() { grep -E 'token_id"|vocab_size' "$1/config.json"; }

# All three files, which agree.  What the fixture holds is what its maker wrote.
convert -o small --tokenizer "$T/good-small"
"$MEGATRON2HF" verify -q small
sizes small
cat small/tokenizer_config.json; echo
cmp small/merges.txt "$T/good-small/merges.txt"
python3 - small "$T/good-small" <<'END'
import json, sys
def load(folder, name): return json.load(open(f"{folder}/{name}", encoding="utf-8"))
ours, theirs = sys.argv[1:]
vocabulary = load(theirs, "vocab.json")
written = open(f"{ours}/vocab.json", encoding="utf-8").read()
by_id = dict(sorted(vocabulary.items(), key=lambda item: item[1]))
print("vocab.json", written == json.dumps(by_id))
model, source = load(ours, "tokenizer.json")["model"], load(theirs, "tokenizer.json")["model"]
print("tokenizer.json", model["vocab"] == source["vocab"],
    model["merges"] == [" ".join(pair) for pair in source["merges"]])
inputs = load(ours, "conversion.json")["inputs"]
print("inputs", [(file["name"], file["shards"]) for file in inputs])
END
(cd "$T/good-small" && sha256sum -- *) | while read -r sum name; do
	grep -q "$sum" small/conversion.json || echo "no $name in the manifest"
done

# Row 162 `special`: quotes, line ends and </script> in a token; a token that is not special.
convert -q -o added --tokenizer "$T/good-added"
"$MEGATRON2HF" verify -q added
sizes added
python3 - <<'END'
import json
tokenizer = json.load(open("added/tokenizer.json", encoding="utf-8"))
for token in tokenizer["added_tokens"]:
    print(token)
vocabulary = json.load(open("added/vocab.json", encoding="utf-8"))
print([vocabulary[token["content"]] for token in tokenizer["added_tokens"]])
END

# The pair alone, under the names that Megatron-LM has for it, makes the same files.
mkdir pair
cp "$T/good-small/vocab.json" pair/gpt2-vocab.json
cp "$T/good-small/merges.txt" pair/gpt2-merges.txt
convert -q -o paired --tokenizer pair
for name in merges.txt vocab.json tokenizer_config.json config.json model.safetensors; do
	cmp small/$name paired/$name
done

# --dry-run names the files, and the same tokens may leave rows over where the user says so.
convert -n -o out --tokenizer pair 2>&1 | grep -E '^(read|decided  (vocab|tok)|note|status|file  .*(json|txt)  [0-9]+ b)' |
	grep -v SHA256SUMS
convert -q -o padded --tokenizer pair --vocab-size padded
sizes padded
convert -q -o out --tokenizer pair --vocab-size 99
convert -q -o out --tokenizer "$T/good-full"

# Row 153 `tokmissing`, row 154 `tokhalf`.
convert -q -o out --tokenizer missing
convert -q -o out --tokenizer model.pt
mkdir empty half
convert -q -o out --tokenizer empty
cp "$T/good-small/vocab.json" half
convert -q -o out --tokenizer half
mv half/vocab.json half/merges.txt
convert -q -o out --tokenizer half
# Row 155 `vocabdup`, row 156 `vocabgap`, row 159 `mergesbad`, row 161 `eot`.
broken() {      # SED-SCRIPT FILE
	rm -rf broken
	cp -R pair broken
	sed -i "$1" "broken/gpt2-$2"
	convert -q -o out --tokenizer broken
}
broken 's/"?":12,/"?":11,/' vocab.json
broken 's/"?":12,/"?":1000,/' vocab.json
broken 's/"?":12,/"?":12,"?":12,/' vocab.json
broken 's/|endoftext|/|endofrun|/' vocab.json
broken '3s/$/ x/' merges.txt
broken '4s/.*/Q Q/' merges.txt
broken '5p' merges.txt
# Row 158 `mergesver`: no version line, CRLF, a mark, blank lines, trailing blanks.
rm -rf broken
cp -R pair broken
python3 - <<'END'
lines = open("pair/gpt2-merges.txt", encoding="utf-8").read().splitlines()[1:]
open("broken/gpt2-merges.txt", "wb").write(
    b"\xef\xbb\xbf" + " \r\n\r\n".join(lines).encode())
END
convert -q -o normal --tokenizer broken
cmp small/merges.txt normal/merges.txt
# Row 160 `tokutf8`.
printf 'a \377\n' >>broken/gpt2-merges.txt
convert -q -o out --tokenizer broken
# Larger than any tokenizer.
rm broken/*
truncate -s 67108865 broken/tokenizer.json
convert -q -o out --tokenizer broken
# What is to be replaced is never read.
cp -R pair small/inside
convert -q -f -o small --tokenizer small/inside
ls
