"""Rows 182 to 221: the output, the environment.  What fails on purpose is in tests/faults."""
import fcntl
import io
import json
import os
import pty
import re
import resource
import shutil
import signal
import stat
import struct
import subprocess
import tarfile
import termios

import checkpoint
from bench import sanitized
from checkpoint import Checkpoint, FINAL, PLACES, WORDS

GOOD = Checkpoint().torch_zip()


def destinations(t):
    def existing(what, make, says="already exists"):
        def run(box):
            path = box.write("in.pt", GOOD)
            make(box)
            box.refused(7, "exists", says, "convert", path, "-o", box.out)
        t.add(182, "exists", what, 7, run)
    existing("directory", lambda box: box.write("out/precious", "x"))
    existing("empty", lambda box: box.out.mkdir())
    existing("file", lambda box: box.write("out", "x"))
    existing("dangling", lambda box: box.out.symlink_to("nowhere"))
    existing("link", lambda box: (box.write("there/precious", "x"), box.out.symlink_to("there")))
    existing("fifo", lambda box: os.mkfifo(box.out))

    def not_replaced(box):
        path = box.write("in.pt", GOOD)
        box.write("out", "x")
        box.refused(7, "exists", "already exists and is not a directory", "convert", path, "-o",
                    box.out, "--force")
    t.add(182, "exists", "file-forced", 7, not_replaced)

    def same(what, wanted, code, arrange):
        def run(box):
            box.write("ck/in.pt", GOOD)
            box.refused(wanted, code, "", "convert", *arrange(box))
        t.add(183, "sameio", what, wanted, run)
    same("source", 2, "sameio", lambda box: [box.inside / "ck/in.pt", "-o",
                                             box.inside / "ck/in.pt", "--force"])
    same("holds-it", 2, "sameio", lambda box: [box.inside / "ck/in.pt", "-o", box.inside / "ck",
                                               "--force"])

    def folder(box):
        shutil.copytree(box.fixtures / "ngc/good-label-2.0-tp2", box.inside / "model")
        return box.inside / "model"
    same("folder", 2, "sameio", lambda box: [folder(box), "-o", box.inside / "model", "--force",
                                             "--vocab-size", "101"])
    same("rank", 2, "sameio", lambda box: [folder(box), "-o",
                                           box.inside / "model/iter_0001000/mp_rank_00", "--force",
                                           "--vocab-size", "101"])

    def linked(box):
        """What is replaced loses names only: the input, which has others, stays as it is."""
        source = folder(box)
        for rank in ("00", "01"):
            path = box.inside / f"other/iter_0001000/mp_rank_{rank}"
            path.mkdir(parents=True)
            os.link(source / f"iter_0001000/mp_rank_{rank}/model_optim_rng.pt",
                    path / "model_optim_rng.pt")
        before = {path: path.read_bytes() for path in source.rglob("*.pt")}
        box.expect(0, "convert", source, "-o", box.inside / "other", "--force", "--vocab-size",
                   "101")
        if {path: path.read_bytes() for path in source.rglob("*.pt")} != before:
            box.fault("the input was changed")
    t.add(183, "sameio", "hard-links", 0, linked)
    t.add(184, "noparent", "", 7, lambda box: box.refused(
        7, "noparent", "missing' does not exist", "convert", box.write("in.pt", GOOD), "-o",
        "missing/out"))


