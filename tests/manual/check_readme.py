"""The README's examples: each ```console block is run, from the top, in one folder.

What a command prints, on both streams, must stand below it.  A line "..." stands for any lines;
digests that come of a new key are not compared.  A block that needs what is not there (torch)
is skipped.  UPDATE=1 writes what was printed, but not over a "...".
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, "tests/reports")
from checking import BOX, PROGRAM, check, end  # noqa: E402

NEEDS = {"import sys, torch": ["python3", "-c", "import torch"]}
NOT_RUN = ["curl -fLo megatron_lm_345m_v0.0.zip", "megatron_lm_345m_v0.0.zip", "gpt2-345m"]

with open("README.md", encoding="utf-8") as file:
    readme = file.read()

tools = os.path.join(BOX, "tools")
place = os.path.join(BOX, "place")
os.mkdir(tools)
os.mkdir(place)
os.symlink(PROGRAM, os.path.join(tools, "megatron2hf"))
os.symlink(os.path.abspath("fixtures"), os.path.join(place, "fixtures"))
if os.path.exists("/usr/bin/python3"):
    os.symlink("/usr/bin/python3", os.path.join(tools, "python3"))      # Debian's torch is for it
environment = dict(os.environ, PATH=tools + ":" + os.environ["PATH"])


def commands(block):
    """(command, expected output) of a block."""
    found = []
    for line in block.splitlines(True):
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found and not found[-1][1] and found[-1][0].endswith("\\\n"):
            found[-1][0] += line
        else:
            found[-1][1] += line
    return found


def pattern(text):
    """A regular expression of what may be printed."""
    lines = [re.escape(line) if line != "...\n" else "(?:.*\n)*?" for line in text.splitlines(True)]
    return re.sub(r"(?<=by\\ key\\ )[0-9a-f]{64}|(?<=key\\ sha256\\ )[0-9a-f]{4}…[0-9a-f]{2}",
                  lambda match: "[0-9a-f]{64}" if len(match.group()) == 64 else "[0-9a-f]{4}…[0-9a-f]{2}",
                  "".join(lines))


def run_block(block):
    """The block with what its commands print now."""
    new = ""
    for command, expected in commands(block):
        done = subprocess.run(["bash", "-c", command], cwd=place, env=environment, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        printed = done.stdout.decode()
        fine = re.fullmatch(pattern(expected), printed) is not None
        if os.environ.get("UPDATE") != "1":
            check(fine, "README: $ %sexpected:\n%sfound:\n%s" % (command, expected, printed))
        new += "$ " + command + (expected if fine else printed)
    return new


def write_file(path, text):
    with open(os.path.join(place, path), "w", encoding="utf-8") as file:
        file.write(text)


blocks = re.findall(r"^```console\n(.*?)^```$", readme, re.M | re.S)
check(len(blocks) >= 5, "README: only %d blocks are run" % len(blocks))
for block in blocks:
    missing = [need for word, need in NEEDS.items() if word in block
               and subprocess.run(need, check=False, env=environment,
                                  stderr=subprocess.DEVNULL).returncode != 0]
    if not missing:
        readme = readme.replace(block, run_block(block))
if os.environ.get("UPDATE") == "1":
    with open("README.md", "w", encoding="utf-8") as file:
        file.write(readme)

# Blocks that are not run are about the NGC file; shell and Python are read at least.
for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", readme, re.M | re.S):
    check(kind in ["", "sh", "console", "python", "yaml"], "README: a block of %s" % kind)
    if kind == "sh":
        check(any(word in block for word in NOT_RUN), "README: a block of sh could be run: %s" % block)
        check(subprocess.run(["sh", "-n"], input=block.encode(), check=False).returncode == 0, block)
    elif kind == "python":
        compile(block, "README.md", "exec")
    elif kind == "" and block.startswith("$ "):
        check("megatron_lm_345m_v0.0.zip" in block or block.startswith("$ megatron2hf inspect fixtures/good-ngc-mini.zip"),
              "README: a block could be run: %s" % block)

# What `make demo` prints stands at the top.
demo = subprocess.run(["sh", "tests/demo.sh", PROGRAM], check=True, stdout=subprocess.PIPE).stdout.decode()
shown = re.search(r"^```\n(\$ megatron2hf inspect fixtures/good-ngc-mini.*?)^```$", readme, re.M | re.S).group(1)
check(re.fullmatch(pattern("\n" + shown), demo), "README: make demo prints %s" % demo)

# The picture of the data flow has every folder of src/, in the order in which they include.
picture = re.search(r"^```\n(SRC .*?)^```$", readme, re.M | re.S).group(1)
rooms = re.findall(r"\b([a-z0-9]+)/ ", picture)
check(sorted(set(rooms) - {"include"}) == sorted(entry.name for entry in os.scandir("src") if entry.is_dir()),
      "README: the picture has %s" % rooms)
with open("tests/house.sh", encoding="utf-8") as file:
    allowed = dict(re.findall(r"^(?:rooms=')?([a-z0-9]+):(.*?)'?$", file.read(), re.M))
for number, room in enumerate(rooms[:7]):
    check(set(allowed[room].split()) <= set(rooms[:number]), "README: %s/ is too early in the picture" % room)

# Files that it names are there.
for name in sorted(set(re.findall(r"`((?:man|src|tests|include|fixtures)/[\w./*-]*[\w*/])`", readme))):
    found = subprocess.run(["sh", "-c", "ls -d " + name], check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL).returncode == 0
    check(found, "README names %s" % name)
table = readme.split("| what is wrong in it |")[1].split("\n\n")[0]
for name in re.findall(r"`([\w./-]+\.pt)` \|$", table, re.M):
    check(os.path.exists("fixtures/" + name), "README names fixtures/%s" % name)
    check(name in "".join(blocks), "README: no command shows fixtures/%s" % name)

end("readme")
