"""Every --json document and every conversion.json against the schemas in man/."""

import copy
import glob
import json
import os
import shutil
import subprocess

from jsonschema.validators import Draft202012Validator

from checking import BOX, PROGRAM, check, convert_mini, copy_tree, end, run


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def validator(name):
    schema = load("man/%s.schema.json" % name)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


DOCUMENT = validator("megatron2hf")
MANIFEST = validator("conversion")
seen = {}


def check_valid(which, document, what):
    faults = sorted(which.iter_errors(document), key=str)
    check(not faults, "%s: %s" % (what, "; ".join(
        "/".join(map(str, fault.absolute_path)) + ": " + fault.message[:200]
        for fault in faults[:3])))


def no_twice(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), "a key stands twice: %s" % keys
    return dict(pairs)


def document(arguments, command, what=None, status=None, **more):
    """Runs with --json: one document, valid, of this command, with the status of the process."""
    found, out, said = run(list(arguments) + ["--json"], **more)
    what = what or " ".join(map(str, arguments))
    try:
        made = json.loads(out.decode("ascii"), object_pairs_hook=no_twice)
    except (ValueError, AssertionError) as fault:
        check(False, "%s: no JSON document: %s (status %d, %s)" % (what, fault, found, said))
        return {}
    check_valid(DOCUMENT, made, what)
    check(made["schema"] == "megatron2hf.%s/1" % command, "%s: %s" % (what, made["schema"]))
    check(made["exit"] == found, "%s: exit %s, status %d" % (what, made["exit"], found))
    check(status is None or found == status, "%s: status %d, expected %s" % (what, found, status))
    seen.setdefault(command, set()).add(found)
    return made


# ---- golden cases: every document that their commands print ----------------------------

RECORDER = """#!/bin/sh
case " $* " in *" -- "*) exec "$REAL" "$@" ;; *" --json "*) ;; *) exec "$REAL" "$@" ;; esac
document=$(mktemp "$DOCUMENTS/XXXXXX")
"$REAL" "$@" >"$document"
status=$?
cat "$document"
exit $status
"""
documents = os.path.join(BOX, "documents")
recorder = os.path.join(BOX, "recorder")
os.mkdir(documents)
with open(recorder, "w") as file:
    file.write(RECORDER)
os.chmod(recorder, 0o755)
cases = [path for path in sorted(glob.glob("tests/cli/case_*.sh"))
         if "--json" in open(path, encoding="utf-8").read()]
subprocess.run(["sh", "tests/cli/run.sh", recorder] + [os.path.abspath(case) for case in cases],
               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
               env=dict(os.environ, REAL=PROGRAM, DOCUMENTS=documents))
for path in sorted(glob.glob(os.path.join(documents, "*"))):
    check_valid(DOCUMENT, load(path), "a document of a golden case")
check(len(os.listdir(documents)) >= 9, "golden cases: %s" % os.listdir(documents))

# ---- every fixture of convert ----------------------------------------------------------

for path in sorted(glob.glob("fixtures/*.expected.json") + glob.glob("fixtures/*/*.expected.json")):
    expected = load(path)
    source = path[:-len(".expected.json")]
    output = os.path.join(BOX, "out")
    made = document(["convert", source, "-o", output] + expected.get("options", []), "convert",
                    cwd=".")
    if os.path.exists(output):
        check_valid(MANIFEST, load(os.path.join(output, "conversion.json")), path)
        listed = {line.split("  ", 1)[1] for line in
                  open(os.path.join(output, "SHA256SUMS")).read().splitlines()}
        check({file["name"] for file in made["outputs"]} == listed | {"SHA256SUMS"},
              "%s: outputs and SHA256SUMS" % path)
        shutil.rmtree(output)

# ---- every torch file through inspect --------------------------------------------------

for path in sorted(glob.glob("fixtures/torch/*.pt") + sorted(glob.glob("fixtures/torch/bad/*"))[::2]
                   + ["fixtures/torch/bad/pkl_deep_list.pt"]):
    made = document(["inspect", path, "--tensors", "--args"], "inspect", cwd=".")
    check((made.get("exit") == 0) == (made.get("convert") is not None), "%s: convert" % path)

# ---- by hand: what the fixtures leave out ----------------------------------------------

