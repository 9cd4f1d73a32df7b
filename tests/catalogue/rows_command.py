"""Rows 149 to 181: the command line, tokenizers, checksums; signatures are those of tests/sign."""
import hashlib
import json
import os
import pathlib

from checkpoint import Checkpoint, ROWS

GOOD = Checkpoint().torch_zip()


def usage(t):
    def wrong(row, slug, what, says, *arguments, env=None, code="usage"):
        def run(box):
            box.write("in.pt", GOOD)
            box.refused(2, code, says, *arguments, env=env)
        t.add(row, slug, what, 2, run)

    good = ("convert", "in.pt", "-o", "out")
    wrong(149, "usage", "unknown", r"unknown option --forse", *good, "--forse")
    wrong(149, "usage", "short", "unknown option -x", *good, "-x")
    wrong(149, "usage", "no-value", "needs a value", "convert", "in.pt", "-o")
    wrong(149, "usage", "dtype", '--dtype: expected .*, found "fp17"', *good, "--dtype", "fp17")
    for value in ("-1", "1e9", "x", "99999999999999999999", ""):
        wrong(149, "usage", "threads" + value, "--threads", *good, "--threads=" + value)
    for value in ("10Q", "-5GB", "5 GB", "", "99999999999GB", "0"):
        wrong(149, "usage", "size" + value, "--max-shard-size", *good, "--max-shard-size=" + value)
    wrong(149, "usage", "two-outputs", '--output: two places, "out" and "other"', *good, "-o",
          "other")
    t.converts(149, "usage", "threads0", GOOD, "--threads", "0")

    def suggested(box):
        box.write("in.pt", GOOD)
        box.expect(2, *good, "--forse", says=["did you mean --force"])
    t.add(149, "usage", "suggestion", 2, suggested)
    wrong(150, "noargsatall", "convert", "convert needs", "convert")

    def short(box):
        for words in ([], ["convert"]):
            box.expect(2, *words, says=["usage: "])
            if box.stdout or len(box.stderr.splitlines()) > 12:
                box.fault("no short usage on standard error")
    t.add(150, "noargsatall", "short", 2, short)

    def named(name):
        def run(box):
            (box.inside / os.fsdecode(name)).write_bytes(GOOD)
            box.converted(os.fsdecode(name))
        return run

    def after_dashes(box):
        box.write("-in.pt", GOOD)
        box.expect(0, "convert", "--output=out", "--", "-in.pt")
        if not box.out.is_dir():
            box.fault("nothing was made")
    t.add(151, "dash", "dashes", 0, after_dashes)
    for what, name in (("blank", b"my model.pt"), ("newline", b"my\nmodel.pt"),
                       ("utf8", "größe.pt".encode()), ("bytes", b"caf\xe9.pt")):
        t.add(151, "dash", what, 0, named(name))
    wrong(151, "dash", "empty", "the path is empty", "convert", "", "-o", "out")
    wrong(151, "dash", "empty-output", "the path is empty", "convert", "in.pt", "-o", "")
    t.refused(151, "dash", "path-max", 6, "File name too long", lambda box: "x/" * 2100 + "x",
              code="noinput")
    t.refused(151, "dash", "name-max", 6, "File name too long", lambda box: "x" * 300,
              code="noinput")

    def long_output(box):
        path = box.write("in.pt", GOOD)
        box.refused(7, "toolong", "too long", "convert", path, "-o", "y" * 300)
    t.add(151, "dash", "output-name-max", 7, long_output)
    for value in ("abc", "-1", "1.5"):
        wrong(152, "env", "threads" + value, f"MEGATRON2HF_THREADS: .*{value}", *good,
              env={"MEGATRON2HF_THREADS": value})
    for value in ("today", "-1", "2020-01-01", "8589934592"):
        wrong(152, "env", "date" + value, f"SOURCE_DATE_EPOCH: .*{value}", *good, "--provenance",
              "p", env={"SOURCE_DATE_EPOCH": value})


# ---- tokenizers --------------------------------------------------------------------------

EOT = "<|endoftext|>"
VOCABULARY = {token: number for number, token in enumerate([EOT, *"abcdefghijklm", "ab", "abc"])}
MERGES = "#version: 0.2\na b\nab c\n"
assert len(VOCABULARY) == ROWS


