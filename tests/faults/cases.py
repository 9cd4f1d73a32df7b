"""What is run under faults: commands, their inputs, and what they leave behind."""
import dataclasses
import json
import os
import pathlib
import shutil
import struct
import subprocess

FIXTURES = os.path.abspath("fixtures")
ZIP = f"{FIXTURES}/eras/good-small-B-v2.0-tp2-pp2.zip"          # four ranks, deflated
STORED = f"{FIXTURES}/ngc/good-torchzip-in-stored.zip"
FOLDER = f"{FIXTURES}/ngc/good-tp2"
DIST = f"{FIXTURES}/dist/good-whole-layers"                     # 16 files, norms less 1
WEIGHTS = (f"{FIXTURES}/diff/types-a.safetensors", f"{FIXTURES}/diff/types-b.pt")

# Nobody named these, so that one which cannot be read is a warning and no fault.
TOKENIZER = {"tokenizer.json", "vocab.json", "merges.txt", "gpt2-vocab.json", "gpt2-merges.txt"}


def snapshot(folder):
    """Every name below the folder, with its bytes, None for a directory."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path).encode()
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


@dataclasses.dataclass
class Case:
    name: str
    arguments: list
    prepare: object = None          # prepare(box): what is there before
    output: str = ""                # what appears when all goes well
    is_random: bool = False         # ... is not the same twice
    good: dict = None               # the box after a run without a fault, ...
    before: dict = None             # ... and before it
    out: str = ""                   # its standard output
    status: int = 0

    def learn(self, program, scratch):
        with Box(self, scratch, "good") as box:
            self.before = snapshot(box)
            result = program.run(self.arguments, box)
            self.good, self.out, self.status = snapshot(box), result.out, result.status
            if result.status not in (0, 1, 5, 6):
                raise RuntimeError(f"{self.name}: {result.status}: {result.err}")

    def is_good(self, found):
        if self.is_random and found.get(self.output):
            return {**found, self.output: b""} == {**self.good, self.output: b""}
        return found == self.good


class Box:
    """A folder of its own for one run."""

    def __init__(self, case, scratch, name):
        self.case, self.path = case, f"{scratch}/{case.name}.{name}"

    def __enter__(self):
        os.mkdir(self.path)
        if self.case.prepare:
            self.case.prepare(self.path)
        return self.path

    def __exit__(self, *problem):
        shutil.rmtree(self.path)


def make_cases(program, scratch):
    """All of them by name; a converted directory and keys are made in `scratch`."""
    model, key = f"{scratch}/model", f"{scratch}/key.pem"
    program.run(["convert", "-q", ZIP, "-o", model], scratch)
    program.run(["convert", "-q", ZIP, "-o", f"{scratch}/mistaken", "--qkv-layout", "0",
                 "--weights", "both", "--max-shard-size", "40KB"], scratch)
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                    key], check=True, stderr=subprocess.DEVNULL)
    program.run(["sign", "-q", model, "--key", key, "-o", f"{scratch}/model.sig"], scratch)

    # The same tensor with and without what transformers puts before its name.
    names = []
    for name in ("x", "transformer.x"):
        header = json.dumps({name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        names.append(f"{scratch}/{name}.safetensors")
        pathlib.Path(names[-1]).write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))

    def old_tree(box):
        os.makedirs(f"{box}/out/below")
        pathlib.Path(f"{box}/out/precious").write_text("old")
        pathlib.Path(f"{box}/out/below/more").write_text("older")

    def old_files(box):
        old_tree(box)
        pathlib.Path(f"{box}/out.json").write_text("old")

    def unsigned(box):
        shutil.copytree(model, f"{box}/model")

    def signed(box):
        unsigned(box)
        shutil.copy(f"{scratch}/model.sig", f"{box}/model/other.sig")

    def broken(box):
        """More problems than there is room for at first."""
        unsigned(box)
        with open(f"{box}/model/SHA256SUMS", "a") as sums:
            sums.writelines(f"{'0' * 64}  gone{number}\n" for number in range(20))

    def linked(box):
        """A link that leads out of the directory, to what would be a good file of it."""
        unsigned(box)
        shutil.move(f"{box}/model/config.json", f"{box}/config.json")
        os.symlink("../config.json", f"{box}/model/config.json")

    convert = ["convert", "-q", "-j1"]
    cases = [
        Case("zip", [*convert, ZIP, "-o", "out"], output="out"),
        Case("threads", ["convert", "-q", "-j2", ZIP, "-o", "out"], output="out"),
        Case("folder", [*convert, FOLDER, "-o", "out",
                        "--weights", "both"], output="out"),
        Case("dist", [*convert, DIST, "-o", "out"], output="out"),
        Case("force", [*convert, "-f", ZIP, "-o", "out"], old_tree, output="out"),
        Case("provenance", [*convert, "-f", ZIP, "-o", "out", "--provenance", "out.json"],
             old_files, output="out"),
        Case("stream", [*convert, ZIP, "-o", "-", "--stream", "tar", "--staging", "."]),
        Case("json", [*convert, "--json", ZIP, "-o", "out"], output="out"),
        Case("inspect", ["inspect", ZIP]),
        Case("inspect-shard", ["inspect", f"{FOLDER}/iter_0001000/mp_rank_01"]),
        Case("inspect-json", ["inspect", "--json", DIST]),
        Case("inspect-hf", ["inspect", model]),
        Case("verify", ["verify", "--progress=none", model]),
        Case("verify-source", ["verify", "--progress=none", "-j1", model, "--source", ZIP]),
        Case("verify-signature", ["verify", "--progress=none", "model", "--signature",
                                  "model/other.sig", "--key", key], signed),
        Case("verify-broken", ["verify", "--progress=none", "model"], broken),
        Case("verify-link", ["verify", "--progress=none", "model"], linked),
        Case("verify-mistaken", ["verify", "--progress=none", "-j1", f"{scratch}/mistaken",
                                 "--source", ZIP]),
        Case("diff", ["diff", "--progress=none", *WEIGHTS]),
        Case("diff-names", ["diff", "--progress=none", *names]),
        Case("sign", ["sign", "-q", "model", "--key", key], unsigned,
             output="model/model.sig", is_random=True),
    ]
    for case in cases:
        case.learn(program, scratch)
    return {case.name: case for case in cases}
