"""Zip archives written field by field, so that each field can lie.

    entry    local header (30 bytes), name, extra, data, [data descriptor]
    archive  entries, directory (46 bytes each, name, extra), [zip64 end, locator], end (22)
"""
import struct
import zlib

LOCAL, CENTRAL, END = "<IHHHHHIIIHH", "<IHHHHHHIIIHHHHHII", "<IHHHHIIH"
DEFLATED = 8
TWO = 0xffff
FOUR = 0xffffffff


def deflate(data, level=9):
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def local_header(name, crc, packed, size, method=0, flags=0, extra=b""):
    return struct.pack(LOCAL, 0x04034b50, 20, flags, method, 0, 0x21, crc, packed, size,
                       len(name), len(extra)) + name + extra


def central_header(name, crc, packed, size, offset, method=0, flags=0, extra=b"", mode=0,
                   made=20, disk=0):
    return struct.pack(CENTRAL, 0x02014b50, made, 20, flags, method, 0, 0x21, crc, packed, size,
                       len(name), len(extra), 0, disk, 0, mode, offset) + name + extra


def end_record(count, size, offset, comment=b"", disk=0, here=None):
    return struct.pack(END, 0x06054b50, disk, disk, count if here is None else here, count, size,
                       offset, len(comment)) + comment


def zip64_record(count, size, offset):
    return struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 45, 45, 0, 0, count, count, size, offset)


def zip64_locator(offset):
    return struct.pack("<IIQI", 0x07064b50, 0, offset, 1)


class Entry:
    """A record.  Fields named local_X and central_X say X there, whatever is true."""

    def __init__(self, name, data, method=0, flags=0, descriptor=False, **lies):
        self.name = name if isinstance(name, bytes) else name.encode()
        self.data, self.method, self.lies = data, method, lies
        self.flags = flags | (8 if descriptor else 0)
        self.descriptor = descriptor
        self.packed = deflate(data) if method == DEFLATED else data
        if "packed" in lies:
            self.packed = lies.pop("packed")

    def fields(self, where):
        """name, CRC, sizes, method, flags, extra as the header `where` tells them."""
        true = {"name": self.name, "crc": zlib.crc32(self.data), "packed": len(self.packed),
                "size": len(self.data), "method": self.method, "flags": self.flags, "extra": b""}
        if where == "local" and self.descriptor:
            true.update(crc=0, packed=0, size=0)
        for key in true:
            for lie in (key + "_said", where + "_" + key):
                true[key] = self.lies.get(lie, true[key])
        return true

    def written(self):
        told = self.fields("local")
        data = local_header(told["name"], told["crc"], told["packed"], told["size"],
                            told["method"], told["flags"], told["extra"]) + self.packed
        if self.descriptor:
            data += self.lies.get("descriptor_bytes", b"PK\7\x08" + struct.pack(
                "<III", zlib.crc32(self.data), len(self.packed), len(self.data)))
        return data

    def listed(self, offset):
        told = self.fields("central")
        return central_header(told["name"], told["crc"], told["packed"], told["size"],
                              self.lies.get("offset", offset), told["method"], told["flags"],
                              told["extra"], self.lies.get("mode", 0), self.lies.get("made", 20),
                              self.lies.get("disk", 0))


def archive(entries, comment=b"", gap=b"", zip64=False, more_listed=b"", **end):
    """`gap` stands before the directory; count, size, offset, disk, here: of the end record."""
    body, directory = b"", b""
    for entry in entries:
        directory += entry.listed(len(body))
        body += entry.written()
    body += gap
    directory += more_listed
    count = end.get("count", len(entries))
    size, offset = end.get("size", len(directory)), end.get("offset", len(body))
    tail = b""
    if zip64:
        tail = zip64_record(count, size, offset) + zip64_locator(len(body) + len(directory))
    return body + directory + tail + end_record(count, size, offset, comment, end.get("disk", 0),
                                                end.get("here"))


def quoted_overlap(count, kernel):
    """Each record is a stored block that quotes the next local header, and then goes on as
    that one: all share the deflated kernel at the end."""
    packed = deflate(kernel)
    name = b"a/%04d" % (count - 1)
    content = kernel
    header = local_header(name, zlib.crc32(kernel), len(packed), len(kernel), DEFLATED)
    body, listed = header + packed, [(name, zlib.crc32(kernel), len(packed), len(kernel))]
    for number in range(count - 2, -1, -1):
        quote = struct.pack("<BHH", 0, len(header), len(header) ^ 0xffff)
        content, packed = header + content, quote + body
        name = b"a/%04d" % number
        header = local_header(name, zlib.crc32(content), len(packed), len(content), DEFLATED)
        body = header + packed
        listed.insert(0, (name, zlib.crc32(content), len(packed), len(content)))
    directory, offset = b"", 0
    for name, crc, packed_size, size in listed:
        directory += central_header(name, crc, packed_size, size, offset, DEFLATED)
        offset += 30 + len(name) + 5
    return body + directory + end_record(count, len(directory), len(body))


def full_overlap(count, kernel):
    packed, crc = deflate(kernel), zlib.crc32(kernel)
    body = local_header(b"a/00000", crc, len(packed), len(kernel), DEFLATED) + packed
    directory = b"".join(central_header(b"a/%05d" % number, crc, len(packed), len(kernel), 0,
                                        DEFLATED)
                         for number in range(count))
    return body + directory + end_record(count, len(directory), len(body))