def streams(t):
    def full(box):
        if not os.path.exists("/dev/full"):
            return
        path = box.write("in.pt", GOOD)
        for words in (["convert", path, "-o", "-", "--stream", "tar"], ["--help"], ["--version"],
                      ["inspect", path], ["convert", path, "-o", box.out, "--dry-run"]):
            with open("/dev/full", "w") as target:
                status = box.run(*words, stdout=target)
            if status != 7 or "No space left on device" not in box.stderr:
                box.fault(f"{words[0]}: status {status}")
        if list(box.temporary.iterdir()):
            box.fault("left behind")
    t.add(192, "stdoutfull", "full", 7, full)

    def gone(box):
        path = box.write("in.pt", GOOD)
        for words in (["inspect", path], ["--help"], ["convert", path, "-o", "-", "--stream",
                                                      "tar"]):
            reading, writing = os.pipe()
            os.close(reading)
            status = box.run(*words, stdout=writing)
            os.close(writing)
            if status not in (0, 141, -signal.SIGPIPE) or "error" in box.stderr:
                box.fault(f"{words[0]}: status {status}")
    t.add(192, "stdoutfull", "reader-gone", 0, gone)

    def terminal(box):
        path = box.write("in.pt", GOOD)
        ours, theirs = pty.openpty()
        status = box.run("convert", path, "-o", "-", "--stream", "tar", stdout=theirs)
        os.close(theirs)
        os.close(ours)
        if status != 2 or "terminal" not in box.stderr:
            box.fault(f"status {status}")
    t.add(193, "stdouttty", "", 2, terminal)

    def detectable(box):
        """A tar that ends early has no end block; every file in it is complete or known to be cut."""
        path = box.write("in.pt", GOOD)
        ran = subprocess.run([box.program, "convert", "-q", path, "-o", "-", "--stream", "tar"],
                             capture_output=True,
                             env=dict(os.environ, TMPDIR=str(box.temporary)), check=False)
        whole = ran.stdout
        with tarfile.open(fileobj=io.BytesIO(whole)) as made:
            names = made.getnames()
        if whole[-1024:] != bytes(1024) or not any(name.endswith("SHA256SUMS") for name in names):
            box.fault("no end block, or no list")
        if whole.rstrip(b"\0").endswith(b"\0" * 1024):
            box.fault("an end block before the end")
        last = whole[:len(whole.rstrip(b"\0")) - 10]
        try:
            with tarfile.open(fileobj=io.BytesIO(last)) as made:
                for member in made:
                    if member.isfile():
                        data = made.extractfile(member).read()
                        if len(data) != member.size:
                            raise tarfile.ReadError("cut")
            box.fault("a cut stream was read as a whole one")
        except tarfile.TarError:
            pass
    t.add(194, "stdoutkill", "detectable", 0, detectable)


