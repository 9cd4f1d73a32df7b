"""--memory-limit: the program stays below it, or ends before it reads the weights."""
import re
import shutil
import subprocess

import checkpoints

OPTIONS = ("--tokenizer", "none", "--vocab-size", "padded", "-q")
MB = 1000 * 1000


def most_memory(bench, *arguments):
    """Status, standard error, and the most bytes that were resident as far as it was seen."""
    ran = subprocess.Popen([str(bench.program), *arguments], env=bench.environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    most = 0
    while ran.poll() is None:
        try:
            with open(f"/proc/{ran.pid}/status") as status:
                for line in status:
                    if line.startswith("VmHWM:"):
                        most = 1024 * int(line.split()[1])
        except OSError:
            break
    return ran.wait(), ran.stderr.read(), most


def convert(bench, source, *options):
    shutil.rmtree(bench.out, ignore_errors=True)
    return most_memory(bench, "convert", str(source), "-o", str(bench.out), *OPTIONS, *options)


def run(bench):
    source = bench.folder / "mp_rank_00" / "model_optim_rng.pt"
    source.parent.mkdir()
    checkpoints.write_large(source)
    status, said, usual = convert(bench, source)
    bench.expect("without a limit", status == 0, status, said)
    weights = (bench.out / "model.safetensors").read_bytes()
    least = find_least(bench, source)
    if least is None:
        return
    seen = [usual]
    for limit in (least, 2 * least, 1000 * MB):
        limit = -(-limit // MB)
        status, said, most = convert(bench, source, "--memory-limit", f"{limit}MB")
        bench.expect(f"{limit} MB: status", status == 0, status, said)
        bench.expect(f"{limit} MB: the same bytes",
                     (bench.out / "model.safetensors").read_bytes() == weights)
        if b"__asan" not in bench.program.read_bytes():         # that has a memory of its own
            bench.expect(f"{limit} MB: kept", most <= limit * MB, most)
            seen.append(most)
    bench.expect("less where it is less", len(seen) == 1 or seen[1] < usual, seen)
    status, said, _ = most_memory(bench, "verify", str(bench.out), "-q", "--source", str(source),
                                  "--vocab-size", "padded", "--memory-limit", "2MB")
    bench.expect("verify", status == 8 and "of memory are needed" in said, status, said)
    status, said, _ = most_memory(bench, "inspect", str(source), "--memory-limit", "1KB")
    bench.expect("inspect: the values of the pickle", status == 8, status, said)


def find_least(bench, source):
    """What it says that it needs is enough, and less is not."""
    status, said, _ = convert(bench, source, "--memory-limit", "2MB")
    told = re.search(r"at least ([0-9.]+) MB of memory are needed, .* allows 2\.0 MB", said)
    bench.expect("too little: refused, and how much is needed", status == 8 and told
                 and not bench.out.exists(), status, said)
    return int(float(told[1]) * MB) + MB if told else None
