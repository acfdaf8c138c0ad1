"""Contents for golden archives, made by integer arithmetic: the same everywhere."""

from collections.abc import Iterator

WORDS = (  # noqa: SIM905 (a hundred quoted words are harder to read)
    "the of and to in a is that for it as was with be by on not he his but at are this have from "
    "or had an they which one you were all her she there would their we him been has when who "
    "will no more if out so up said what its about than into them can only other time new some "
    "could these two may first then do any like my now over such our man me even most made after "
    "also did many before must through back years where much your way well down should"
).split()


# Bits of exponent and mantissa.
FLOATS = {
    "bf16": (8, 7),
    "f32": (8, 23),
    "f64": (11, 52),
    "f16": (5, 10),
    "f8e4m3": (4, 3),
    "f8e5m2": (5, 2),
}


def randoms(seed: int) -> Iterator[int]:
    """32-bit integers: the upper half of Knuth's MMIX generator."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 32


def random(length: int, seed: int = 1) -> bytes:
    source = randoms(seed)
    return bytes(next(source) >> 24 for _ in range(length))


def text(length: int, seed: int = 1) -> bytes:
    """Words by a rough Zipf law, in sentences and lines."""
    source = randoms(seed)
    out = bytearray()
    line = 0
    start = True
    while len(out) < length:
        bound = next(source) % len(WORDS) + 1
        word = WORDS[next(source) % bound]
        word = word.capitalize() if start else word
        start = next(source) % 9 == 0
        word += "." if start else ""
        line += len(word) + 1
        wrap = line > 70
        line = 0 if wrap else line
        out += word.encode() + (b"\n" if wrap else b" ")
    return bytes(out[:length])


def wrapped(length: int, width: int, end: bytes = b"\n", indent: int = 0) -> bytes:
    """Paragraphs of words in lines that are as long as the width lets them be."""
    lines = []
    line = b""
    for number, word in enumerate(text(length).split()):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = b""
        line = line + b" " + word if line else b" " * indent + word
        if number % 80 == 79:
            lines += [line, b""]
            line = b""
    return end.join([*lines, line])


def records(length: int, seed: int = 1) -> bytes:
    """Binary records of 16 bytes: a counter, a slow walk, a small number, flags."""
    source = randoms(seed)
    out = bytearray()
    walk = 50_000
    number = 0
    while len(out) < length:
        walk += next(source) % 65 - 32
        number += 1 + next(source) % 3
        out += number.to_bytes(4, "little") + walk.to_bytes(4, "big")
        out += (next(source) % 100).to_bytes(4, "little") + bytes([number % 4, 0, 0xFF, 0x80])
    return bytes(out[:length])


def machine_code(length: int, seed: int = 1) -> bytes:
    """Looks like x86-64 code to a detector: an ELF start, calls to few places, common opcodes."""
    source = randoms(seed)
    out = bytearray(
        b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00\x01\x00\x00\x00" + bytes(40)
    )
    targets = [next(source) % 4096 for _ in range(6)]
    bodies = [
        bytes.fromhex(h)
        for h in ("4889e5", "4883ec10", "8b45fc", "31c0", "c3", "55", "5d", "488d7df0")
    ]
    while len(out) < length:
        if next(source) % 4 == 0:
            here = len(out) + 5
            out += b"\xe8" + ((targets[next(source) % 6] - here) % 2**32).to_bytes(4, "little")
        else:
            out += bodies[next(source) % len(bodies)]
    return bytes(out[:length])


def image(width: int, height: int, seed: int = 1) -> bytes:
    """A grey PGM image: two gradients, a disc, a little noise."""
    source = randoms(seed)
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            inside = (x - width // 2) ** 2 + (y - height // 2) ** 2 < (height // 3) ** 2
            pixels.append((2 * x + 3 * y + 60 * inside + next(source) % 3) % 256)
    return b"P5\n%d %d\n255\n" % (width, height) + bytes(pixels)


def stack(width: int, height: int, images: int, seed: int = 1) -> bytes:
    """An idx file of grey images: a bright disc each, at its own place, and a little noise."""
    source = randoms(seed)
    pixels = bytearray()
    for _ in range(images):
        left, top, radius = (next(source) % k for k in (width // 2, height // 2, 4))
        for y in range(height):
            for x in range(width):
                away = (x - left - width // 4) ** 2 + (y - top - height // 4) ** 2
                inside = max(255 - 255 * away // (radius + 5) ** 2, 0)
                pixels.append(max(inside - next(source) % 9, 0))
    sides = b"".join(side.to_bytes(4, "big") for side in (images, height, width))
    return b"\0\0\x08\3" + sides + bytes(pixels)


def poster(width: int, height: int, images: int, seed: int = 1) -> bytes:
    """The same in four shades, which little is needed to learn."""
    content = stack(width, height, images, seed)
    return content[:16] + bytes(pixel & 0xC0 for pixel in content[16:])


def bilevel(row: int, height: int, seed: int = 1) -> bytes:
    """Rows of `row` bytes of one-bit pixels: a disc, a ruled line, a little noise."""
    source = randoms(seed)
    out = bytearray()
    for y in range(height):
        for x in range(0, 8 * row, 8):
            byte = 0
            for k in range(8):
                inside = (x + k - 4 * row) ** 2 + (2 * y - height) ** 2 < (4 * height // 5) ** 2
                black = inside != (next(source) % 50 == 0) or y % 20 == 7
                byte = byte << 1 | black
            out.append(byte)
    return bytes(out)


def table(rows: int, seed: int = 1) -> bytes:
    """Comma-separated values with a header line."""
    source = randoms(seed)
    lines = ["id,kind,size,ok"]
    for row in range(rows):
        kind = ("red", "green", "blue", "grey")[min(next(source) % 7, 3)]
        lines.append(f"{1000 + row},{kind},{next(source) % 500},{'yn'[next(source) % 5 == 0]}")
    return ("\n".join(lines) + "\n").encode()


def rows(count: int, seed: int = 1) -> bytes:
    """Comma-separated values whose columns depend on each other, with a few lines that are none."""
    source = randoms(seed)
    lines = ["no,town,land,kind,amount,day,note,share"]
    for row in range(count):
        if next(source) % 97 == 0:
            lines.append(f"# {WORDS[next(source) % len(WORDS)]}" + "," * (next(source) % 4))
        town = min(next(source) % 12, next(source) % 12)
        kind = (town + min(next(source) % 5, next(source) % 5)) % 7
        amount = 40_000 * (kind + 1) + next(source) % 3_000_000
        day = f"{2019 + town % 4}-{1 + next(source) % 12:02}-{1 + next(source) % 28:02}"
        note = " ".join(WORDS[next(source) % len(WORDS)] for _ in range(next(source) % 4))
        share = (kind * 10 + next(source) % 9) / 100
        place = f"Town {town * 7},L{town // 3}"
        lines.append(f"{row},{place},{'abcdefg'[kind]},{amount},{day},{note},{share:.2f}")
    return ("\n".join(lines) + "\n").encode()


def objects(count: int, seed: int = 1) -> bytes:
    """Objects of JSON, one a line, the last without an end; a few have other members."""
    source = randoms(seed)
    lines = []
    for row in range(count):
        level = min(next(source) % 4, next(source) % 4)
        clock = f"{8 + row % 60 // 6:02}:{row % 6 * 10:02}:{next(source) % 60:02}"
        at = f"2021-03-{1 + row // 60:02}T{clock}Z"
        words = [WORDS[next(source) % len(WORDS)] for _ in range(2)]
        line = f'{{"at": "{at}", "level": "{("info", "warn", "error", "fatal")[level]}", '
        line += (
            f'"took": {level * 100 + next(source) % 300}.5, "ok": {("true", "false")[level > 1]}'
        )
        lines.append(line + f', "text": "{" ".join(words)}"}}')
        if next(source) % 120 == 0:
            lines.append('{"level": null}')
    return "\r\n".join(lines).encode()


def array(count: int, kind: str = "<i2", seed: int = 1) -> bytes:
    """An `.npy` array of `count` rows of 6 whole numbers; its columns depend on each other."""
    source = randoms(seed)
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({count}, 6), }}"
    out = bytearray(b"\x93NUMPY\x01\0\x76\0" + text.ljust(117).encode() + b"\n")
    signed, size = kind[1] == "i", int(kind[2])
    for row in range(count):
        town = min(next(source) % 12, next(source) % 12)
        size_of = (town * 5 + next(source) % 3) % 10
        offset = -7 * signed
        numbers = [town, size_of + offset, 10, row * 3 % 128, next(source) % 100, town % 4 * 5]
        if size > 1:
            numbers[4] *= 200
            numbers[5] += 3000
        for number in numbers:
            out += number.to_bytes(size, "little", signed=signed)
    return bytes(out)


def weights(length: int, unit: int, row: int, seed: int = 1) -> bytes:
    """Units of `unit` bytes whose top byte is a small number around one that the column gives."""
    source = randoms(seed)
    out = bytearray()
    column = 0
    while len(out) < length:
        unit_bytes = bytearray(next(source) >> 24 for _ in range(unit))
        unit_bytes[-1] = 50 + column % 3 * 5 + min(next(source) >> 30, next(source) >> 30)
        out += unit_bytes
        column = (column + 1) % (row or 7)
    return bytes(out[:length])


def sparse(count: int, seed: int = 1) -> bytes:
    """16-bit numbers, one in 64 of which is not 0, but below 8."""
    source = randoms(seed)
    return b"".join(
        (number & 7 if number >> 26 == 0 else 0).to_bytes(2, "little")
        for number, _ in zip(source, range(count), strict=False)
    )


def floats(count: int, kind: str, row: int, *, noise: bool = False) -> bytes:
    """Floats whose exponent is about what row and column give.

    The sign seldom changes and small mantissas are frequent, unless both are `noise`.
    """
    exponent_bits, mantissa_bits = FLOATS[kind]
    source = randoms(1)
    sign, out = 0, bytearray()
    for i in range(count):
        below = i % row % 5 // 2 + (i // row * 7 % 3 == 0) + (next(source) % 32 == 0)
        sign ^= next(source) % (2 if noise else 16) == 0
        word = sign << exponent_bits | (1 << (exponent_bits - 1)) - below
        mantissa = next(source) << 32 | next(source)
        mantissa = mantissa if noise else min(mantissa, next(source) << 32)
        word = word << mantissa_bits | mantissa >> (64 - mantissa_bits)
        out += word.to_bytes((1 + exponent_bits + mantissa_bits) // 8, "little")
    return bytes(out)


def step(data: bytes, unit: int, seed: int = 1) -> bytes:
    """`data` with little numbers added to a third of its units."""
    source = randoms(seed)
    out = bytearray()
    for at in range(0, len(data), unit):
        value = int.from_bytes(data[at : at + unit], "little")
        value += next(source) % 3 if next(source) % 3 == 0 else 0
        out += (value % 256**unit).to_bytes(unit, "little")
    return bytes(out)


def safetensors() -> bytes:
    """A file of four tensors, one of them of unknown elements."""
    return with_table(
        {
            "layers.0.weight": ("BF16", [100, 30], weights(6000, 2, 30)),
            "layers.0.bias": ("F32", [250], weights(1000, 4, 0)),
            "zeros": ("F16", [700], bytes(1400)),
            "other": ("X1", [9], random(9)),
        }
    )


def tied() -> bytes:
    """A file of tensors of which one occurs three times, in three shapes, and another one twice."""
    source = randoms(7)
    embedding = bytes(1 << next(source) % 4 if not next(source) % 40 else 0 for _ in range(70_000))
    other = embedding[::-1]
    return with_table(
        {
            "embedding": ("BF16", [350, 100], embedding),
            "head": ("BF16", [100, 350], embedding),
            "norm": ("F32", [25], weights(100, 4, 0)),
            "other": ("I8", [70_000], other),
            "flat": ("U8", [70_000], embedding),
            "again": ("F32", [175, 100], other),
        }
    )


def shard() -> bytes:
    """A file that has a tensor of `tied()` beside one of its own."""
    source = randoms(7)
    embedding = bytes(1 << next(source) % 4 if not next(source) % 40 else 0 for _ in range(70_000))
    return with_table(
        {
            "head": ("BF16", [350, 100], embedding),
            "bias": ("F32", [500], weights(2000, 4, 0)),
        }
    )


def mixed() -> bytes:
    """A file with a tensor that is long enough to be mixed (FORMAT.md, 9.5)."""
    return with_table(
        {
            "layers.0.bias": ("F32", [250], weights(1000, 4, 0)),
            "layers.0.weight": (
                "BF16",
                [128, 129],
                floats(128 * 129, "bf16", 129, noise=True),
            ),
            "zeros": ("BF16", [700], bytes(1400)),
        }
    )


def tuned() -> bytes:
    """What became of `mixed()`: two tensors a little different, one the same, one new."""
    return with_table(
        {
            "layers.0.bias": ("F32", [250], step(weights(1000, 4, 0), 4)),
            "layers.0.weight": (
                "BF16",
                [128, 129],
                step(floats(128 * 129, "bf16", 129, noise=True), 2),
            ),
            "layers.1.bias": ("F32", [250], weights(1000, 4, 0, 2)),
            "zeros": ("BF16", [700], bytes(1400)),
        }
    )


def with_table(parts: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """A safetensors file of these tensors: type, shape and bytes of each."""
    entries, data = [], b""
    for name, (dtype, shape, raw) in parts.items():
        offsets = [len(data), len(data) + len(raw)]
        entries.append(f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}')
        data += raw
    table = ("{" + ",".join(entries) + "}").encode()
    return len(table).to_bytes(8, "little") + table + data
