#!/bin/sh
# What stands around the weights, read by programs that are not ours: Python's json and yaml,
# sha256sum, tar.
#
#     tests/furniture/run.sh BUILD          from the project's root; BUILD holds the programs
set -u
LC_ALL=C
export LC_ALL
unset SOURCE_DATE_EPOCH

[ $# -eq 1 ] || { echo "usage: $0 BUILD" >&2; exit 2; }
build=$(cd "$1" && pwd) || exit 2
here=$PWD/tests/furniture
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0
failed=0

# expect TEXT COMMAND ...: succeeds
expect() {
	text=$1
	shift
	if "$@" >"$temp/log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "furniture: $text"
		sed -n '1,12s/^/    /p' "$temp/log"
	fi
}

# ---- JSON ---------------------------------------------------------------------------

mkdir "$temp/json"
"$build/tests/unit/test_json_conformance" "$temp/json" >/dev/null
expect "Python's json agrees about what is JSON" python3 "$here/json_opinion.py" "$temp/json"

# ---- model card ----------------------------------------------------------------------

m2h=$build/megatron2hf
model=$PWD/fixtures/good-ngc-mini.zip

convert() {     # SRC DIR option ...
	source=$1
	shift
	"$m2h" convert -q "$source" --num-attention-heads 2 -o "$@"
}

same() {        # FILE FILE
	cmp "$1" "$2"
}

is_whole() {    # DIR: by sha256sum and by verify
	(cd "$1" && sha256sum --strict --quiet -c SHA256SUMS) && "$m2h" verify -q "$1"
}

cd "$temp" || exit 2
expect 'a card' convert "$model" card --model-card auto --license no
expect 'its directory' is_whole card
expect 'its metadata' python3 "$here/read_card.py" card/README.md good-ngc-mini.zip no
expect 'a card twice' convert "$model" again --model-card auto --license no
expect 'the same bytes' diff -r card again
expect 'a card of standard input' convert - piped --model-card auto <"$model"
expect 'which it names' grep -q '^- standard input, ' piped/README.md
"$m2h" convert -n --json "$model" --num-attention-heads 2 -o new --model-card auto \
    --license no >plan.json
expect 'the sizes of a dry run' python3 -c '
import json, os
sizes = {file["name"]: file["bytes"] for file in json.load(open("plan.json"))["outputs"]}
for name in ("README.md", ".gitattributes", "config.json"):
    assert sizes[name] == os.path.getsize("card/" + name), name
'

# Names that are Markdown, YAML, HTML, or do not print.
hostile() {     # NAME AS-SHOWN
	cp "$model" "$1"
	expect "a card for $2" convert "./$1" hostile --model-card auto
	expect "the card of $2" python3 "$here/read_card.py" hostile/README.md "$2"
	rm -rf hostile "$1"
}
hostile 'a*b*_c_[d](http:e)<b>x|y&amp;$z$.zip' 'a*b*_c_[d](http:e)<b>x|y&amp;$z$.zip'
hostile '`tick``ticks`.zip' '`tick``ticks`.zip'
hostile '# - "quote": {no}, !x @y \z.zip' '# - "quote": {no}, !x @y \z.zip'
hostile "$(printf 'line\n---\nlicense: evil.zip')" 'line\x0a---\x0alicense: evil.zip'
hostile "$(printf 'esc\033[31m\377.zip')" 'esc\x1b[31m\xff.zip'

# A text of the user's: with a block of its own as it is, without one under ours.
printf '# Mine\n\nWords.' >body.md
printf -- '---\nlicense: mit\n---\n# Mine\n' >whole.md
expect 'a body' convert "$model" body --model-card body.md --license mit
expect 'a body under the block' sh -c 'sed "1,/^tags/d;1,/^---$/d" body/README.md | tail -n +2 |
	cmp - body.md && head -n 2 body/README.md | tail -n 1 | grep -qx "license: \"mit\""'
expect 'a whole card' convert "$model" whole --model-card whole.md
expect 'a whole card as it is' same whole.md whole/README.md

# ---- provenance ---------------------------------------------------------------------

expect 'a statement' convert "$model" stated --provenance stated.json
expect 'its digests' python3 "$here/read_provenance.py" stated.json stated "$model"
cp "$model" 'a b%é#?.zip'
printf '{"n_head": 2}' >two.json
(
	SOURCE_DATE_EPOCH=1700000000
	export SOURCE_DATE_EPOCH
	expect 'a statement with a date' convert './a b%é#?.zip' dated --config two.json \
	    --model-card body.md --provenance dated.json
	expect 'its date and all that was read' python3 "$here/read_provenance.py" dated.json dated \
	    "$temp/a b%é#?.zip" two.json body.md --date 2023-11-14T22:13:20Z
	cp dated.json dated-before.json
	expect 'it is replaced with --force' convert './a b%é#?.zip' dated --config two.json \
	    --model-card body.md --provenance dated.json -f -j 1
	expect 'by the same bytes' same dated.json dated-before.json
	echo "$passed $failed" >counts
)
read -r passed failed <counts
ranks=$OLDPWD/fixtures/ngc/good-tp2
expect 'a statement for several ranks' sh -c '"$0" convert -q "$1" -o ranks --provenance ranks.json \
    --num-attention-heads 4 || "$0" convert -q "$1" -o ranks --provenance ranks.json' "$m2h" "$ranks"
expect 'the digests of all ranks' python3 "$here/read_provenance.py" ranks.json ranks \
    $(find "$ranks" -name '*.pt' | sort)
mkdir named beside
cp stated/vocab.json stated/merges.txt named
cp "$model" named/vocab.json named/merges.txt beside
expect 'a statement with a tokenizer' convert "$model" tokens --tokenizer named \
    --provenance tokens.json
expect 'its files too' python3 "$here/read_provenance.py" tokens.json tokens "$model" \
    named/vocab.json named/merges.txt
expect 'a statement with a tokenizer that was found' convert beside/good-ngc-mini.zip found \
    --provenance found.json
expect 'these files too' python3 "$here/read_provenance.py" found.json found "$model" \
    beside/vocab.json beside/merges.txt
expect 'nothing beside them' sh -c 'test -z "$(ls -A | grep m2h)"'

# What is replaced lies too deep to be removed: the result is there, and so is its statement.
replace_deep() {
	mkdir -p "deep/$(printf '%040d' 0 | sed 's,0,d/,g')"
	convert "$model" deep --provenance deep.json --force
	[ $? -eq 7 ]
}
expect 'an old tree that cannot be removed' replace_deep
expect 'the statement of the new one' python3 "$here/read_provenance.py" deep.json deep "$model"
rm -rf .deep.m2h-*

# The statement cannot be synced: nothing appears.  It cannot be moved: all else is there.
fault() {       # CALL WHEN
	rm -rf out out.json
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e trace="$1" -e inject="$1:error=EIO:when=$2" \
	    "$m2h" convert -q "$model" --num-attention-heads 2 -o out --provenance out.json \
	    >/dev/null 2>said
	[ $? -eq 7 ] && [ "$(ls -d out out.json .out* 2>/dev/null | tr '\n' ' ')" = "$3" ]
}
if strace -qq -o /dev/null true 2>/dev/null; then
	expect 'nothing when it cannot be synced' fault fsync 1 ''
	expect 'what is there when it cannot be moved' fault renameat2 2 'out '
	expect 'and that it is' grep -q '^hint: the result itself is complete and in its place$' said
	lockless() {    # ERROR WHEN: flock fails, and nothing but the directory is there
		rm -rf lockless && mkdir lockless
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e trace=flock \
		    -e inject="flock:error=$1$2" "$m2h" convert -q "$model" \
		    --num-attention-heads 2 -o lockless/out
		[ "$? $(ls -A lockless)" = "$3" ]
	}
	expect 'a file system without locks' lockless ENOSYS '' '0 out'
	expect 'one lock that fails' lockless EIO :when=1 '0 out'
	expect 'no lock to be had' lockless EIO '' '7 '
else
	echo "furniture: no faults injected: strace does not work here"
fi

# ---- tar ----------------------------------------------------------------------------

stream() {      # FILE option ...
	file=$1
	shift
	"$m2h" convert -q "$model" --num-attention-heads 2 -o - --stream tar "$@" >"$file"
}

mkdir staging
expect 'a stream' stream one.tar --staging staging --model-card auto --license no
expect 'nothing is left of it' rmdir staging
mkdir staging extracted
expect 'tar reads it' tar -C extracted -xf one.tar
expect 'what the directory holds' diff -r card extracted
expect 'the same modes' sh -c 'test -z "$(find extracted -type f ! -perm 644)"'
expect 'the same bytes again' sh -c '
	umask 077 && cd / && TZ=Asia/Tokyo TMPDIR="$3" "$0" convert -q "$1" -j 1 -o - --stream tar \
	    --num-attention-heads 2 --model-card auto --license no | cmp - "$2"' \
    "$m2h" "$model" "$temp/one.tar" "$temp/staging"
expect 'nothing is left in TMPDIR' rmdir staging
(SOURCE_DATE_EPOCH=1700000000 && export SOURCE_DATE_EPOCH && stream dated.tar)
expect "Python's tarfile reads it" python3 -c '
import tarfile
for name, time in (("one.tar", 0), ("dated.tar", 1700000000)):
    members = tarfile.open(name).getmembers()
    assert [m.name for m in members] == sorted(m.name for m in members), name
    for m in members:
        assert m.isreg() and (m.mtime, m.uid, m.gid, m.mode) == (time, 0, 0, 0o644), m.get_info()
        assert m.uname == m.gname == "" and not m.pax_headers, m.get_info()
'
expect 'a header beyond 8 GiB' "$build/tests/unit/test_tar" large.tar
expect "Python's tarfile reads that" python3 -c '
import tarfile
with tarfile.open("large.tar") as archive:
    sizes = {m.name: (m.size, m.mtime) for m in archive.getmembers()}
    assert sizes == {"large.bin": (9 * 2**30 + 2, 86400), "small.txt": (5, 86400)}, sizes
    assert archive.extractfile("small.txt").read() == b"after"
'
expect 'and tar' sh -c 'tar -xOf large.tar small.txt | grep -qx after'
rm -f large.tar
mkdir empty
expect 'terminals, readers that go, readers that stall' \
    sh -c 'cd empty && python3 "$0" "$@"' "$here/stream.py" "$m2h" "$model"
cd "$OLDPWD" || exit 2

echo "furniture: $passed passed, $failed failed"
[ $failed -eq 0 ]
