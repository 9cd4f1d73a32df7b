"""--read-back disk: what is read back was on the device and out of memory before."""
import json
import pathlib
import re
import shutil
import tempfile

# Of a range that was waited for, or dropped; not of advice to begin.
RANGE = re.compile(r", (\d+), (\d+), (?:.*SYNC_FILE_RANGE_WAIT_AFTER|POSIX_FADV_DONTNEED)")
# The offset, and how many bytes it was.
PIECE = re.compile(r", (\d+)\) += (\d+)$")


def within(ranges, start, end):
    """Is [start, end) covered by these (start, end)?"""
    for one, two in sorted(ranges):
        if one <= start < two:
            start = max(start, two)
    return start >= end


def check_order(bench, calls, what):
    """Every byte that is read was synced and dropped since it was last written."""
    synced, dropped, read, wrong = [], [], 0, []
    for name, path, rest in calls:
        if not path.endswith("model.safetensors"):
            continue
        if name in ("sync_file_range", "fadvise64"):
            if not (found := RANGE.search(rest)):
                continue
            offset, length = (int(number) for number in found.groups())
            (synced if name == "sync_file_range" else dropped).append((offset, offset + length))
        elif name in ("pwritev", "pread64"):
            offset, length = (int(number) for number in PIECE.search(rest).groups())
            if name == "pread64":
                read += length
                if not within(synced, offset, offset + length) \
                        or not within(dropped, offset, offset + length):
                    wrong.append(("read", offset, length))
            elif any(one < offset + length and offset < two for one, two in synced):
                wrong.append(("written", offset, length))
    size = (bench.out / "model.safetensors").stat().st_size
    bench.expect(f"{what}: synced and dropped, then read", not wrong, wrong[:3])
    bench.expect(f"{what}: all of it is read", read >= size, read, size)


def run(bench):
    source, heads = bench.fixtures / "good-ngc-mini.zip", ("--num-attention-heads", "2")
    status, said = bench.convert(source, *heads)
    kernel = (bench.out / "model.safetensors").read_bytes()
    plain = (bench.out / "conversion.json").read_bytes()
    bench.expect("kernel: status", status == 0, said)
    bench.convert(source, *heads, "--read-back", "kernel")
    bench.expect("kernel is the default", (bench.out / "conversion.json").read_bytes() == plain)
    status, said = bench.convert(source, *heads, "--read-back", "disk", "--weights", "both")
    bench.expect("disk: status", status == 0, said)
    bench.expect("disk: the same bytes", (bench.out / "model.safetensors").read_bytes() == kernel)
    manifest = json.loads((bench.out / "conversion.json").read_text())
    bench.expect("disk: the manifest says so",
                 {"key": "read_back", "value": "disk", "source": "option"}
                 in manifest["decisions"])
    on_tmpfs(bench, source, heads)
    if not bench.has_strace:
        return
    for threads in ("1", "2", "8"):
        status, said, calls = bench.trace(source, *heads, "--read-back", "disk", "-j", threads)
        bench.expect(f"-j {threads}: status", status == 0, said)
        check_order(bench, calls, f"-j {threads}")
    status, said = bench.inject(source, "sync_file_range:error=EIO:when=1", *heads,
                                "--read-back", "disk")
    bench.expect("the device does not take it", status == 7 and not bench.out.exists()
                 and "cannot write to the device" in said, status, said)
    status, said = bench.inject(source, "sync_file_range:error=ENOSYS", *heads,
                                "--read-back", "disk")
    bench.expect("a file system that cannot sync ranges", status == 0, said)


def on_tmpfs(bench, source, heads):
    """There is no device: what could not be done is told, and --strict fails."""
    shared = pathlib.Path("/dev/shm")
    mounts = pathlib.Path("/proc/mounts").read_text()
    if not re.search(r"^\S+ /dev/shm tmpfs ", mounts, re.MULTILINE):
        return
    folder = pathlib.Path(tempfile.mkdtemp(prefix="m2h-engine.", dir=shared))
    try:
        out = folder / "out"
        status, said = bench.convert(source, *heads, "--read-back", "disk", out=out)
        codes = [note["code"] for note in json.loads(
            (out / "conversion.json").read_text())["notes"]] if status == 0 else []
        bench.expect("tmpfs: told", status == 0 and "read-back-memory" in codes
                     and "could be dropped from memory" in said, status, said)
        status, said = bench.convert(source, *heads, "--read-back", "disk", "--strict", out=out)
        bench.expect("tmpfs: --strict", status == 1 and not out.exists(), status, said)
    finally:
        shutil.rmtree(folder)
