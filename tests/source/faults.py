"""Sources that cannot be read, other ways to be called, and weights out of all proportion."""
import io
import json
import os
import shutil
import signal
import subprocess
import time
import zipfile

from hf import Tensor

SMALL = "eras/good-small-B-v2.0-tp2-pp2.zip"
MINI = "good-ngc-mini.zip"


def unreadable_sources(bench):
    """The source's own status, and what is wrong with the directory beside it."""
    for source, status, says in (
            ("ngc/bad-bitflip-deflated.zip", 3, "CRC-32 mismatch"),
            ("ngc/bad-bitflip-torchzip.pt", 3, "CRC"),
            ("ngc/bad-truncated.zip", 3, "bad-truncated.zip"),
            ("ngc/bad-missing-rank", 6, "mp_rank"),
            ("ngc/bad-global-os.pt", 5, "os"),
            ("ngc/unsupported-bert.pt", 4, "unsupported-bert.pt"),
            ("ngc/nothing-of-that-name", 6, "nothing-of-that-name: cannot open it")):
        directory, _ = bench.directory("ngc/good-py2.zip")
        told = ["--source", bench.fixtures / source]
        bench.verify(f"source {source}", directory.path, told, status, [says],
                     never=["elements differ"])
        (directory.path / "generation_config.json").write_text("[]\n")
        bench.verify(f"source {source}, and a problem", directory.path, told,
                     5 if status == 5 else 3,
                     [says, "generation_config.json: not a JSON object"])


def unreadable_weights(bench):
    """Said once, in the directory's own words, and the other form is compared all the same."""
    directory, told = bench.directory(SMALL, "--weights", "both")
    path = directory.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    words = bench.verify("weights cut short", directory.path, told, 3)
    bench.note("weights cut short, said once", [] if words.count("model.safetensors: ") == 1
               else [words])
    status, out, _ = bench.run("verify", "--json", directory.path, *told)
    result = json.loads(out)
    bench.note("weights cut short, the others compared",
               [] if status == 3 and len(result["problems"]) == 1
               and result["compared"] == len(directory.tensors) else [out])

    for missing in ("a.safetensors", "model.safetensors.index.json"):
        directory, told = bench.directory(SMALL)
        directory.save_shards(["a.safetensors", "b.safetensors"])
        (directory.path / missing).unlink()
        bench.verify(f"{missing} gone", directory.path, told, 1, [f"{missing}"
                     if missing[0] == "a" else "model.safetensors: is missing"])

    directory, told = bench.directory(SMALL)
    index = json.dumps({"metadata": {}, "weight_map": {"x": "../model.safetensors"}})
    directory.save_shards(["a.safetensors"])
    (directory.path / "model.safetensors.index.json").write_text(index)
    bench.verify("an index that leads out", directory.path, told, 5, ["is no path"])


def standard_input(bench):
    source, told = bench.fixture(SMALL)
    directory, _ = bench.directory(SMALL)
    data = source.read_bytes()
    arguments = [bench.program, "verify", "-q", directory.path, "--source", "-", *told]
    done = subprocess.run(arguments, input=data, capture_output=True, timeout=60)
    bench.note("from a pipe", [] if done.returncode == 0 else [done.stderr.decode()])
    with open(source, "rb") as file:
        done = subprocess.run(arguments, stdin=file, capture_output=True, timeout=60)
    bench.note("from a file as standard input", [] if done.returncode == 0
               else [done.stderr.decode()])
    directory["wpe.weight"] = directory["wpe.weight"].with_element(0, b"\0\x40")
    directory.save()
    done = subprocess.run(arguments, input=data, capture_output=True, timeout=60)
    bench.note("from a pipe, read twice for the cause",
               [] if done.returncode == 1 and b"wpe.weight: 1 of 96" in done.stderr
               else [done.stderr.decode()])
    bench.note("nothing left beside the directory",
               [name for name in os.listdir(bench.folder) if name.startswith(".m2h")])


