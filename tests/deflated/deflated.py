"""What zlib packs is inflated by the program; what zlib's own inflate says of damage is what the
program must say."""
import hashlib
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

program, make_ngc = map(os.path.abspath, sys.argv[1:])
passed = failed = 0


def expect(what, holds, found=''):
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print(f'deflated: {what}: {found}')


def convert(source, *options):
    """Status, standard error, SHA-256 of the weights; the output is gone after."""
    run = subprocess.run([program, 'convert', source, '-o', 'out', '-q', '--num-attention-heads',
                          '4', *options], capture_output=True, text=True)
    weights = pathlib.Path('out/model.safetensors')
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else None
    subprocess.run(['rm', '-rf', 'out'], check=True)
    return run.returncode, run.stderr, digest


def pack(folder, name, level):
    """The zip; begin and length of the packed bytes of its last member."""
    with zipfile.ZipFile(name, 'w', zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for path in sorted(p for p in pathlib.Path(folder).rglob('*') if p.is_file()):
            archive.write(path, path.relative_to(folder))
        last = archive.infolist()[-1]
    with open(name, 'rb') as file:
        file.seek(last.header_offset + 26)
        lengths = file.read(4)
    return last.header_offset + 30 + sum(lengths[::2]) + 256 * sum(lengths[1::2]), last.compress_size


def damage_position(packed):
    """The byte that zlib stops at, or None."""
    inflate, at = zlib.decompressobj(-15), 0
    while at < len(packed):
        before, piece = inflate.copy(), packed[at:at + 65536]
        try:
            inflate.decompress(piece)
        except zlib.error:
            for byte in range(len(piece)):
                try:
                    before.decompress(piece[byte:byte + 1])
                except zlib.error:
                    return at + byte
        at += len(piece)
    return None


def whole(folder, *extents):
    subprocess.run([make_ngc, *extents, folder], check=True, stdout=subprocess.DEVNULL)
    status, text, digest = convert(folder)
    expect(f'{folder}: folder', status == 0 and digest is not None, text)
    for level in 1, 6, 9:
        pack(folder, f'{folder}.zip', level)
        for threads in '1', '2':
            found = convert(f'{folder}.zip', '-j', threads)
            expect(f'{folder}: level {level}, -j {threads}', found == (0, '', digest), found)


def mixed(folder, *extents):
    """Ranks that are deflated beside ranks that are stored: their bytes go the same way."""
    subprocess.run([make_ngc, *extents, folder], check=True, stdout=subprocess.DEVNULL)
    digest = convert(folder)[2]
    paths = sorted(path for path in pathlib.Path(folder).rglob('*') if path.is_file())
    with zipfile.ZipFile('mixed.zip', 'w', compresslevel=1) as archive:
        for i, path in enumerate(paths):
            archive.write(path, path.relative_to(folder),
                          zipfile.ZIP_DEFLATED if i % 2 else zipfile.ZIP_STORED)
    for threads in '1', '2', '4', '2', '4':
        found = convert('mixed.zip', '-j', threads)
        expect(f'deflated and stored, -j {threads}', found == (0, '', digest), found)


def damaged(folder):
    begin, length = pack(folder, f'{folder}.zip', 6)
    intact = pathlib.Path(f'{folder}.zip').read_bytes()
    generator = random.Random(7)
    for part in range(8):
        data = bytearray(intact)
        at = begin + length * part // 8 + generator.randrange(length // 8 - 4096)
        # Noise is damage to zlib soon, zeros where they begin a block are a stored one.
        data[at:at + 4096] = generator.randbytes(4096)
        pathlib.Path('damaged.zip').write_bytes(data)
        position = damage_position(bytes(data[begin:begin + length]))
        status, text, digest = convert('damaged.zip')
        where = f'{folder}: noise at {at - begin}, zlib stops at {position}'
        expect(where, status == 3 and digest is None and text.count('\n') == 2, (status, text))
        if position is not None and 'damaged compressed data at byte ' in text:
            told = int(text.split('damaged compressed data at byte ')[1].split(':')[0])
            expect(where, abs(told - position) <= 16, text)


def odd_block(plain):
    """Codes that are not complete, which zlib reads but does not write: 9 bits for each byte, one
    for the end, and one distance, of one bit.  It begins a byte, and fills its last one with the
    beginning of an empty stored block."""
    def number(value, count):
        return ''.join(str(value >> i & 1) for i in range(count))
    order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1]
    bits = number(0, 1) + number(2, 2) + number(0, 5) + number(0, 5) + number(len(order) - 4, 4)
    bits += ''.join(number(length in (1, 9), 3) for length in order)
    bits += '1' * 256 + '0' + '0'
    bits += ''.join(f'{256 + byte:09b}' for byte in plain) + '0'
    bits += number(0, 3)
    bits += '0' * (-len(bits) % 8)
    packed = bytes(int(bits[i:i + 8][::-1], 2) for i in range(0, len(bits), 8))
    return packed + struct.pack('<HH', 0, 0xffff)


def zip_of(name, packed, plain):
    """A zip of one member, packed already."""
    common = struct.pack('<HHHHHIIIHH', 20, 0, 8, 0, 33, zlib.crc32(plain), len(packed),
                         len(plain), len(name), 0)
    local = b'PK\3\4' + common + name + packed
    central = b'PK\1\2' + struct.pack('<H', 20) + common + struct.pack('<HHHII', 0, 0, 0, 0, 0) + name
    return local + central + b'PK\5\6' + struct.pack('<HHHHIIH', 0, 0, 1, 1, len(central),
                                                     len(local), 0)


def odd(folder):
    """Two places give up at the block in the middle, and the inflater begins anew."""
    plain = pathlib.Path(folder, 'release/mp_rank_00/model_optim_rng.pt').read_bytes()
    digest = convert(folder)[2]
    for middle in 100000, 1 << 20, 5 << 20:
        first, last = (zlib.compressobj(6, zlib.DEFLATED, -15) for _ in range(2))
        packed = first.compress(plain[:middle]) + first.flush(zlib.Z_SYNC_FLUSH)
        packed += odd_block(plain[middle:middle + 5000])
        packed += last.compress(plain[middle + 5000:]) + last.flush()
        expect('zlib reads the odd block', zlib.decompress(packed, -15) == plain)
        pathlib.Path('odd.zip').write_bytes(
            zip_of(b'release/mp_rank_00/model_optim_rng.pt', packed, plain))
        found = convert('odd.zip')
        expect(f'odd block at {middle}', found == (0, '', digest), found)


with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    whole('one', '--layers', '1', '--hidden', '64', '--ffn', '256')
    whole('ranks', '--layers', '1', '--hidden', '96', '--ffn', '384', '--tensor-size', '2')
    mixed('four', '--layers', '2', '--hidden', '256', '--ffn', '1024', '--tensor-size', '4')
    odd('one')
    damaged('one')
print(f'deflated: {passed} passed, {failed} failed')
sys.exit(failed != 0)