good = convert_mini("good")
mini = os.path.abspath("fixtures/good-ngc-mini.zip")
heads = ["--num-attention-heads", "2"]
made = document(["convert", mini, "-o", "plan", "--dry-run"] + heads, "convert", status=0)
check(made["dry_run"] is True and made["memory_bytes"] > 0, "dry run")
document(["convert", mini, "-o", "good"] + heads, "convert", status=7)
document(["convert", mini, "-o", "no/where"] + heads, "convert", status=7)
document(["convert", "absent.zip", "-o", "out"], "convert", status=6)
document(["convert", mini, "-o", "out", "--sha256", "0" * 64] + heads, "convert", status=1)
document(["convert", mini, "-o", "out", "--bogus"], "convert", status=2)
document(["convert", "-o", "out"], "convert", status=2)
document(["inspect"], "inspect", status=2)
document(["inspect", "absent"], "inspect", status=6)
document(["inspect", mini] + heads, "inspect", status=0)
made = document(["inspect", "good", "--tensors"], "inspect", status=0)
check(len(made["tensors"]) == 28 and made["args"] is None, "inspect a directory")
document(["inspect", "good/model.safetensors", "--tensors"], "inspect", status=0)
document(["help"], "help", status=0)
document(["help", "verify"], "help", status=0)
document(["verify", "--help"], "help", status=0)
document(["--version"], "help", status=0)
document(["cnvert"], "help", status=2)
document(["verify"], "verify", status=2)
document(["verify", "absent"], "verify", status=6)
document(["verify", "good", "--report", "junit=no/where.xml"], "verify", status=7)
document(["verify", "good", "--report", "junit=good/junit.xml"], "verify", status=2)

made = document(["verify", "good"], "verify", status=0)
check(made["problems"] == [] and made["tensors"] == 28 and len(made["files"]) == 9, "verify good")

made = document(["verify", "good", "--source", mini], "verify", status=0)
check(made["source"] == mini and made["compared"] == 28, "verify --source")

# ---- manifests of every option that shows in them --------------------------------------

for name, more in [("forms", ["--weights", "both", "--tensor-sha256"]),
                   ("cast", ["--dtype", "float32"]), ("old", ["--profile", "hf4.18"])]:
    document(["convert", mini, "-o", name] + heads + more, "convert", status=0)
    check_valid(MANIFEST, load(os.path.join(BOX, name, "conversion.json")), name)
tensors = load(os.path.join(BOX, "forms", "conversion.json"))["tensors"]
check(all(len(tensor["sha256"]) == 64 for tensor in tensors), "--tensor-sha256")
tensors = load(os.path.join(BOX, "cast", "conversion.json"))["tensors"]
check(all(tensor["from"]["cast_from"] == "F16" for tensor in tensors), "--dtype")
tensors = load(os.path.join(BOX, "old", "conversion.json"))["tensors"]
check([tensor["name"] for tensor in tensors if "tied_to" in tensor["from"]] == ["lm_head.weight"],
      "--profile hf4.18: a tied head")
check({tensor["from"].get("made") for tensor in tensors} == {None, "causal mask",
                                                             "constant -10000"}, "masks")

# ---- diff and sign ---------------------------------------------------------------------

samples = os.path.abspath("fixtures/diff")
made = document(["diff", "good", "good/model.safetensors"], "diff", status=0)
check(made["tensors"]["equal"] == len(made["pairs"]) == 28 and made["tolerance"] is None, "diff")
for a, b, more in [("odd.safetensors", "changed.safetensors", []), ("odd.bin", "shards", []),
                   ("types-a.safetensors", "types-b.safetensors", ["--tolerance", "0.5"]),
                   ("types-a.safetensors", "odd.safetensors", [])]:
    made = document(["diff", os.path.join(samples, a), os.path.join(samples, b)] + more, "diff")
    check(sum(made["tensors"].values()) == len(made["pairs"]), "diff %s %s: pairs" % (a, b))
document(["diff", "good"], "diff", status=2)
document(["diff", "good", "absent"], "diff", status=6)

private_key = os.path.join(BOX, "key.pem")
subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                private_key], check=True)
os.chmod(private_key, 0o600)
signed = copy_tree(good, "signed")
made = document(["sign", "signed", "--key", private_key], "sign", status=0)
check(made["signature"] == "signed/model.sig" and len(made["files"]) == 9, "sign")
document(["sign", "signed", "--key", private_key], "sign", status=7)
document(["sign", "signed"], "sign", status=2)
document(["sign", "good", "--key", "absent.pem"], "sign", status=6)
document(["sign", "absent", "--key", private_key], "sign", status=6)
os.symlink("config.json", os.path.join(signed, "link"))
document(["sign", "signed", "-f", "--key", private_key], "sign", status=3)

# ---- problems have a place -------------------------------------------------------------

bad = copy_tree(good, "bad")
os.remove(os.path.join(bad, "vocab.json"))
with open(os.path.join(bad, "config.json"), "a") as file:
    file.write("\n")
with open(os.path.join(bad, "é\n\"<&>"), "w") as file:
    file.write("x")
with open(os.path.join(os.fsencode(bad), b"\xff\xfe"), "w") as file:
    file.write("x")
made = document(["verify", "bad"], "verify", status=1)
places = [(problem["file"], problem["tensor"], problem["code"], problem["exit"])
          for problem in made["problems"]]
check(("vocab.json", None, "sumsmiss", 1) in places, places)
check(("config.json", None, "vsums", 1) in places, places)
check(("é\n\"<&>", None, "sumsextra", 1) in places, places)
check(("\\xff\\xfe", None, "sumsextra", 1) in places, places)
check(made["code"] == made["problems"][0]["code"], "the document's code is the first one's")

