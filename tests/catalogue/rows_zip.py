"""Rows 25 to 62: the structure of zip archives."""
import struct
import zlib

import pickles
from checkpoint import Checkpoint, FIRST, WORDS
from zips import (DEFLATED, FOUR, Entry, archive, central_header, deflate, end_record,
                  full_overlap,
                  local_header, quoted_overlap, zip64_locator, zip64_record)

GOOD = Checkpoint().torch_zip()
SPOILT = "model/data/4"         # query_key_value.weight
SHARD = "release/mp_rank_00/model_optim_rng.pt"


def spoilt(**how):
    """A good archive in which the record SPOILT is written otherwise."""
    return archive([Entry(e.name, e.data, **how) if e.name == SPOILT.encode() else e
                    for e in Checkpoint().entries()])


def with_more(*entries, **how):
    return archive(Checkpoint().entries() + list(entries), **how)


def parts(data):
    """Offset and size of the directory of an archive without zip64."""
    size, offset = struct.unpack("<II", data[-10:-2])
    return offset, size


def ends(t):
    """The end of the archive, and what lies between its parts."""
    offset, size = parts(GOOD)
    count = len(Checkpoint().entries())
    body, directory = GOOD[:offset], GOOD[offset:offset + size]

    def many(claimed, real):
        def make(box):
            data, one = local_header(b"a/0000000", 0, 0, 0), central_header(b"a/0000000", 0, 0, 0,
                    0)
            place = len(data) + len(one) * real
            path = box.write("in.pt", data)
            with path.open("ab") as file:
                for _ in range(real // 2):
                    file.write(one * 2)
                file.write(zip64_record(claimed, place - len(data), len(data)) +
                           zip64_locator(place)
                           + end_record(0xffff, FOUR, FOUR))
            return path
        return make
    t.refused(25, "manynames", "listed", 8, r"archive has 1200000 entries \(limit 1000000\)",
              many(1200000, 1200000))
    t.refused(25, "manynames", "claimed", 3, "the directory of 110 bytes has no room",
              many(10**7, 2), code="countbad")
    t.refused(26, "prefix", "", 3, "64 unexpected bytes before the first record", b"P" * 64 + GOOD)
    place = offset + size
    record = zip64_record(count, size, offset)
    # Which of two records holds; the other may stand beside it, or in the data of an entry.
    t.refused(27, "zip64elsewhere", "beside", 5, f"56 bytes at offset {place} belong to no record",
              GOOD[:place] + record + record + zip64_locator(place) + end_record(count, FOUR,
                      FOUR), code="gapcd")
    data = with_more(Entry("model/note", record), zip64=True)
    inner = data.index(record)
    t.refused(27, "zip64elsewhere", "inside", 5,
              rf"zip64 end record is not where it must be \(expected offset {len(data) - 98}, found {inner}\)",
              data[:-42] + zip64_locator(inner) + data[-22:])
    evil = Entry("model/data.pkl", b"E")
    other = evil.written() + evil.listed(place)
    for what, told in (("offset", (1, len(evil.listed(0)), place + len(evil.written()))),
                       ("count", (count - 1, size, offset)),
                       ("size", (count, size - 1, offset))):
        data = GOOD[:place] + (other if what == "offset" else b"")
        t.refused(28, "zip64disagree", what, 5 if what == "offset" else (5),
                  "the two end records disagree",
                  data + zip64_record(*told) + zip64_locator(len(data)) + end_record(count, size,
                          offset))
    t.refused(29, "trailing", "bytes", 3, "64 bytes after the end of the archive",
              GOOD + b"T" * 64)
    t.refused(29, "trailing", "one", 3, "1 bytes? after the end of the archive", GOOD + b"\n")
    t.refused(30, "comment", "archive", 5, "archive comment of [0-9]+ bytes",
              archive(Checkpoint().entries(), comment=GOOD))
    t.refused(30, "comment", "text", 5, "archive comment of 5 bytes",
              archive(Checkpoint().entries(), comment=b"hello"))
    t.refused(31, "concat", "", 5, f"second archive starts at offset {len(GOOD)}", GOOD + GOOD)
    t.refused(32, "gapcd", "directory", 5, f"64 bytes at offset {offset} belong to no record",
              archive(Checkpoint().entries(), gap=b"G" * 64))
    entries = Checkpoint().entries()
    hidden = Entry("model/hidden", b"H" * 20)
    first = entries[0].written()
    listed = entries[0].listed(0)
    at = len(first) + len(hidden.written())
    rest = b""
    for entry in entries[1:]:
        listed += entry.listed(at + len(rest))
        rest += entry.written()
    data = first + hidden.written() + rest
    t.refused(32, "gapcd", "unlisted", 5, f"bytes at offset {len(first)} belong to no record",
              data + listed + end_record(count, len(listed), len(data)))
    t.refused(33, "multidisk", "end", 4, "multi-volume zip archives are not supported",
              archive(entries, disk=1))
    t.refused(33, "multidisk", "entry", 4, "multi-volume zip archives are not supported",
              spoilt(disk=1))
    for what, told in (("low", count - 1), ("high", count + 2), ("overflow", 0xfffe)):
        t.refused(34, "countbad", what, 3, "entries", archive(entries, count=told))
    t.refused(34, "countbad", "here", 3, f"{count - 1} entries on this disk and {count} in all",
              archive(entries, here=count - 1))
    t.refused(35, "cdbad", "offset", 3,
              rf"central directory \(offset {10**6}, size {size}\) is outside the file \({len(GOOD)} bytes\)",
              archive(entries, offset=10**6))
    t.refused(35, "cdbad", "size", 3, "central directory .* is outside the file", archive(entries,
            size=10**6))
    t.refused(35, "cdbad", "signature", 3, "directory", body + b"PK\1\x09" + directory[4:] +
              GOOD[place:])


def bombs(t):
    t.refused(36, "quoted", "", 5, "records? a/0000 and a/0001 overlap",
              lambda box: box.write("in.pt", quoted_overlap(250, b"a" * (1 << 22))))
    t.refused(37, "fulloverlap", "", 5, "overlap|local header.*name",
              lambda box: box.write("in.pt", full_overlap(2000, bytes(1 << 24))),
              code="fulloverlap")
    t.refused(38, "ratio", "storage", 3,
              r"storage 99: pickle says 8 x 2 bytes, record model/data/99 holds [0-9]+",
              lambda box: box.write("in.pt", bomb("model/data/99")), code="recsize")
    t.refused(38, "ratio", "pickle", 8, "limit", lambda box: box.write("in.pt",
            bomb("model/data.pkl")), code="hugepkl")


def bomb(name, mebibytes=100):
    """Zeros, 1000:1, whose sizes and CRC are right."""
    made, packer, packed, crc = Checkpoint(), zlib.compressobj(9, zlib.DEFLATED, -15), b"", 0
    made.outside.append(("bomb", made.storage_of(FIRST, key="99")))
    for _ in range(mebibytes):
        packed += packer.compress(bytes(1 << 20))
        crc = zlib.crc32(bytes(1 << 20), crc)
    packed += packer.flush()
    return archive([e for e in made.entries() if e.name != name.encode()]
                   + [Entry(name, b"", DEFLATED, packed=packed, crc_said=crc,
                            size_said=mebibytes << 20)])


def headers(t):
    """One entry tells something else than the other half, or than is there."""
    for what, lie in (("method", dict(local_method=8)), ("flags", dict(local_flags=0x800)),
                      ("crc", dict(local_crc=1)),
                      ("packed", dict(local_packed=11)), ("size", dict(local_size=11))):
        t.refused(39, "lh", what, 3, rf"{SPOILT}: local header disagrees with the directory",
                  spoilt(**lie))
    t.refused(39, "lh", "name", 5, "local header disagrees with the directory: name",
              spoilt(local_name=b"model/data/7"))
    broken = GOOD.index(SPOILT.encode()) - 30
    t.refused(39, "lh", "signature", 3, f"{SPOILT}: no local header where the directory says",
              GOOD[:broken] + b"PK\3\x09" + GOOD[broken + 4:])
    for what, data in (("missing", b""), ("crc", b"PK\7\x08" + struct.pack("<III", 1, 384, 384)),
                       ("size", b"PK\7\x08" + struct.pack("<III", 0, 385, 385))):
        t.refused(40, "dd", what, 3, "data descriptor|overlap|belong", spoilt(descriptor=True,
                descriptor_bytes=data))
    for what, how, status, code in (("bit-0", dict(flags=1), 4, "encflag"),
                                    ("strong", dict(flags=0x41), 4, "encflag"),
                                    ("aes", dict(flags=1, method_said=99), 4, "encflag"),
                                    ("masked", dict(flags=0x2000), 5, "encflag"),
                                    ("strong-alone", dict(flags=0x40), 4, "encflag"),
                                    ("patch", dict(flags=0x20), 5, "encflag")):
        t.refused(41, "encflag", what, status, SPOILT, spoilt(**how), code=code)
    t.refused(42, "dup", "data-pkl", 5, r"model/data\.pkl appears twice",
              with_more(Entry("model/data.pkl", b"X" * 20)))
    t.refused(42, "dup", "storage", 5, "model/data/4 appears twice",
              with_more(Entry(SPOILT, b"X" * 384)))
    t.refused(43, "casedup", "", 5,
              r"(data\.pkl and .*DATA\.PKL|DATA\.PKL and .*data\.pkl) differ only in case",
              with_more(Entry("model/DATA.PKL", b"X" * 20)))
    for what, name in (("up", b"../../etc/x"), ("inner-up", b"model/../../x"),
                       ("absolute", b"/abs"), ("drive", b"C:\\x"),
                       ("backslash", b"..\\w"), ("nul", b"model/data.pkl\0.txt"),
                       ("control", b"model/\x1b[31m"),
                       ("empty", b""), ("utf8", b"model/\xff\xfe"),
                       ("long", b"model/" + b"n" * 600), ("dot", b"model//x")):
        t.refused(44, "badname", what, 5, "record name|empty name|name",
                  with_more(Entry(name, b"x")))
        t.refused(44, "badname", what + "-outer", 5, "record name|empty name|name",
                  archive([Entry(SHARD, GOOD), Entry(name, b"x")]))
    for what, mode, says in (("link", 0o120777, "symbolic link entry"), ("device", 0o060600,
            "device or pipe entry"), ("fifo", 0o010600, "device or pipe entry")):
        t.refused(45, "symlinkentry", what, 5, says, with_more(Entry("model/l", b"/etc/passwd",
                mode=mode << 16, made=0x0314)))
    for number, name in ((12, "bzip2"), (14, "lzma"), (95, "xz"), (93, "zstd"), (98, "ppmd"),
                         (9, "deflate64"), (6, "implode"), (77, "")):
        t.refused(46, "method", name or "bogus", 4,
                  rf"{SPOILT}: compression method {number} .*not supported" if name else f"method {number}",
                  spoilt(method_said=number))
    t.refused(47, "storedsize", "", 3, f"{SPOILT}: stored record: 384 vs 110 bytes",
              spoilt(size_said=110))
    for what, size, says in (("4g", 2**32 - 2, "expands to 384 bytes, 4294967294 declared"),
                             ("little", 500, "expands to 384 bytes, 500 declared")):
        made = Checkpoint().tensor("layers.0.attention.query_key_value.weight", count=size // 2)
        t.refused(48, "deflshort", what, 3, f"{SPOILT}: {says}",
                  archive([Entry(e.name, e.data, DEFLATED,
                                 size_said=size) if e.name == SPOILT.encode() else e
                           for e in made.entries()]))
    t.refused(48, "deflshort", "pickle", 3, r"data\.pkl: expands to [0-9]+ bytes, [0-9]+ declared",
              pickle_sized(+7))
    t.refused(49, "defllong", "", 5, "expands beyond its declared 384 bytes", long_record())
    t.refused(49, "defllong", "pickle", 5, r"data\.pkl: expands beyond its declared [0-9]+ bytes",
              pickle_sized(-7))
    for what, packed in (("block-type", b"\x07" + b"\0" * 40),
                         ("distance", b"\x03\x5e" + b"\0" * 40),
                         ("lengths", b"\xfd" + b"\xff" * 40)):
        t.refused(50, "deflbad", what, 3, rf"{SPOILT}: damaged compressed data at byte [0-9]+",
                  spoilt(method=DEFLATED, packed=packed))
    t.refused(51, "pasteof", "", 3,
              f"{SPOILT}: needs 1073741824 bytes from offset [0-9]+ on, file has {len(GOOD)}",
              spoilt(packed_said=1 << 30, size_said=1 << 30))
    t.refused(52, "zip64extra", "missing", 3, f"{SPOILT}: zip64 field", spoilt(central_size=FOUR,
            central_packed=FOUR))
    t.refused(52, "zip64extra", "short", 3, f"{SPOILT}: zip64 field", spoilt(central_size=FOUR,
            central_packed=FOUR,
              central_extra=struct.pack("<HHI", 1, 4, 384)))
    both = struct.pack("<HHQQ", 1, 16, 384, 384)
    t.refused(52, "zip64extra", "twice", 3, f"{SPOILT}: zip64 field", spoilt(central_size=FOUR,
            central_packed=FOUR, central_extra=both + both))
    t.refused(52, "zip64extra", "past-end", 3, SPOILT, spoilt(central_extra=struct.pack("<HH", 1,
            99)))
    t.converts(52, "zip64extra", "right", spoilt(central_size=FOUR, central_packed=FOUR,
                                                 central_extra=both, local_size=FOUR,
               local_packed=FOUR, local_extra=both))


def pickle_sized(more):
    entries = Checkpoint().entries()
    data = entries[0].data
    entries[0] = Entry("model/data.pkl", data, DEFLATED, size_said=len(data) + more)
    return archive(entries)


def long_record():
    data = Checkpoint().records["4"]
    return spoilt(method=DEFLATED, packed=deflate(data * 500), size_said=len(data))


def records(t):
    """What is in a torch zip, or is not."""
    made = Checkpoint()
    t.refused(54, "noroot", "no-pickle", 4, "no data.pkl: not written by torch.save",
              archive(made.entries()[1:]))
    t.refused(54, "noroot", "two-roots", 4, "not in one folder|more than one folder",
              with_more(Entry("other/data/0", b"x")))
    t.refused(54, "noroot", "no-folder", 4, "no folder: not written by torch.save",
              archive([Entry(e.name[6:], e.data) for e in made.entries()]))
    for what, text, status, says in (("none", None, 3, "version is missing"), ("text", b"three\n",
            3, "archive version 'three' is not a number"),
                                     ("zero", b"0\n", 3, "archive version 0 does not exist"),
                                     ("eleven", b"11\n", 4,
                                      r"archive version 11 is newer than supported \(10\)"),
                                     ("huge", b"1" + b"0" * 30 + b"\n", 4,
                                      "archive version 1000.* is newer than supported"),
                                      ("empty", b"", 3, "version record is empty")):
        entries = made.entries()[:-1] + ([] if text is None else [Entry("model/version", text)])
        t.refused(55, "version", what, status, says, archive(entries))
    t.refused(56, "byteorder", "big", 4, "big-endian checkpoint",
              with_more(Entry("model/byteorder", b"big")))
    t.refused(56, "byteorder", "junk", 3, "byteorder record is 'middle', 'little' was expected",
              with_more(Entry("model/byteorder", b"middle")))
    t.converts(56, "byteorder", "little", with_more(Entry("model/byteorder", b"little")))
    t.refused(57, "missingrec", "", 3,
              "the pickle needs record model/data/4, which is not in the archive",
              archive([e for e in made.entries() if e.name != SPOILT.encode()]))
    t.converts(58, "extrarec", "", with_more(Entry("model/data/99", b"x" * 64)),
               says=["warning .*holds records of 64 bytes that no tensor uses"])
    for what, size in (("short", 32), ("long", 400)):
        entries = [Entry(e.name,
                         (e.data * 2)[:size]) if e.name == SPOILT.encode() else e for e in made.entries()]
        t.refused(59, "recsize", what, 3,
                  rf"storage 4: pickle says 192 x 2 bytes, record model/data/4 holds {size}",
                  archive(entries))
    t.converts(60, "unaligned", "stored", made.torch_zip())
    t.converts(60, "unaligned", "deflated", made.torch_zip(method=DEFLATED))
    t.converts(60, "unaligned", "aligned", archive([aligned(e, i) for i,
                                                    e in enumerate(made.entries())], zip64=True))
    for what, method in (("stored", 0), ("deflated", DEFLATED)):
        t.converts(61, "outerzip", what, archive([Entry(SHARD, GOOD, method)]))
        t.converts(61, "outerzip", what + "-legacy",
                   archive([Entry(SHARD, made.legacy(), method)]))
        t.converts(61, "outerzip", what + "-prefix", archive([Entry("a/b/c/", b""),
                Entry("a/b/c/" + SHARD, GOOD, method), Entry("a/readme.txt", b"x")]))
    t.refused(61, "outerzip", "absent", 4,
              r"no model_optim_rng\.pt inside in\.pt; members: m0\.bin(, m[1-9]\.bin){9}, \.\.\. \(12 in all\)",
              archive([Entry(f"m{i}.bin", b"x") for i in range(12)]))
    t.refused(61, "outerzip", "twice", 5, f"{SHARD} appears twice", archive([Entry(SHARD, GOOD),
            Entry(SHARD, GOOD)]), code="dup")
    nested = GOOD
    for depth in range(3):
        nested = archive([Entry(SHARD, nested)])
    t.refused(62, "nesting", "", 4,
              "a zip that holds a checkpoint.*where the checkpoint itself was expected", nested)


def aligned(entry, number):
    return Entry(entry.name, entry.data, flags=0x800, descriptor=True,
                 local_extra=struct.pack("<HH", 0x4246, 20 + number) + b"Z" * (20 + number))


def large(t):
    """Records and offsets around 4 GiB, in sparse files.  The CRC of zeros is not known here,
    so it is left 0 as torch.save does without checksums; the records are the optimizer's."""
    for what, size in (("4g-less-2", 2**32 - 2), ("4g-less-1", 2**32 - 1), ("4g", 2**32),
                       ("5g", 5 << 30)):
        def make(box, size=size):
            made = Checkpoint()
            made.outside.append(("optimizer", pickles.dict_of([("big", pickles.rebuilt(
                pickles.storage("99", "ByteStorage", size), 0, (size,), (1,)))])))
            entries = made.entries()
            body = b"".join(e.written() for e in entries)
            path = box.write("in.pt", body)
            with path.open("r+b") as file:
                file.seek(len(body))
                told = (FOUR, FOUR) if size >= FOUR else (size, size)
                extra = struct.pack("<HHQQ", 1, 16, size, size) if size >= FOUR else b""
                file.write(local_header(b"model/data/99", 0, *told, extra=extra))
                file.seek(size, 1)
                start = file.tell()
                last = Entry("model/after", b"x")
                file.write(last.written())
                place = file.tell()
                listed, at = b"", 0
                for entry in entries:
                    listed += entry.listed(at)
                    at += len(entry.written())
                listed += central_header(b"model/data/99", 0, *told, len(body), extra=extra)
                wide = struct.pack("<HHQ", 1, 8, start)
                listed += central_header(b"model/after", 0x8cdc1683, 1, 1,
                                         FOUR if start >= FOUR else start,
                                         extra=wide if start >= FOUR else b"")
                file.write(listed + zip64_record(len(entries) + 2, len(listed), place)
                           + zip64_locator(place + len(listed)) + end_record(len(entries) + 2,
                                   len(listed), FOUR if place >= FOUR else place))
            return path

        def planned(box, make=make):
            box.expect(0, "convert", make(box), "-o", box.out, "--dry-run",
                       says=["1,080 parameters"])
        t.add(53, "bigok", what, 0, planned)


def add(t):
    ends(t)
    bombs(t)
    headers(t)
    records(t)
    large(t)
