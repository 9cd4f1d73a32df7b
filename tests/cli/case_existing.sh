# What exists stays as it is, unless --force, which replaces it as a whole.
cp "$FIXTURES/good-ngc-mini.zip" model.zip
convert() { "$MEGATRON2HF" convert -q --num-attention-heads 2 "$@"; echo "status $?"; }
mkdir out empty
echo precious >out/file
convert model.zip -o out
cat out/file
convert model.zip -o empty
echo text >name
convert model.zip -o name
cat name
ln -s nowhere link
convert model.zip -o link
convert model.zip -o missing/out
convert model.zip -o out --force
ls -A out
convert model.zip -o model.zip --force
cmp model.zip "$FIXTURES/good-ngc-mini.zip"
ls -A
# What goes is told; the result does not depend on it.
mkdir theirs
touch theirs/a theirs/b theirs/c "theirs/$(printf '\033[31md')"
told() { "$MEGATRON2HF" convert --num-attention-heads 2 "$@" 2>&1 | grep replac; }
told model.zip -o theirs -f -n
told model.zip -o theirs -f
told model.zip -o theirs -f
told model.zip -o theirs -f -n
told model.zip -o new -f
told model.zip -o empty -f
cmp theirs/conversion.json new/conversion.json
