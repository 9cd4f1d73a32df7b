"""The pages of section 3 and 5: every name of the public header, every key of a manifest."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, "tests/reports")
from checking import BOX, check, end, run  # noqa: E402


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def has_word(text, word):
    return re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(word), text) is not None


# ---- the C interface -------------------------------------------------------------------

header = re.sub(r"/\*.*?\*/", "", read("include/megatron2hf.h"), flags=re.S)
page = read("man/megatron2hf.3")
functions = re.findall(r"^M2H_API [^;]*?\b(m2h_\w+)\(", header, re.M)
types = re.findall(r"^(?:struct|enum) (m2h_\w+) \{", header, re.M)
types += re.findall(r"^typedef \w+ (m2h_\w+)\(", header, re.M)
values = re.findall(r"\b(M2H_[A-Z_]+)\b(?! __attribute__)", header)
members = re.findall(r"\b([a-z]\w*)(?:\[[^]]*\])?(?=\s*[;,])", "".join(
    re.findall(r"^struct m2h_\w+ \{.*?^\};", header, re.M | re.S)))
check(len(functions) >= 14 and len(types) >= 20 and len(members) >= 100, "the header is read")
check(len(functions) == header.count("\nM2H_API "), "every M2H_API is a function")
for name in sorted(set(functions + types + values + members) - {"M2H_API"}):
    check(has_word(page, name), "man/megatron2hf.3 does not name %s" % name)
for name in functions:
    check(re.search(r"^\.Fn %s\b" % name, page, re.M), "no .Fn %s" % name)
    check(re.search(r"^\.Nm %s\b" % name, page, re.M), "no .Nm %s" % name)
for name in re.findall(r"\b(?:m2h|M2H)_\w+", page):
    if name not in functions:
        check(has_word(header, name), "man/megatron2hf.3 names %s, the header does not" % name)

# The example compiles.
example = re.search(r"^\.Bd -literal -offset indent\n(#include.*?)^\.Ed$", page, re.M | re.S).group(1)
with open(os.path.join(BOX, "example.c"), "w", encoding="utf-8") as file:
    file.write(example.replace("\\e", "\\"))
done = subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-std=c11", "-Wall", "-Wextra",
                       "-Werror", "-Iinclude", "-fsyntax-only", os.path.join(BOX, "example.c")],
                      check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
check(done.returncode == 0, "the example of man/megatron2hf.3: %s" % done.stdout.decode())

# ---- the manifest ----------------------------------------------------------------------

page = read("man/megatron2hf-conversion.5")
schema = read("man/conversion.schema.json")


def walk(value):
    """Every key, and every value of "made"."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key == "made":
                yield inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


mini = ["fixtures/good-ngc-mini.zip", "--num-attention-heads", "2"]
keys = set()
for number, options in enumerate([
        mini + ["--tensor-sha256", "--weights", "both", "--dtype", "float32"],
        mini + ["--profile", "hf4.18"], ["fixtures/ngc/good-optimizer.pt"],
        ["fixtures/eras/good-drift-mean.zip", "--replicas", "mean"]]):
    output = os.path.join(BOX, "out%d" % number)
    status, _, said = run(["convert", "-q", "-o", output] + options, cwd=".")
    if check(status == 0, "convert %s: %s" % (options, said)):
        keys |= set(walk(json.loads(read(os.path.join(output, "conversion.json")))))
check({"sha256", "cast_from", "tied_to", "made", "git_blob_sha1", "reason"} <= keys,
      "the conversions have every key: %s" % sorted(keys))
# Its example finds a tensor whose SHA-256 the manifest has.
example = page.split("\nA tensor by itself")[1].split(".Bd")[1].split("\n", 1)[1].split(".Ed")[0]
if shutil.which("jq"):
    output = os.path.join(BOX, "out0")
    script = re.sub(r"^\$ ", "", example, flags=re.M).replace("DIR", output)
    done = subprocess.run(["sh", "-c", script], check=False, stdout=subprocess.PIPE)
    check('"sha256": "%s"' % done.stdout.decode()[:64] in read(os.path.join(output, "conversion.json")),
          "man/megatron2hf-conversion.5: the example prints %s" % done.stdout)
for key in sorted(keys):
    check(has_word(page, key), "man/megatron2hf-conversion.5 does not name %s" % key)
    check('"%s"' % key in schema, "man/conversion.schema.json does not name %s" % key)
for key in re.findall(r'^ +"(\w+)": \{', schema, re.M):
    if key not in ["properties", "items", "from", "decision", "note", "output", "tensor"]:
        check(has_word(page, key), "%s is in the schema and not in the manual" % key)

end("pages")