def tokenizers(t):
    def folder(box, vocabulary=VOCABULARY, merges=MERGES):
        for name, data in (("vocab.json", vocabulary), ("merges.txt", merges)):
            if data is not None:
                box.write("tok/" + name, data if isinstance(data,
                        (bytes, str)) else json.dumps(data))
        return box.inside / "tok"

    def refused(row, slug, what, status, says, vocabulary=VOCABULARY, merges=MERGES, code=None):
        def run(box):
            path = box.write("in.pt", GOOD)
            box.refused(status, code or slug, says, "convert", path, "-o", box.out, "--tokenizer",
                        folder(box, vocabulary, merges))
        t.add(row, slug, what, status, run)

    def taken(row, slug, what, vocabulary=VOCABULARY, merges=MERGES, says=(), options=(),
              also=lambda box: None):
        def run(box):
            path = box.write("in.pt", GOOD)
            box.expect(0, "convert", path, "-o", box.out, "--tokenizer", folder(box, vocabulary,
                    merges), *options, says=says)
            found = (box.out / "merges.txt").read_text() if (box.out / "merges.txt").exists() else ""
            if found != MERGES:
                box.fault("merges.txt is not the usual form: " + found)
            also(box)
        t.add(row, slug, what, 0, run)

    changed = lambda **new: dict(VOCABULARY, **new)
    without = lambda *tokens: {k: v for k, v in VOCABULARY.items() if k not in tokens}
    t.refused(153, "tokmissing", "", 6, "missing: .*No such file", GOOD, "--tokenizer", "missing",
              code=("tokmissing", "noinput"))

    def empty(box):
        (box.inside / "tok").mkdir()
        box.refused(6, "tokmissing", "the folder holds neither", "convert", box.write("in.pt",
                GOOD), "-o", box.out, "--tokenizer", box.inside / "tok")
    t.add(153, "tokmissing", "empty", 6, empty)
    refused(154, "tokhalf", "vocabulary", 6, "merges.txt is missing beside it", merges=None)
    refused(154, "tokhalf", "merges", 6, "vocab.json is missing beside it", vocabulary=None)
    refused(155, "vocabdup", "id", 3, r'vocab\.json.*id 2', changed(c=2))
    refused(155, "vocabdup", "token", 3, r"vocab\.json.*duplicate", json.dumps(VOCABULARY)[:-1] +
            ', "a": 16}', code=("vocabdup", "json"))
    refused(156, "vocabgap", "", 3, r"vocab\.json.*(id 13|missing|gap)", without("m"),
            code="vocabgap")
    refused(156, "vocabgap", "negative", 3, r"vocab\.json", changed(m=-1), code=("vocabgap",
            "vtok"))
    refused(156, "vocabgap", "huge", 3, r"vocab\.json", changed(m=2**40), code=("vocabgap",
            "vtok"))
    refused(157, "vocabsize", "more", 3, "17 tokens, but the vocabulary of the model has 16",
            dict(VOCABULARY, n=16))
    short = {k: v for k, v in VOCABULARY.items() if v < 14}
    t.add(157, "vocabsize", "fewer", 0, lambda box: box.expect(0, "convert", box.write("in.pt",
            GOOD), "-o", box.out, "--tokenizer",
                                                               folder(box, short, "#version: 0.2\n"), says=["2 padding rows"]))
    taken(158, "mergesver", "right")
    for what, merges in (("no-version", "a b\nab c\n"), ("crlf", MERGES.replace("\n", "\r\n")),
                         ("bom", "\ufeff" + MERGES),
                         ("blank-lines", "#version: 0.2\n\na b\n\nab c\n\n"),
                         ("trailing", "#version: 0.2\na b  \nab c \n"), ("no-end", MERGES[:-1])):
        taken(158, "mergesver", what, merges=merges)
    for what, line, says in (("one", "ab", "is not two tokens"), ("three", "a b c",
            "is not two tokens"), ("unknown", "a z", '"z"'), ("result", "b a", '"ba"'),
                             ("twice", "a b", "repeats line 2")):
        refused(159, "mergesbad", what, 3, r"merges\.txt: .*line 4.*" + says,
                merges=MERGES + line + "\n")
    refused(160, "tokutf8", "merges", 3, r"merges\.txt", merges=MERGES.encode() + b"a \xff\n")
    refused(160, "tokutf8", "overlong", 3, r"merges\.txt", merges=MERGES.encode() +
            b"a \xc1\xa2\n")
    refused(160, "tokutf8", "vocabulary", 3, r"vocab\.json",
            json.dumps(VOCABULARY).encode().replace(b'"m"', b'"\xff"'), code=("json", "tokutf8"))
    refused(160, "tokutf8", "surrogate", 3, r"vocab\.json", json.dumps(VOCABULARY).replace('"m"',
            '"\\ud800"'), code=("json", "tokutf8"))
    refused(161, "eot", "absent", 3, r"no <\|endoftext\|> token", {k.replace(EOT, "n"): v for k,
            v in VOCABULARY.items()})
    moved = {k: (v - 1) % ROWS for k, v in VOCABULARY.items()}

    def ids(box):
        told = json.loads((box.out / "config.json").read_text())
        if (told["bos_token_id"], told["eos_token_id"]) != (ROWS - 1, ROWS - 1):
            box.fault("config.json has other ids")
    taken(161, "eot", "last", moved, also=ids)

    def special(box):
        token = 'a"b\\c</script>\n'
        source = json.loads((box.fixtures / "tokenizer/good-small/tokenizer.json").read_text())
        source["model"]["vocab"], source["model"]["merges"] = {k: v for k,
                v in VOCABULARY.items() if v < 15}, [["a", "b"]]
        source["added_tokens"] = [dict(source["added_tokens"][0], id=0, content=EOT),
                                  dict(source["added_tokens"][0], id=15, content=token)]
        box.write("tok/tokenizer.json", json.dumps(source))
        box.expect(0, "convert", box.write("in.pt", GOOD), "-o", box.out, "--tokenizer",
                   box.inside / "tok")
        for name, held in (("tokenizer.json", lambda d: [x["content"] for x in d["added_tokens"]]),
                           ("vocab.json", lambda d: list(d))):
            path = box.out / name
            if path.exists() and token not in held(json.loads(path.read_text())):
                box.fault(f"{name}: the token is not in it")
        box.expect(0, "verify", box.out)
    t.add(162, "special", "", 0, special)