def forms(t):
    def header(box):
        box.converted(box.write("in.pt", GOOD))
        data = (box.out / "model.safetensors").read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        told = json.loads(data[8:8 + size])
        meta = told.pop("__metadata__", {})
        at = 0
        for name, about in sorted(told.items(), key=lambda item: item[1]["data_offsets"]):
            begin, end = about["data_offsets"]
            if begin != at:
                box.fault(f"{name} leaves a hole")
            at = end
        if (8 + size) % 8 or at != len(data) - 8 - size or any(not isinstance(v,
                str) for v in meta.values()):
            box.fault("header")
        if data[8:8 + size].rstrip(b" ") != data[8:8 + size].strip() or data[8 + size - 1:8 +
                size] not in (b"}", b" "):
            box.fault("padded with other than blanks")
    t.add(195, "sthdr", "", 0, header)
    t.add(201, "padbytes", "header", 0, header)

    def nothing(box):
        """Tensors without numbers, in what is read; GPT-2 has none to be written."""
        told = b'{"a":{"dtype":"F16","shape":[2,0],"data_offsets":[0,0]},"b":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}'
        path = box.write("a.safetensors", struct.pack("<Q", len(told)) + told + b"\0\0")
        box.expect(0, "inspect", "--tensors", path, says=[r"\ta\t.*\[2, 0\]", r"\tb\t.*\[\]"])
        box.expect(0, "diff", path, path)
    t.add(196, "stzero", "", 0, nothing)

    def split(box):
        path = box.write("in.pt", GOOD)
        box.expect(0, "convert", path, "-o", box.out, "--max-shard-size", "1KB")
        index = json.loads((box.out / "model.safetensors.index.json").read_text())
        names = sorted(set(index["weight_map"].values()))
        count = len(names)
        if names != [f"model-{n:05}-of-{count:05}.safetensors" for n in range(1,
                count + 1)] or count < 3:
            box.fault(f"names {names}")
        held = {}
        for name in names:
            inside = checkpoint.read_safetensors(box.out / name)
            if sum(map(len, inside.values())) > 1000:
                box.fault(f"{name} is too large")
            for key in inside:
                if index["weight_map"].get(key) != name or key in held:
                    box.fault(f"{key} is not where the index says")
            held.update(inside)
        if held != checkpoint.expected() or index["metadata"]["total_size"] != sum(map(len,
                held.values())):
            box.fault("other weights, or another total_size")
        # In float32 the 1,024 bytes of c_fc and c_proj are more than the limit: a file for each.
        shutil.rmtree(box.out)
        box.expect(0, "convert", path, "-o", box.out, "--max-shard-size", "1KB", "--dtype",
                   "float32")
        box.expect(0, "verify", box.out)
        for made in box.out.glob("*.safetensors"):
            inside = checkpoint.read_safetensors(made)
            if sum(map(len, inside.values())) > 1000 and len(inside) > 1:
                box.fault(f"{made.name} is too large")
    t.add(198, "shardout", "", 0, split)

    def modes(box):
        path = box.write("in.pt", GOOD)
        for mask in (0o077, 0o022, 0):
            box.expect(0, "convert", path, "-o", box.out, umask=mask)
            for made in box.out.iterdir():
                if stat.S_IMODE(made.stat().st_mode) != 0o666 & ~mask:
                    box.fault(f"{made.name}: {oct(made.stat().st_mode)} with umask {oct(mask)}")
            if stat.S_IMODE(box.out.stat().st_mode) & 0o777 != 0o777 & ~mask:
                box.fault(f"directory: {oct(box.out.stat().st_mode)} with umask {oct(mask)}")
            shutil.rmtree(box.out)
        (box.inside / "team").mkdir()
        os.chmod(box.inside / "team", 0o2775)
        box.expect(0, "convert", path, "-o", box.inside / "team/out")
        if not (box.inside / "team/out").stat().st_mode & stat.S_ISGID:
            box.fault("the directory did not inherit its group's bit")
    t.add(199, "mode", "", 0, modes)

    def repeated(box):
        """Everything that may differ between two runs, and no byte of the result."""
        path = box.write("in.pt", GOOD)
        box.write("elsewhere/in.pt", GOOD)
        box.expect(0, "convert", path, "-o", box.inside / "first")
        for number, (words, env, mask) in enumerate((
                (["-j", "1"], {}, 0o022), (["-j", "4"], {"TZ": "Asia/Tokyo"}, 0o077),
                ([], {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"}, 0o022),
                ([], {"LC_ALL": "none_SUCH"}, 0), (["-v"], {"SOURCE_DATE_EPOCH": "1",
                        "HOME": "/nonexistent"}, 0o022), (["--progress=json"], {"LANGUAGE": "de",
                                "COLUMNS": "3"}, 0o022))):
            where = box.inside / "elsewhere/in.pt" if number % 2 else path
            box.expect(0, "convert", where, "-o", box.inside / f"run{number}", *words, env=env,
                       umask=mask)
            first = {p.name: p.read_bytes() for p in (box.inside / "first").iterdir()}
            again = {p.name: p.read_bytes() for p in (box.inside / f"run{number}").iterdir()}
            if first != again:
                box.fault(f"run {number} differs: " + ", ".join(sorted(k for k in {*first,
                        *again} if first.get(k) != again.get(k))))
    t.add(200, "repro", "", 0, repeated)


def environment(t):
    def closed(box):
        """Which of the first three descriptors are closed at the start."""
        path = box.write("in.pt", GOOD)
        for which in ([0], [1], [2], [0, 1], [1, 2], [0, 1, 2]):
            redirect = " ".join({0: "<&-", 1: ">&-", 2: "2>&-"}[n] for n in which)
            for words, wanted in (("convert in.pt -o out", 0), ("inspect in.pt", 0), ("verify out",
                    0), ("convert none.pt -o out2", 6), ("convert --bad", 2)):
                ran = subprocess.run(["sh", "-c", f'"$0" {words} {redirect}', box.program],
                                     cwd=box.inside, capture_output=True, check=False,
                                     env=dict(os.environ, TMPDIR=str(box.temporary)))
                if ran.returncode != wanted:
                    box.fault(f"{words} {redirect}: status {ran.returncode}")
            if box.out.is_dir():
                found = checkpoint.read_safetensors(box.out / "model.safetensors")
                if found != checkpoint.expected():
                    box.fault(f"{redirect}: other weights")
                shutil.rmtree(box.out)
        assert path.read_bytes() == GOOD
    t.add(207, "fdclosed", "", 0, closed)

    def broken(box):
        box.write("in.pt", GOOD)
        for words, wanted in (("convert in.pt -o out", 0), ("convert none.pt -o out2", 6),
                              ("verify out", 0)):
            reading, writing = os.pipe()
            os.close(reading)
            status = box.run(*words.split(), stderr=writing)
            os.close(writing)
            if status != wanted:
                box.fault(f"{words}: status {status}")
    t.add(206, "sigpipe", "", 0, broken)

    def limited(row, slug, what, limits, *words, rss=True):
        def run(box):
            box.converted(box.write("in.pt", GOOD), *words,
                          limits=[] if rss and sanitized(box.program) else limits)
        t.add(row, slug, what, 0, run)
    limited(209, "ulimitv", "", [(resource.RLIMIT_AS, 96 << 20)])
    limited(212, "stack", "64k", [(resource.RLIMIT_STACK, 64 << 10)])
    limited(212, "stack", "64k-threads", [(resource.RLIMIT_STACK, 64 << 10)], "-j", "4")

    def many(box):
        """64 pipeline stages of a layer each, and 16 descriptors."""
        stages = 64
        for stage in range(stages):
            made = Checkpoint(args=dict(num_layers=stages, pipeline_model_parallel_size=stages,
                                        rank=stage, data_parallel_size=1))
            if stage > 0:
                del made.held[PLACES], made.held[WORDS]
            if stage < stages - 1:
                del made.held[FINAL + ".weight"], made.held[FINAL + ".bias"]
            box.write(f"ck/iter_0001000/mp_rank_00_{stage:03}/model_optim_rng.pt",
                      staged(made, stage, stages))
        box.expect(0, "convert", box.inside / "ck/iter_0001000", "-o", box.out,
                   limits=[(resource.RLIMIT_NOFILE, 16)], says=["64 layers", "64 pipeline"])
    t.add(210, "nofile", "", 0, many)

    def alone(box):
        """A user of whom there may be one process: no thread can be started."""
        if os.geteuid() != 0 or sanitized(box.program):         # which starts one to find leaks
            return
        reachable(box)
        box.write("in.pt", GOOD)
        box.expect(0, "convert", "in.pt", "-o", "out", "-j", "4", user=54321, group=54321,
                   limits=[(resource.RLIMIT_NPROC, 1)])
        if not box.out.is_dir():
            box.fault("nothing was made")
    t.add(211, "nproc", "", 0, alone)

    for what, env in (("turkish", {"LC_ALL": "tr_TR.UTF-8"}),
                      ("german", {"LC_ALL": "de_DE.UTF-8"}), ("c", {"LC_ALL": "C"}),
                      ("invalid", {"LC_ALL": "none_SUCH"}), ("empty", {"LC_ALL": "", "LANG": ""})):
        def localized(box, env=env):
            box.converted(box.write("in.pt", GOOD), env=env)
            told = (box.out / "config.json").read_text()
            if '"layer_norm_epsilon": 1e-05' not in told or re.search(r"\d,\d", told):
                box.fault("numbers of another language in config.json")
        t.add(213, "locale", what, 0, localized)
    for what, value in (("missing", "/nonexistent"), ("file", "/etc/passwd"), ("empty", "")):
        t.converts(214, "tmpdir", what, GOOD, env={"TMPDIR": value})

    def stranger(box):
        """No HOME, no name for the user, nothing that it may write but where the result goes."""
        if os.geteuid() != 0:
            box.converted(box.write("in.pt", GOOD), env={"HOME": ""})
            return
        reachable(box)
        box.write("in.pt", GOOD)
        box.expect(0, "convert", "in.pt", "-o", "out", user=54321, group=54321, env={"HOME": ""})
        if not box.out.is_dir() or box.out.stat().st_uid != 54321:
            box.fault("nothing was made")
    t.add(215, "home", "", 0, stranger)

    def other_machine(box):
        """The headers refuse a machine that the code is not written for."""
        source = box.write("x.c",
                           '#include <stdint.h>\n#ifdef NARROW\n#undef SIZE_MAX\n#define SIZE_MAX 0xffffffff\n#endif\n'
                           '#include "base/checked.h"\nint x;\n')
        for told, refused in ((["-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__"],
                               True), (["-DNARROW"], True), ([], False)):
            ran = subprocess.run(["cc", "-fsyntax-only", "-w", *told, f"-I{box.fixtures}/../src",
                                  source],
                                 capture_output=True, text=True, check=False)
            if refused != ("needs a 64-bit machine" in ran.stderr) or refused != (ran.returncode != 0):
                box.fault(f"{told}: status {ran.returncode} {ran.stderr[:100]}")
    t.add(220, "hostarch", "", 0, other_machine)

    def terminals(box):
        """What is seen on a terminal of some width, and where there is none."""
        path = box.write("in.pt", GOOD)
        for columns, env, coloured in ((80, {}, True), (20, {}, True), (0, {}, True),
                                       (80, {"TERM": "dumb"}, False), (80, {"NO_COLOR": "1"},
                                               False)):
            ours, theirs = pty.openpty()
            set_width(theirs, columns)
            status = box.run("convert", path, "-o",
                             box.inside / f"o{columns}{len(env)}{env.get('TERM', '')}",
                             stderr=theirs, env=dict({"TERM": "xterm", "CI": ""}, **env))
            os.close(theirs)
            shown = b""
            try:
                while chunk := os.read(ours, 65536):
                    shown += chunk
            except OSError:
                pass
            os.close(ours)
            if status != 0:
                box.fault(f"{columns} {env}: status {status}")
            colours = re.findall(rb"\x1b\[[0-9;]*m", shown)
            if not coloured and colours:
                box.fault(f"{env}: colours {colours[:3]}")
        for env in ({}, {"CI": "true"}, {"TERM": "xterm"}):
            shutil.rmtree(box.out, ignore_errors=True)
            box.expect(0, "convert", path, "-o", box.out, env=env)
            if "\x1b" in box.stderr + box.stdout or "\r" in box.stderr:
                box.fault(f"{env}: escape codes where no terminal is")
    t.add(221, "tty", "", 0, terminals)


def set_width(descriptor, columns):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def reachable(box):
    """Another user comes this far."""
    for path in (box.inside, box.logs, box.logs.parent):
        os.chmod(path, 0o755)
    os.chmod(box.inside, 0o777)
    os.chmod(box.temporary, 0o777)


def staged(made, stage, stages):
    """The last stage has a copy of the embedding, for its head."""
    if stage == stages - 1:
        head = Checkpoint()
        made.outside.append(("unused", checkpoint.plain(None)))
        model = checkpoint.dict_of([("language_model", made.language_model()),
                                    ("word_embeddings_for_head",
                                     checkpoint.dict_of([("weight", head.held[WORDS])]))])
        top = [(k, model if k == "model" else v) for k, v in made.top()]
        return made.torch_zip(pickle=checkpoint.pickles.stream(checkpoint.dict_of(top)))
    return made.torch_zip()


def add(t):
    destinations(t)
    streams(t)
    forms(t)
    environment(t)