# A tensor: one with another name.
odd = copy_tree(good, "odd")
os.remove(os.path.join(odd, "SHA256SUMS"))
os.remove(os.path.join(odd, "conversion.json"))
with open(os.path.join(odd, "model.safetensors"), "r+b") as file:
    header = file.read(8 + int.from_bytes(file.read(8), "little"))
    file.seek(8 + header.index(b'"transformer.h.0.ln_1.bias"'))
    file.write(b'"transformer.h.0.ln_x.bias"')
made = document(["verify", "odd"], "verify")
check(any(problem["file"] == "model.safetensors" and problem["tensor"] ==
          "transformer.h.0.ln_x.bias" for problem in made["problems"]),
      "a tensor of another name: %s" % [(p["file"], p["tensor"], p["code"])
                                        for p in made["problems"]])

# Torch files that are damaged or hostile, as weights: every status that verify can give.
weights = os.path.join(BOX, "weights")
os.mkdir(weights)
for path in sorted(glob.glob("fixtures/torch/bad/*"))[::4] + [
        "fixtures/torch/bad/pkl_deep_list.pt"]:
    shutil.copy(path, os.path.join(weights, "pytorch_model.bin"))
    document(["verify", "weights"], "verify", "verify %s" % path)

# A name longer than an error can keep is told whole.
deep = copy_tree(good, "deep")
folder = os.path.join(deep, "a" * 200)
os.mkdir(folder)
open(os.path.join(folder, "b" * 200), "w").close()
made = document(["verify", "deep"], "verify", status=1)
check([problem["file"] for problem in made["problems"]] == ["a" * 200 + "/" + "b" * 200],
      "a long name is cut")

for command, statuses in [("convert", [0, 1, 2, 3, 4, 5, 6, 7]), ("inspect", [0, 2, 3, 4, 5, 6, 8]),
                          ("verify", [0, 1, 2, 3, 4, 5, 6, 7, 8]), ("diff", [0, 1, 2, 6]),
                          ("sign", [0, 2, 3, 6, 7]), ("help", [0, 2])]:
    check(seen[command] >= set(statuses), "%s: only statuses %s" % (command, seen[command]))

# ---- the schemas refuse what is wrong --------------------------------------------------

sound = document(["verify", "bad"], "verify")
for path, value in [
        (["schema"], "megatron2hf.verify/2"), (["schema"], 1), (["status"], "fine"), (["exit"], 0),
        (["exit"], 10), (["exit"], 128), (["code"], "ok"), (["error"], None),
        (["error", "class"], "bad"), (["error", "message"], "two\nlines"),
        (["problems", 0, "status"], "ok"), (["problems", 0, "file"], 1), (["tensors"], -1),
        (["files", 0, "sha256"], "A" * 64), (["files", 0, "bytes"], "1")]:
    broken = copy.deepcopy(sound)
    node = broken
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    check(not DOCUMENT.is_valid(broken), "schema takes %s = %r" % (path, value))
for key in sound:
    broken = {name: value for name, value in sound.items() if name != key}
    check(not DOCUMENT.is_valid(broken), "schema does not miss %s" % key)
for key in ["file", "tensor", "code"]:
    broken = copy.deepcopy(sound)
    del broken["problems"][0][key]
    check(not DOCUMENT.is_valid(broken), "schema does not miss %s of a problem" % key)
check(DOCUMENT.is_valid({**sound, "new": 1}), "documents may grow")
for arguments, changes in [
        (["diff", "good", "good"], [
            (["pairs", 0, "state"], "same"), (["pairs", 0, "a", "shape"], "48"),
            (["pairs", 0, "max_ulps"], -1), (["pairs", 0, "first"], 0), (["tensors", "equal"], None),
            (["tolerance"], "0")]),
        (["sign", "good", "--key", private_key, "-o", "a.sig"], [
            (["key"], None), (["root_sha256"], "A" * 64), (["signature"], None), (["files"], []),
            (["files", 0, "sha256"], None)])]:
    sound = document(arguments, arguments[0], status=0)
    for path, value in changes:
        broken = copy.deepcopy(sound)
        node = broken
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value
        check(not DOCUMENT.is_valid(broken), "schema takes %s = %r" % (path, value))
    for name in sound:
        broken = {other: value for other, value in sound.items() if other != name}
        check(not DOCUMENT.is_valid(broken), "schema does not miss %s" % name)
sound = load(os.path.join(good, "conversion.json"))
for key in sound:
    broken = {name: value for name, value in sound.items() if name != key}
    check(not MANIFEST.is_valid(broken), "manifest schema does not miss %s" % key)
check(MANIFEST.is_valid({**sound, "new": 1}), "manifests may grow")
for path, value in [(["sha256"], "no"), (["from"], {}), (["from", "made"], "by hand"),
                    (["from", "cast_from"], "float16"), (["from", "shards"], None)]:
    broken = copy.deepcopy(sound)
    node = broken["tensors"][0]
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    check(not MANIFEST.is_valid(broken), "manifest schema takes %s = %r" % (path, value))

end("documents")