# ---- checksums --------------------------------------------------------------------------

def checksums(t):
    sum_of = hashlib.sha256(GOOD).hexdigest()
    t.refused(163, "shaexp", "", 1, f"SHA-256 mismatch: expected {'0' * 64}, found {sum_of}", GOOD,
              "--sha256", "0" * 64)
    flipped = GOOD.replace(b"\x80\2}", b"\x80\2]", 1)
    t.refused(163, "shaexp", "before-parsing", 1, "SHA-256 mismatch", flipped, "--sha256", sum_of)
    t.refused(164, "shaform", "63", 2,
              "not a SHA-256 value: expected 64 hex digits, found 63 characters", GOOD, "--sha256",
              sum_of[1:])
    for what, value in (("upper", sum_of.upper()), ("prefix", "sha256:" + sum_of)):
        t.converts(164, "shaform", what, GOOD, "--sha256", value)

    def listed(text):
        def run(box):
            path = box.write("in.pt", GOOD)
            box.converted(path, "--sha256", box.write("SUMS", text))
        return run
    for what, text in (("text", f"{sum_of}  in.pt\n"), ("binary", f"{sum_of} *in.pt\n"),
                       ("tag", f"SHA256 (in.pt) = {sum_of}\n"),
                       ("upper", f"{sum_of.upper()}  in.pt\n"),
                       ("crlf", f"{sum_of}  in.pt\r\n"), ("escape", f"\\{sum_of}  in.pt\n"),
                       ("more", f"{'0' * 64}  other\n{sum_of}  in.pt\n")):
        t.add(165, "sumsok", what, 0, listed(text))

    def verified(row, slug, what, status, says, change, *options):
        def run(box):
            box.expect(0, "convert", box.write("in.pt", GOOD), "-o", box.out, "--tokenizer",
                       "none")
            sums = box.out / "SHA256SUMS"
            change(box, sums, sums.read_text())
            box.expect(status, "verify", box.out, *options, says=[says] if says else [])
        t.add(row, slug, what, status, run)

    verified(165, "sumsok", "verify-crlf", 0, "", lambda box, sums,
             text: sums.write_bytes(text.replace("\n", "\r\n").encode()))
    verified(165, "sumsok", "verify-tags", 0, "", lambda box, sums, text: sums.write_text(
        "".join("SHA256 (%s) = %s\n" % (line[66:], line[:64]) for line in text.splitlines())))
    verified(166, "sumsbad", "one", 0, "1 line.* improperly formatted|malformed", lambda box, sums,
             text: sums.write_text(text + "nonsense\n"))
    verified(166, "sumsbad", "only", 1, "no properly formatted SHA-256 checksum line", lambda box,
             sums, text: sums.write_text("nonsense\n"))
    verified(166, "sumsbad", "empty", 1, "no properly formatted SHA-256 checksum line", lambda box,
             sums, text: sums.write_text(""))
    verified(167, "sumsmiss", "", 1, "gone.bin", lambda box, sums,
             text: sums.write_text(text + "0" * 64 + "  gone.bin\n"))
    verified(168, "sumsextra", "", 1, "notes.txt", lambda box, sums,
             text: (box.out / "notes.txt").write_text("x"))
    for what, name in (("up", "../x"), ("absolute", "/etc/passwd"), ("inner", "a/../../x")):
        verified(169, "sumspath", what, 5, "refusing a path outside the directory", lambda box,
                 sums, text, name=name: sums.write_text(text + "0" * 64 + "  " + name + "\n"))

    def outwards(box, sums, text):
        (box.out / "link").symlink_to("/etc/passwd")
        sums.write_text(text + "0" * 64 + "  link\n")
    verified(169, "sumspath", "link", 5, "refusing a link that leads out of the directory",
             outwards)
    verified(170, "sumsself", "", 1, "SHA256SUMS", lambda box, sums,
             text: sums.write_text(text + "0" * 64 + "  SHA256SUMS\n"))


def add(t):
    usage(t)
    tokenizers(t)
    checksums(t)
