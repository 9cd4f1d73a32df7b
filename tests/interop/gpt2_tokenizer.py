"""GPT-2's byte-level BPE, from the merge list alone; shares no code with the readers.

A token is a byte string; its rank says which pair is joined first.  Works as tiktoken does:
the text is cut by the pattern, and within each piece the neighbours whose union has the
lowest rank are joined until none has one.
"""
import hashlib

import regex

MERGES_SHA256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"
PATTERN = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
END = "<|endoftext|>"
END_ID = 50256


def byte_order():
    """Bytes in the order of their ids, and the letter of each."""
    plain = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    moved = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain}
    letters.update({chr(0x100 + i): byte for i, byte in enumerate(moved)})
    return plain + moved, letters


class Gpt2Tokenizer:
    def __init__(self, merges_path):
        with open(merges_path, "rb") as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != MERGES_SHA256:
            raise ValueError("%s is not GPT-2's merge list" % merges_path)
        order, letters = byte_order()
        self.ranks = {bytes([byte]): i for i, byte in enumerate(order)}
        for line in data.decode().split("\n")[1:-1]:
            joined = bytes(letters[letter] for letter in line.replace(" ", ""))
            self.ranks[joined] = len(self.ranks)

    def piece(self, data):
        parts = [data[i:i + 1] for i in range(len(data))]
        while len(parts) > 1:
            rank, at = min((self.ranks.get(parts[i] + parts[i + 1], 1 << 30), i)
                           for i in range(len(parts) - 1))
            if rank == 1 << 30:
                break
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        return [self.ranks[part] for part in parts]

    def encode(self, text):
        ids = []
        for number, part in enumerate(text.split(END)):
            if number:
                ids.append(END_ID)
            for piece in PATTERN.findall(part):
                ids += self.piece(piece.encode())
        return ids


def difficult_texts():
    yield "Hello, my dog is cute"
    yield from map(chr, range(0x100))
    yield "".join(map(chr, range(0x100)))
    yield "".join(map(chr, range(0x100, 0x800)))
    yield "".join(chr(0x800 + 61 * i) for i in range(872))      # below the surrogates
    yield "".join(chr(0x10000 + 1009 * i) for i in range(1000))
    yield "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308 \U0001f44d\U0001f3fd"
    yield "e\u0301 \u00e9 \u1100\u1161\u11a8 \uac01 \ufb01 \u0130 \u1e9e \u01c5"
    for space in " \t\n\r\v\f\u00a0\u2003\u3000\u2028\u200b":
        for count in (1, 2, 3, 8, 33):
            yield "a%sb" % (space * count)
            yield space * count
    yield " \n \n\n  \t x  \n"
    yield "  leading, trailing  "
    yield "I'm you're he'd WE'LL it's IT'S 'tis rock'n'roll ''s 's't're"
    yield "0 00 000 1234567890 3.14159 \u0663\u0664 \u00bd \u2167 x2 2x"
    yield "snake_case camelCase __init__ a.b->c[d] !!! ???!!! --- ..... #include <x>"
    yield "\u4f60\u597d\uff0c\u4e16\u754c \u3053\u3093\u306b\u3061\u306f \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0928\u092e\u0938\u094d\u0924\u0947"
    yield "a" * 3000
    yield "ab" * 1000
    yield "antidisestablishmentarianism" * 20
    yield "\u00e4\u00f6\u00fc\u00df" * 200
    yield "!" * 1000
    yield "x%s y%sz" % (END, END)
    yield END
    yield "<|endoftext |> <|endoftext| >"