def signals(bench):
    """Ctrl-C while the source is awaited: the shell sees the signal."""
    directory, _ = bench.directory(SMALL)
    # A shell's job in the background ignores it, and so would the program.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for threads in ("-j1", "-j2"):
        process = subprocess.Popen(
            [bench.program, "verify", threads, directory.path, "--source", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
        bench.note(f"SIGINT with {threads}", [] if process.returncode == -signal.SIGINT
                   else [f"status {process.returncode}"])
        process.communicate()


def proportions(bench):
    """Tables are sized by what is there; problems are counted, not all listed."""
    directory, told = bench.directory(SMALL)
    for number in range(30000):
        directory[f"h.{number}.x"] = Tensor("F16", (0,), b"")
    directory.save()
    bench.verify("30,000 tensors too many", directory.path, told, 1,
                 ["more than 1000 problems: not all are listed"])

    # Every tensor is another one: the cause is looked for in bounded time.
    directory, told = bench.directory("ngc/good-twelve-layers.pt")
    directory.tensors = {name: tensor.with_rows(tensor.rows()[::-1])
                         for name, tensor in directory.tensors.items()}
    directory.save()
    words = bench.verify("all tensors turned over", directory.path, told, 1)
    lines = [line for line in words.splitlines() if "elements differ" in line]
    bench.note("all tensors turned over, each is told",
               [] if len(lines) == len(directory.tensors) else [f"{len(lines)} lines"])


def a_walk_that_ends(bench):
    """A source that must be begun again does not double what was found."""
    for source in ("ngc/good-torchzip-data-last.zip", "ngc/good-torchzip-deflated-inner.zip"):
        directory, told = bench.directory(source)
        directory.config["layer_norm_epsilon"] = 1e-3
        directory.config["n_positions"] = 25
        directory.save()
        words = bench.verify(source, directory.path, told, 1)
        bench.note(f"{source}, said once", [] if words.count("n_positions is 25") == 1
                   and words.count("layer_norm_epsilon is 0.001") == 1 else [words])

    # The directory has its entries in another order than the records come: it is met last.
    inner, outer = bench.folder / "swapped.pt", bench.folder / "swapped.zip"
    with zipfile.ZipFile(bench.fixtures / "ngc/good-torchzip.pt") as good, \
            zipfile.ZipFile(inner, "w") as swapped:
        for item in good.infolist():
            swapped.writestr(item.filename, good.read(item))
        swapped.filelist[2:4] = swapped.filelist[3:1:-1]
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "release/mp_rank_00/model_optim_rng.pt")
    directory, told = bench.directory("ngc/good-torchzip.pt")
    bench.verify("swapped entries", directory.path, ["--source", outer, *told[2:]])
    for command in (["verify", directory.path, "--source", "-"],
                    ["convert", "-", "-o", bench.folder / "from-pipe"]):
        status, _, words = bench.run(*command, *told[2:], "-q", input=outer.read_bytes())
        bench.note(f"swapped entries, {command[0]} from a pipe",
                   [] if status == 0 else [words])
    directory.config["n_positions"] = 25
    directory.save()
    words = bench.verify("swapped entries, one fault", directory.path,
                         ["--source", outer, *told[2:]], 1)
    bench.note("swapped entries, said once", [] if words.count("n_positions is 25") == 1
               else [words])


def untold_heads(bench):
    """QKV of layout 1 and 2 depend on the heads; a file without args does not tell them."""
    source, _ = bench.fixture("ngc/good-py2.zip")
    directory, _ = bench.directory("ngc/good-py2.zip")
    bench.verify("heads from config.json", directory.path, ["--source", source, "--vocab-size", "101"],
                 says=["4 attention heads, as config.json says"])
    bench.verify("rows that nobody tells of", directory.path, ["--source", source], 1,
                 ["wte.weight: has 101 rows, the checkpoint makes it 128"])
    (directory.path / "config.json").unlink()
    bench.verify("heads from nowhere", directory.path, ["--source", source], 4,
                 ["does not say how many attention heads", "config.json: is missing"])


def ranks_that_do_not_belong_together(bench):
    """What convert refuses is no source of anything: weights that agree with it prove nothing."""
    copied = bench.fixtures / "ngc/bad-copied-rank"
    directory, _ = bench.directory("ngc/good-tp2")
    sources = [copied]
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        sources.append(bench.folder / f"copied-{name}.zip")
        with zipfile.ZipFile(sources[-1], "w", method) as archive:
            for path in sorted(copied.rglob("*.*")):
                archive.write(path, path.relative_to(copied))
    for source in sources:
        says = "mp_rank_00/model_optim_rng.pt: a copy in the place of a shard"
        bench.verify(f"{source.name}", directory.path, ["--source", source], 3, [says])
        status, _, err = bench.run("convert", source, "-o", bench.folder / "copied")
        bench.note(f"{source.name}, converted", [] if status == 3 and says in err else [err])

    directory, told = bench.directory("eras/good-drift-rank0.zip")
    bench.verify("drift", directory.path, told, 0, ["warning  transformer."])
    bench.verify("gross drift", directory.path,
                 ["--source", bench.fixtures / "eras/bad-drift-gross.zip", *told[2:]], 3,
                 ["transformer.h.1.ln_1.weight: iter_0001000/mp_rank_01_000/model_optim_rng.pt "
                  "holds another copy of it: 8 elements differ", "shards of different runs?"])


def untold_ties(bench):
    """An output layer of which nothing is said, and a directory that has none."""
    name = "eras/good-untied-D-core_v0.12.0-tp1-pp2.zip"
    source, flag = bench.folder / "untold.zip", b"untie_embeddings_and_output_weights"
    with zipfile.ZipFile(bench.fixtures / name) as old, zipfile.ZipFile(source, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if not member.endswith(".pt"):
                new.writestr(member, data)
                continue
            saved = io.BytesIO()
            with zipfile.ZipFile(io.BytesIO(data)) as inner, zipfile.ZipFile(saved, "w") as outer:
                for record in inner.namelist():
                    outer.writestr(record, inner.read(record).replace(flag, b"x" + flag[1:]))
            new.writestr(member, saved.getvalue())
    directory, told = bench.directory(name)
    bench.verify("untold, untied", directory.path, ["--source", source, *told[2:]])
    del directory.tensors["lm_head.weight"]
    directory.config["tie_word_embeddings"] = True
    directory.save()
    bench.verify("untold, tied", directory.path, ["--source", source, *told[2:]], 1,
                 ["is no copy of it: tie_word_embeddings should be false"])


def beside(bench):
    """Files of the tokenizer do not concern the source, but are checked all the same."""
    out, told = bench.convert(MINI, "--num-attention-heads", "2")
    (out / "SHA256SUMS").unlink()
    (out / "conversion.json").unlink()
    text = (out / "merges.txt").read_text()
    (out / "merges.txt").write_text(text.replace("\nĠ t\n", "\n", 1))
    bench.verify("a merge lost", out, told, 1, ["merges.txt"])
    shutil.rmtree(out)


def run(bench):
    for part in (unreadable_sources, unreadable_weights, standard_input, signals, proportions,
                 a_walk_that_ends, untold_heads, ranks_that_do_not_belong_together, untold_ties,
                 beside):
        part(bench)
