#!/bin/sh
# Indexes of distributed checkpoints that lie, and files that are not what an index says.
#
#     tests/dist/run.sh MEGATRON2HF                              from the project's root
#
# fixtures/dist/hostile/base must convert; with each other index in the place of its own, and
# after each damage below, the status, one line of error with the slug and the word, and
# nothing left.  `inspect` must end too, and never by a signal.
set -u
LC_ALL=C
export LC_ALL

[ $# -eq 1 ] || { echo "usage: $0 MEGATRON2HF" >&2; exit 2; }
m2h=$1
hostile=fixtures/dist/hostile
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0
failed=0
tab=$(printf '\t')

fail() {        # TEXT
	failed=$((failed + 1))
	echo "dist: $name: $1"
	sed -n '1,6s/^/    /p' "$temp/stderr"
}

fresh() {       # a copy of the base
	rm -rf "$temp/case"
	mkdir "$temp/case"
	cp -r $hostile/base/iter_0001000 "$temp/case/in"
	chmod -R u+w "$temp/case/in"
	in=$temp/case/in
}

convert() {
	"$m2h" convert "$in" -o "$temp/case/out" --vocab-size 101 "$@" \
	    >"$temp/stdout" 2>"$temp/stderr"
	status=$?
}

expect() {      # STATUS SLUG WORD
	convert
	if [ $status -ne "$1" ]; then
		fail "status $status, expected $1"
	elif [ "$(grep -c '^megatron2hf: error: ' "$temp/stderr")" -ne 1 ]; then
		fail "one line of error is expected"
	elif ! grep '^megatron2hf: error: ' "$temp/stderr" | grep -qF -e "$3"; then
		fail "does not say '$3'"
	elif [ "$(ls -A "$temp/case")" != in ] || [ -e canary ]; then
		fail "something is left"
	else
		convert --json
		if [ -n "$2" ] && ! grep -q "\"code\": *\"$2\"" "$temp/stdout"; then
			fail "--json does not say $2"
		else
			passed=$((passed + 1))
		fi
	fi
	"$m2h" inspect "$in" --tensors >"$temp/stdout" 2>"$temp/stderr"
	status=$?
	if [ $status -le 8 ]; then
		passed=$((passed + 1))
	else
		fail "inspect: status $status"
	fi
}

expect_good() {
	convert
	if [ $status -eq 0 ]; then
		passed=$((passed + 1))
	else
		fail "status $status"
	fi
}

name=base
fresh
expect_good
cp "$temp/case/out/model.safetensors" "$temp/right"

while IFS=$tab read -r name status slug word; do
	fresh
	cp "$hostile/index/$name.metadata" "$in/.metadata"
	expect "$status" "$slug" "$word"
done < $hostile/index/cases.tsv

# At byte 200 of a file lies the first item's pickle or padding; at its end, a directory.
name=pieces-cut-short
fresh
size=$(wc -c <"$in/__1_0.distcp")
head -c $((size - 1)) "$in/__1_0.distcp" >"$temp/cut"
cp "$temp/cut" "$in/__1_0.distcp"
expect 3 truncated "the file has"

name=pieces-are-zeros
fresh
head -c "$size" /dev/zero >"$in/__1_0.distcp"
expect 3 "" "__1_0.distcp:"

name=pieces-of-another-rank
fresh
cp "$in/__0_0.distcp" "$in/__1_0.distcp"
expect 3 "" "__1_0.distcp"

# One bit of each 61st byte of a file: whatever it hits, it is seen, or it was padding.
name=flipped-bit
at=0
while [ $at -lt "$size" ]; do
	fresh
	byte=$(od -An -tu1 -j $at -N 1 "$in/__1_0.distcp" | tr -d ' ')
	printf "\\$(printf %03o $((byte ^ 4)))" |
	    dd of="$in/__1_0.distcp" bs=1 seek=$at conv=notrunc 2>/dev/null
	convert
	if [ $status -eq 0 ] && cmp -s "$temp/case/out/model.safetensors" "$temp/right"; then
		passed=$((passed + 1))
	elif [ $status -ge 3 ] && [ $status -le 5 ] && [ "$(ls -A "$temp/case")" = in ]; then
		passed=$((passed + 1))
	else
		fail "at byte $at: status $status"
	fi
	at=$((at + 61))
done

name=index-cut-short
fresh
head -c 2000 $hostile/base/iter_0001000/.metadata >"$in/.metadata"
expect 3 "" ".metadata: "

name=index-missing
fresh
rm "$in/.metadata"
expect 6 noinput ".metadata"

name=index-with-more-behind
fresh
printf 'more' >>"$in/.metadata"
expect 3 nostop "after STOP"

name=marker-no-json
fresh
printf '{' >"$in/metadata.json"
expect 3 json "metadata.json"

name=marker-missing
fresh
rm "$in/metadata.json"
expect_good
grep -q "metadata.json is missing" "$temp/stderr" || fail "no warning"

name=common-missing
fresh
rm "$in/common.pt"
expect 4 "" "attention heads"
convert --num-attention-heads 4
if [ $status -eq 0 ] && cmp -s "$temp/case/out/model.safetensors" "$temp/right"; then
	passed=$((passed + 1))
else
	fail "status $status with the number of heads"
fi

name=common-no-dict
fresh
cp fixtures/torch/zip_single_tensor.pt "$in/common.pt"
expect 4 toplevel "a dict is expected"

name=rank-indexes
fresh
mv "$in/.metadata" "$in/__0.metadata"
rm "$in/metadata.json"
expect 4 distckpt "an index for each rank"

name=single-file
fresh
cp -r "$in" "$temp/whole"
in=$temp/case/in/__0_0.distcp
expect 4 distckpt "one file of a distributed checkpoint"

# Files that hold no weight are not asked for.  (Each item is alone in its file here.)
name=files-without-weights
rm -rf "$temp/case"
mkdir "$temp/case"
cp -r fixtures/dist/good-whole-layers/iter_0001000 "$temp/case/in"
chmod -R u+w "$temp/case/in"
in=$temp/case/in
convert --json
removed=0
for file in "$in"/*.distcp; do
	grep -q "\"${file##*/}\"" "$temp/stdout" && continue
	rm "$file"
	removed=$((removed + 1))
