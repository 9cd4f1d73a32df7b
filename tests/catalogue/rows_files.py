"""Rows 1 to 24: the file as a whole."""
import bz2
import gzip
import io
import lzma
import os
import socket
import struct
import tarfile

from checkpoint import Checkpoint, FIRST
from zips import Entry, archive

GOOD = Checkpoint().torch_zip(zip64=True)
LEGACY = Checkpoint().legacy()
ZIP_HINT = "truncated: zip end record missing; file is %d bytes"


def kinds(t):
    t.refused(1, "empty", "", 3, r"in\.pt: file is empty \(0 bytes\)", b"")
    for size in range(1, 22):
        t.refused(2, "tiny", f"{size:02}", 3, rf"too short to be a checkpoint \({size} bytes\)",
                  b"a" * size)
    for what, page in (("doctype", b"<!DOCTYPE html><html><title>404</title>"),
                       ("upper", b"\n  <HTML><head>"), ("escape", b"<html>\x1b[31m<title>x")):
        t.refused(3, "html", what, 3, "looks like an HTML page, not a checkpoint: ", page)
    for what, page in (("json", b'{"error": {"message": "Unauthorized", "code": 401}}'),
                       ("xml", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')):
        t.refused(4, "apierr", what, 3,
                  "looks like an error message from a server: .*(Unauth|AccessD)", page)
    t.refused(5, "lfs", "", 3,
              r"git-lfs pointer, not the file itself \(real size 12345 bytes, sha256 0{64}\)",
              b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 +
              b"\nsize 12345\n")

    def sparse(box):
        path = box.write("in.pt", b"")
        os.truncate(path, 1 << 30)
        return path
    t.refused(6, "zeros", "one-gigabyte", 3,
              "bytes examined are zero; the download never completed", sparse)

    for ending in ("part", "aria2", "crdownload", "incomplete", "tmp"):
        t.refused(7, "partsuffix", ending + "-damaged", 3, "truncated", GOOD[:-1],
                  code="truncated",
                  name="in.pt." + ending)
        t.converts(7, "partsuffix", ending, GOOD, name="in.pt." + ending,
                   says=["warning .*the name ends in .%s, which suggests an unfinished download" %
                         ending])

    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as made:
        member = tarfile.TarInfo("in.pt")
        member.size = len(GOOD)
        made.addfile(member, io.BytesIO(GOOD))
    for what, data, tool in (
            ("gzip", gzip.compress(GOOD), "gzip"), ("bzip2", bz2.compress(GOOD), "bzip2"),
            ("xz", lzma.compress(GOOD), "xz"), ("zstd", b"\x28\xb5\x2f\xfd" + b"\x01" * 99,
                                                "zstd"),
            ("7z", b"7z\xbc\xaf\x27\x1c\0\4" + b"\x01" * 99, "7z"), ("tar", tar.getvalue(),
                    "tar")):
        t.refused(8, "wrapped", what, 4, f"in.pt: {tool}.*unpack it first", data)

    npy = b"\x93NUMPY\1\0v\0" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".ljust(117) + b"\n"
    npz = archive([Entry("arr_0.npy", npy + b"\0" * 8)])
    for what, data, says in (
            ("safetensors", struct.pack("<Q",
                                        56) + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ' + b"1234",
             "a safetensors file"),
            ("gguf", b"GGUF\3" + b"\0" * 60, "GGUF file"),
            ("hdf5", b"\x89HDF\r\n\x1a\n" + b"\0" * 60, "HDF5 file"),
            ("npy", npy + b"\0" * 8, "NumPy"), ("npz", npz, "NumPy"),
            ("onnx", b"\x08\x07\x12\x07pytorch\x1a\x051.13.1" + b"\0" * 60, "ONNX"),
            ("tensorflow", b"\x08\x01\x12\x99" + b"saved_model".ljust(60, b"\0"), "TensorFlow"),
            ("msgpack", b"\x81\xa6params\x81\xa3wte\xc7\x08\1" + b"\0" * 60, "MessagePack")):
        t.refused(9, "otherformat", what, 4, says, data)
    for what, data, starts in (("png", b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "89 50 4e 47"),
                               ("pdf", b"%PDF-1.7\n" + b"x" * 60, "25 50 44 46"),
                               ("elf", b"\x7fELF\2\1\1" + b"\0" * 60, "7f 45 4c 46"),
                               ("random", bytes((i * 97 + 13) % 251 for i in range(500)),
                                "0d 6e cf")):
        t.refused(10, "image", what, 3, rf"not a PyTorch checkpoint \(starts with {starts}", data)

    t.converts(11, "legacyok", "", LEGACY, says=["torch legacy stream"])

    def inspected(box):
        box.expect(0, "inspect", box.write("in.pt", LEGACY), says=["torch legacy"])
    t.add(11, "legacyok", "inspect", 0, inspected)

    old = io.BytesIO()
    with tarfile.open(fileobj=old, mode="w") as made:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            made.addfile(tarfile.TarInfo(name), io.BytesIO())
    t.refused(12, "torchtar", "", 4, "torch 0.1.* tar .*not supported", old.getvalue())
    for what, extra in (("code", ["model/code/__torch__.py", "model/constants.pkl"]),
                        ("constants", ["model/constants.pkl"])):
        t.refused(13, "torchscript", what, 4,
                  "TorchScript archive: it holds code, not only weights",
                  archive(Checkpoint().entries() + [Entry(name, b"x = 1\n") for name in extra]))
    t.refused(13, "torchscript", "mar", 4, "holds code, not only weights",
              archive([Entry("MAR-INF/MANIFEST.json", b"{}"), Entry("model.pt", GOOD)]))
    t.refused(13, "torchscript", "pt2", 4, "holds code, not only weights",
              archive([Entry("model/archive_format", b"pt2"), Entry("model/models/model.json",
                      b"{}"),
                       Entry("model/version", b"0")]))
    t.refused(14, "pytorch1", "", 4, "preview.release", b"PYTORCH1" + b"\0" * 60)


def not_regular(t):
    def fifo(box):
        os.mkfifo(box.inside / "in.pt")
        return box.inside / "in.pt"

    def unix_socket(box):
        here = os.getcwd()
        made = socket.socket(socket.AF_UNIX)
        handle = os.open(box.inside, os.O_RDONLY)
        made.bind(f"/proc/self/fd/{handle}/in.pt")
        os.close(handle)
        assert here == os.getcwd()
        return box.inside / "in.pt"

    def loop(box):
        os.symlink("in.pt", box.inside / "in.pt")
        return box.inside / "in.pt"

    def dangling(box):
        os.symlink("nowhere", box.inside / "in.pt")
        return box.inside / "in.pt"

    def folder(box):
        (box.inside / "in.pt").mkdir()
        return box.inside / "in.pt"
    for what, make, says, code in (("fifo", fifo, "FIFO; a regular file is expected", "notreg"),
                                   ("socket", unix_socket, "[Ss]ocket|No such device", "notreg"),
                                   ("loop", loop, "Too many levels of symbolic links", "notreg"),
                                   ("dangling", dangling, "No such file or directory", "noinput"),
                                   ("device", lambda box: "/dev/zero", "device", "notreg"),
                                   ("folder", folder, "holds no checkpoint", "nocheckpoint")):
        t.refused(15, "notreg", what, 6, says, make, code=code)


def damage(t):
    """Where the records of GOOD lie is looked up by their bytes: each storage is unique."""
    spot = GOOD.index(Checkpoint().records["4"])            # query_key_value.weight

    def changed(at, data):
        return GOOD[:at] + data + GOOD[at + len(data):]
    flipped = changed(spot + 7, bytes([GOOD[spot + 7] ^ 0x40]))
    t.refused(16, "bitflip", "torch-zip", 3,
              r"in\.pt:model/data/4: CRC-32 mismatch \(stored [0-9a-f]{8}, computed [0-9a-f]{8}\)",
              flipped)
    inner = "release/mp_rank_00/model_optim_rng.pt"
    outer = archive([Entry(inner, GOOD)])
    spot2 = outer.index(Checkpoint().records["4"])
    outer = outer[:spot2] + bytes([outer[spot2] ^ 1]) + outer[spot2 + 1:]
    t.refused(16, "bitflip", "outer-zip", 3, rf"{inner}:?.*CRC-32 mismatch", outer)
    t.refused(17, "trunc1", "", 3, ZIP_HINT % (len(GOOD) - 1), GOOD[:-1], code="truncated")
    for percent in (1, 10, 25, 50, 75, 90, 99):
        cut = len(GOOD) * percent // 100
        t.refused(18, "trunchalf", f"{percent:02}-percent", 3, ZIP_HINT % cut, GOOD[:cut],
                  code="truncated")
    for what, cut in (("local-header", GOOD.index(b"model/data/9") - 11),
                      ("directory", GOOD.index(b"PK\1\2") + 100),
                      ("first-header", 25)):
        t.refused(18, "trunchalf", what, 3, ZIP_HINT % cut, GOOD[:cut], code="truncated")
    for percent in (30, 60, 99):
        cut = len(LEGACY) * percent // 100
        t.refused(18, "trunchalf", f"legacy-{percent}-percent", 3, r"in\.pt.*(end|truncated)",
                  LEGACY[:cut],
                  code="legacyhdr" if cut > LEGACY.index(Checkpoint().records["0"]) else "truncop")
    for cut in range(1, 99):
        t.refused(19, "trunceocd", f"less-{cut:02}", 3, ZIP_HINT % (len(GOOD) - cut), GOOD[:-cut],
                  code="truncated")
    wide = Checkpoint()
    wide.put(FIRST + ".unused", [1.0] * 8192, (8192,), "99")
    wide.held.pop(FIRST + ".unused")
    wide.outside.append(("wide", wide.storage_of(FIRST, key="99", count=8192)))
    base = wide.torch_zip()
    start = base.index(wide.records["99"])
    hole = start + 4096 - start % 4096
    t.refused(20, "hole", "", 3, r"data/99: CRC-32 mismatch .*bytes %d.*zero" % hole,
              base[:hole] + b"\0" * 4096 + base[hole + 4096:], code="hole")
    half = len(GOOD) // 2
    t.refused(21, "zerotail", "", 3, "the last [0-9]+ bytes are zero",
              GOOD[:half] + b"\0" * (len(GOOD) - half))
    t.refused(22, "duprange", "twice", 3, "data/4: CRC-32 mismatch", changed(spot + 64,
            GOOD[spot:spot + 64]),
              code="bitflip")
    t.refused(22, "duprange", "swapped", 3, "data/4: CRC-32 mismatch",
              changed(spot, GOOD[spot + 64:spot + 128] + GOOD[spot:spot + 64]), code="bitflip")
    t.refused(23, "crlf", "zip", 3, "file was changed by a text-mode transfer", GOOD.replace(b"\n",
            b"\r\n"))
    t.refused(23, "crlf", "legacy", 3, "file was changed by a text-mode transfer",
              LEGACY.replace(b"\n", b"\r\n"))


def add(t):
    kinds(t)
    not_regular(t)
    damage(t)
