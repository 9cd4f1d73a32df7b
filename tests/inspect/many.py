"""python3 tests/inspect/many.py MEGATRON2HF: so many names that looking at each pair of them would
take many minutes.  Says what is wrong, nothing when all is right."""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "catalogue"))
from checkpoint import Checkpoint       # noqa: E402
from pickles import list_of, named      # noqa: E402

GLOBALS, TENSORS, MOST_SECONDS = 250_000, 400_000, 120


def globals_of_two_ranks(folder):
    """The second rank names what the first one does, and one more."""
    for rank, count in enumerate((GLOBALS, GLOBALS + 1)):
        made = Checkpoint(args={"tensor_model_parallel_size": 2})
        made.outside = [("classes", list_of(*(named("m", f"c{i}") for i in range(count))))]
        place = folder / f"mp_rank_{rank:02}"
        place.mkdir()
        (place / "model_optim_rng.pt").write_bytes(made.torch_zip())
    return folder


def tensors(path):
    header = {f"t{i}": {"dtype": "F16", "shape": [1], "data_offsets": [2 * i, 2 * i + 2]}
              for i in range(TENSORS)}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(2 * TENSORS))
    return path


def parameters(program, path):
    return inspect(program, path)["model"]["parameters"]


def inspect(program, path):
    ran = subprocess.run([program, "inspect", "--json", path], check=True, capture_output=True,
                         timeout=MOST_SECONDS)
    return json.loads(ran.stdout)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "ranks").mkdir()
        found = inspect(sys.argv[1], globals_of_two_ranks(folder / "ranks"))["globals"]
        ours = [entry for entry in found if entry.startswith("m.")]
        if ours != [f"m.c{i}" for i in range(GLOBALS + 1)] or len(set(found)) != len(found):
            print(f"{len(ours)} globals of {GLOBALS + 1}")
        count = parameters(sys.argv[1], tensors(folder / "many.safetensors"))
        if count != TENSORS:
            print(f"{count} parameters of {TENSORS}")
        # There lm_head.weight is wte.weight once more, and each layer has masks.
        (folder / "in.pt").write_bytes(Checkpoint().torch_zip())
        subprocess.run([sys.argv[1], "convert", "-q", folder / "in.pt", "-o", folder / "old",
                        "--profile", "hf4.18"], check=True, stdout=subprocess.DEVNULL)
        counts = [parameters(sys.argv[1], folder / source) for source in ("in.pt", "old")]
        if counts[0] != counts[1]:
            print(f"parameters of the checkpoint and of what it became: {counts}")


main()