done
rm -rf "$temp/case/out"
convert
if [ $removed -ge 8 ] && [ $status -eq 0 ] && cmp -s "$temp/case/out/model.safetensors" "$temp/right"
then
	passed=$((passed + 1))
else
	fail "status $status without $removed files"
fi

# The optimizer is listed, and none of its items is parsed: here they are all zeros.
name=optimizer
rm -rf "$temp/case"
mkdir "$temp/case"
cp -r fixtures/dist/good-optimizer/iter_0001000 "$temp/case/in"
chmod -R u+w "$temp/case/in"
in=$temp/case/in
python3 - "$in" <<'END' || fail "the optimizer was not found"
import pickle
import sys


class Plain:
    def __init__(self, *args):
        pass

    def __setstate__(self, state):
        self.state = state


class Reader(pickle.Unpickler):
    def find_class(self, module, name):
        return type(name, (Plain,), {})


with open(sys.argv[1] + "/.metadata", "rb") as file:
    index = Reader(file).load()
count = 0
for key, info in index.state["storage_data"].items():
    if key.state["fqn"].startswith("optimizer."):
        with open("%s/%s" % (sys.argv[1], info.state["relative_path"]), "r+b") as file:
            file.seek(info.state["offset"])
            file.write(bytes(info.state["length"]))
            count += 1
sys.exit(count < 80)
END
convert --json
if [ $status -eq 0 ] && grep -q '"optimizer"' "$temp/stdout" &&
    cmp -s "$temp/case/out/model.safetensors" "$temp/right"; then
	passed=$((passed + 1))
else
	fail "status $status, or the optimizer is not listed as left out"
fi

echo "dist: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
