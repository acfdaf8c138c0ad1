"""Makes binary.csv, range.csv and rans.csv: what the reference coders write, for Rust to match.

Run as `python tests/golden/coders/make.py` (`--check` only compares). In the files, `40*7` stands
for the value 7 forty times, and values are separated by spaces; in rans.csv a run is
`table:length:bytes`, the bytes, in hexadecimal, over and over up to the length.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1]))

from golden.inputs import randoms  # noqa: E402
from reference import binary_coder, range_coder, rans  # noqa: E402


def runs(values: Iterable[int]) -> str:
    counted = ((len(list(group)), value) for value, group in groupby(values))
    return " ".join(f"{count}*{value}" if count > 1 else f"{value}" for count, value in counted)


def binary_cases() -> Iterator[tuple[str, list[int], list[int]]]:
    top = 2**32 - 1
    yield "empty", [], []
    yield "one sure bit", [1], [top]
    yield "one unlikely bit", [0], [top]
    yield "sure ones", [1] * 2000, [top] * 2000
    yield "sure zeros", [0] * 2000, [1] * 2000
    yield "unlikely ones", [1] * 50, [1] * 50
    yield "unlikely zeros", [0] * 50, [top] * 50
    yield (
        "even bits",
        [int(b) for b in f"{0x0123456789ABCDEFFEDCBA9876543210:0128b}"],
        [2**31] * 128,
    )
    # The interval stays astride the middle: its ends share no byte for long.
    yield "astride", [1] + [0] * 300, [2**31] + [2**31 - 1] * 300
    yield "zero tail", [1] * 8 + [1] * 200, [2**31] * 8 + [2**31] * 200
    source = randoms(5)
    for name, shift in (
        ("any probabilities", 0),
        ("small probabilities", 20),
        ("tiny probabilities", 30),
    ):
        p = [max(1, next(source) >> shift) for _ in range(600)]
        yield name, [int(next(source) < share) for share in p], p
        yield name + " and other bits", [next(source) & 1 for _ in p], p


def range_cases() -> Iterator[tuple[str, int, list[int], list[int]]]:
    """Name, precision, weights, symbols."""
    top = 2**32 - 1
    source = randoms(6)
    yield "empty", 12, [1, 2], []
    yield "alphabet of one", 1, [3], [0] * 100
    yield "two even symbols", 1, [1, 1], [next(source) & 1 for _ in range(400)]
    yield "no weights", 24, [0] * 3, [next(source) % 3 for _ in range(300)]
    yield "all mass on the first", 31, [top, 0], [0] * 500 + [1] + [0] * 50 + [1]
    yield "all mass on the last", 31, [0, top], [1] * 500 + [0] + [1] * 50 + [0]
    yield "all mass in the middle", 16, [0, 0, 9, 0], [2] * 300 + [0, 1, 3, 2, 3, 3, 0, 0]
    yield "one unit each", 8, [1] * 256, [next(source) % 256 for _ in range(300)]
    yield "row of 0xff", 31, [1, 1, 1], middle_thirds()
    yield "row of 0xff then lifted", 31, [1, 1, 1], [*middle_thirds(), 2, 2, 2, 2]
    for n, precision in ((2, 24), (3, 31), (17, 7), (256, 16), (256, 24), (300, 31)):
        weights = [next(source) >> (next(source) >> 27) for _ in range(n)]
        c = range_coder.distribution(weights, precision)
        yield f"{n} symbols drawn", precision, weights, [draw(c, next(source)) for _ in range(500)]
        yield f"{n} symbols at random", precision, weights, [next(source) % n for _ in range(100)]
    words = [0] * 49_000 + [1] * 996 + [top, 7, 1, 0]
    yield "50000 symbols", 24, words, [49_996, 0, 49_999, 49_996, 48_999, 25_000, 49_997] * 20
    yield "50000 large weights", 31, [top] * 50_000, [next(source) % 50_000 for _ in range(200)]


def middle_thirds() -> list[int]:
    """The thirds of thirds that hold the point 0x80 00 00 …: the low end is 0x7f ff ff …"""
    decoder = range_coder.Decoder(b"\x80")
    c = range_coder.distribution([1, 1, 1], 31)
    return [decoder.decode(c, 31) for _ in range(400)]


def draw(c: list[int], number: int) -> int:
    point = number * c[-1] >> 32
    return next(s for s in range(len(c) - 1) if point < c[s + 1])


def binary_csv() -> str:
    lines = ["name,bits,probabilities,bytes"]
    for name, bits, p in binary_cases():
        encoder = binary_coder.Encoder()
        for bit, share in zip(bits, p, strict=True):
            encoder.encode(bool(bit), share)
        lines.append(f"{name},{runs(bits)},{runs(p)},{encoder.finish().hex()}")
    return "\n".join(lines) + "\n"


def range_csv() -> str:
    lines = ["name,precision,weights,some of the cumulative masses,symbols,bytes"]
    for name, precision, weights, symbols in range_cases():
        c = range_coder.distribution(weights, precision)
        encoder = range_coder.Encoder()
        for symbol in symbols:
            encoder.encode(symbol, c, precision)
        step = max(1, len(c) // 40)
        shown = " ".join(f"{s}:{c[s]}" for s in sorted({*range(0, len(c), step), len(c) - 1}))
        fields = (
            name,
            str(precision),
            runs(weights),
            shown,
            runs(symbols),
            encoder.finish().hex(),
        )
        lines.append(",".join(fields))
    return "\n".join(lines) + "\n"


def rans_table(weights: dict[int, int], precision: int) -> tuple[rans.Table, bytes]:
    """Frequencies near the weights, with so many bits behind the leading one; the mode fills up."""
    whole = 2 ** rans.bits_of(len(weights))
    total = sum(weights.values())
    mode = max(weights, key=lambda s: weights[s])
    frequencies = {}
    for s, weight in weights.items():
        f = max(1, (whole - len(weights)) * weight // total)
        dropped = max(0, f.bit_length() - 1 - precision)
        frequencies[s] = f >> dropped << dropped
    frequencies[mode] += whole - sum(frequencies.values())
    table = rans.Table(frequencies)
    return table, table.write(precision, mode)


def rans_cases() -> Iterator[tuple[str, list[dict[int, int]], int, list[tuple[int, int, bytes]]]]:
    """Name, weights of the tables, precision, runs (table, length, bytes to repeat)."""
    source = randoms(7)

    def drawn(weights: dict[int, int], length: int) -> bytes:
        c = range_coder.distribution(list(weights.values()), 31)
        symbols = list(weights)
        return bytes(symbols[draw(c, next(source))] for _ in range(length))

    yield "no runs", [{7: 1}], 4, []
    yield "an empty run", [{7: 1, 9: 3}], 4, [(0, 0, b"\0")]
    yield "one symbol", [{200: 1}], 4, [(0, 70_000, b"\xc8")]
    yield "two symbols", [{0: 1, 255: 3}], 13, [(0, 700, b"\0\xff\xff\xff\xff\0\xff")]
    yield "one rare symbol", [{5: 1, 6: 99_999}], 13, [(0, 40_000, b"\6" * 900 + b"\5")]
    bell = {100 + i: 1 + 2 ** (i if i < 14 else 28 - i) for i in range(23)}
    for precision in (0, 1, 3, 13):
        name = f"bell of precision {precision}"
        yield name, [bell], precision, [(0, 1_100, drawn(bell, 1_100))]
    yield "64 lanes", [bell], 5, [(0, 33_000, drawn(bell, 500))]
    sparse = {i * i % 256: 1 + i for i in range(60)}
    yield "sparse", [dict(sorted(sparse.items()))], 5, [(0, 2_000, drawn(sparse, 300))]
    even = dict.fromkeys(range(64), 1)
    yield "64 even symbols", [even], 8, [(0, 600, drawn(even, 600))]
    steep = {i: 1 + (i * 37 % 64) ** 4 for i in range(64)}
    yield "64 uneven symbols", [steep], 8, [(0, 5_000, drawn(steep, 700))]
    more = {i: 1 + (i * 37 % 65) ** 4 for i in range(65)}
    yield "65 symbols", [more], 8, [(0, 5_000, drawn(more, 700))]
    full = {i: 1 + (i - 128) ** 2 for i in range(256)}
    yield "256 symbols", [full], 3, [(0, 1_500, drawn(full, 400))]
    peak = {i: 99_999 if i == 77 else 1 for i in range(256)}
    yield "256 symbols in 64 lanes", [peak], 3, [(0, 33_100, drawn(peak, 400))]
    alike = dict.fromkeys(range(256), 1)
    yield "256 even symbols", [alike], 0, [(0, 900, drawn(alike, 900))]
    tables = [bell, {3: 1}, full, sparse, {1: 5, 2: 6}]
    runs = [
        (i % 5, next(source) % 150, drawn(tables[i % 5], 40)) for i in range(60) for _ in range(3)
    ]
    yield "many runs", [dict(sorted(table.items())) for table in tables], 4, runs


def rans_csv() -> str:
    lines = ["name,tables,runs,bytes"]
    for name, weights, precision, runs in rans_cases():
        tables = [rans_table(table, precision) for table in weights]
        messages = [
            ((pattern * (length // len(pattern) + 1))[:length], tables[table][0])
            for table, length, pattern in runs
        ]
        fields = (
            name,
            " ".join(written.hex() for _, written in tables),
            " ".join(f"{table}:{length}:{pattern.hex()}" for table, length, pattern in runs),
            rans.encode(messages, rans.lanes_for(messages)).hex(),
        )
        lines.append(",".join(fields))
    return "\n".join(lines) + "\n"


FILES: dict[str, Callable[[], str]] = {
    "binary.csv": binary_csv,
    "range.csv": range_csv,
    "rans.csv": rans_csv,
}


def main() -> int:
    different = [name for name, make in FILES.items() if not same(FOLDER / name, make())]
    if "--check" not in sys.argv:
        for name in different:
            (FOLDER / name).write_bytes(FILES[name]().encode())
        return 0
    for name in different:
        print(f"{FOLDER / name} is not what the reference makes", file=sys.stderr)
    return int(bool(different))


def same(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() == text.encode()


if __name__ == "__main__":
    sys.exit(main())
