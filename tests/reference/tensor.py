"""`tensor`: FORMAT.md, section 9."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby

import zstandard

from .errors import CorruptError, UnsupportedError
from .rans import Table, decode
from .tensor_mix import Fine, Scale

KINDS: list[tuple[str, int, int, str | list[int]]] = [
    ("u8", 1, 1, "bytes"),
    ("f64", 8, 1, "float"),
    ("f32", 4, 1, "float"),
    ("f16", 2, 1, "bytes"),
    ("bf16", 2, 1, "float"),
    ("f8e4m3", 1, 1, "bytes"),
    ("f8e5m2", 1, 1, "bytes"),
    ("i64", 8, 1, "bytes"),
    ("u64", 8, 1, "bytes"),
    ("i32", 4, 1, "bytes"),
    ("u32", 4, 1, "bytes"),
    ("i16", 2, 1, "bytes"),
    ("u16", 2, 1, "bytes"),
    ("i8", 1, 1, "bytes"),
    ("bool", 1, 1, "bytes"),
    ("u4", 1, 2, "bytes"),
    ("q4_0", 18, 32, [1, 1, 16]),
    ("q4_1", 20, 32, [1, 1, 1, 1, 16]),
    ("q5_0", 22, 32, [1, 1, 4, 16]),
    ("q5_1", 24, 32, [1, 1, 1, 1, 4, 16]),
    ("q8_0", 34, 32, [1, 1, 32]),
    ("q2_k", 84, 256, [16, 64, 1, 1, 1, 1]),
    ("q3_k", 110, 256, [32, 64, 12, 1, 1]),
    ("q4_k", 144, 256, [1, 1, 1, 1, 12, 128]),
    ("q5_k", 176, 256, [1, 1, 1, 1, 12, 32, 128]),
    ("q6_k", 210, 256, [128, 64, 16, 1, 1]),
    ("q8_k", 292, 256, [1, 1, 1, 1, 256, 32]),
]
FLOATS = {"f64", "f32", "f16", "bf16", "f8e4m3", "f8e5m2"}

MIXED = 5  # a form and a method
# 9.5: mask and octave of plane 0 where that is a scale; plane 1 of "float" planes is fine.
SCALES = {
    **dict.fromkeys(("bf16", "f32", "f64"), (255, 0)),
    **dict.fromkeys(("f16", "f8e5m2"), (127, 2)),
    "f8e4m3": (127, 3),
}


def check(holds: bool, what: str = "a chunk of tensor is damaged") -> None:
    if not holds:
        raise CorruptError(what)


class Fields:
    """Takes fields off the front of bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        if count > len(self.data):
            raise CorruptError("a chunk of tensor ends too early")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def length(self) -> int:
        value = 0
        for i in range(4):
            byte = self.byte()
            value |= (byte & 127) << 7 * i
            if byte < 128:
                return value
        raise CorruptError("a length of tensor is too long")

    def varint(self) -> int:
        value = 0
        for i in range(9):
            byte = self.byte()
            value |= (byte & 127) << 7 * i
            if byte < 128:
                check(byte > 0 or i == 0)
                return value
        raise CorruptError("a number of tensor is too long")

    def classes(self, count: int) -> list[int]:
        packed = self.take(-(-count // 2))
        values = [half for byte in packed for half in (byte & 15, byte >> 4)]
        check(not any(values[count:]))
        return values[:count]

    def table(self) -> Table:
        table, self.data = Table.read(self.data)
        return table

    def stream(self) -> bytes:
        return self.take(self.length())


class PlaneModel:
    def __init__(
        self,
        fields: Fields,
        row: int,
        change: bool,
        first: bool,
        mix: Callable[[Fields], Scale | Fine],
    ) -> None:
        """`first`: whether plane 0 may choose the tables."""
        self.form = fields.byte()
        self.tables: list[Table] = []
        self.classes: list[int] = []
        self.mix: Scale | Fine | None = None
        if not self.form:
            return
        if self.form == MIXED:
            self.mix = mix(fields)
            return
        count = fields.byte()
        check(1 <= count <= 16)
        if self.form == 1:
            check(count == 1)
        elif self.form in (2, 3):
            check(row > 0)
            self.classes = fields.classes(row) if self.form == 3 else []
        else:
            check((self.form == 4 and change) or (self.form == 6 and first))
            self.classes = fields.classes(256)
        check(all(number < count for number in self.classes))
        self.tables = [fields.table() for _ in range(count)]


class Tensor:
    """A segment; `base` is what it is a change of, where its settings say so."""

    def __init__(self, settings: bytes, raw_len: int, base: bytes = b"") -> None:
        if len(settings) < 7 or not 1 <= settings[0] <= 9 or settings[1] >= len(KINDS):
            raise UnsupportedError("settings of tensor")
        self.level = settings[0]
        self.name, self.unit, self.elements, self.planes = KINDS[settings[1]]
        self.change = settings[2] == 1
        self.matching = settings[2] == 2
        self.numbered = settings[2] == 3
        if settings[2] > 3 or len(settings) != (15 if self.change else 7):
            raise UnsupportedError("settings of tensor")
        if self.change and self.elements > 1:
            raise UnsupportedError("changes of such a kind")
        if self.numbered and (self.elements > 1 or self.unit not in (2, 4, 8)):
            raise UnsupportedError("values of such a kind")
        self.row = int.from_bytes(settings[3:7], "little")
        self.offset = int.from_bytes(settings[7:], "little")
        self.base = base
        self.model: list[PlaneModel] | None = None
        self.seen = 0
        self.left = raw_len
        self.past = bytearray()
        self.values: list[bytes] = []

    def canary(self) -> int:
        return 0

    def train(self, raw: bytes) -> None:
        self.seen += len(raw)
        self.left -= len(raw)
        self.past += raw

    def widths(self) -> list[int]:
        if self.numbered:
            return [1]
        return self.planes if isinstance(self.planes, list) else [1] * self.unit

    def rows(self, width: int) -> int:
        return 0 if self.row % self.elements else self.row // self.elements * width

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        fields = Fields(payload)
        flags = fields.byte()
        check(flags == 0 or (flags == 1 and self.model is None))
        if flags:
            self.model = []
            for number, w in enumerate(self.widths()):
                first = number > 0 and self.elements == 1 and not self.change
                first = first and self.model[0].mix is None
                mix = partial(self.mix, number, w)
                self.model.append(PlaneModel(fields, self.rows(w), self.change, first, mix))
        if flags and self.numbered:
            self.values = [fields.take(self.unit) for _ in range(fields.byte() + 1)]
            order = [int.from_bytes(value, "little") for value in self.values]
            check(order == sorted(set(order)))
        check(not self.numbered or self.values != [])
        matches = []
        if self.matching:
            count = fields.length()
            check(count <= raw_len)
            matches = [(fields.length(), fields.length(), fields.varint()) for _ in range(count)]
        length = fields.length()
        check(length + sum(copied for _, copied, _ in matches) == raw_len <= self.left)
        head = fields.take(min(-self.seen % self.unit, length))
        units, rest = divmod(length - len(head), self.unit)
        tail = fields.take(rest)
        raw = bytearray(head)
        most = 2**18 if self.numbered else 2**18 // self.unit
        blocks = max(-(-units // most), 1)
        each = min(most, -(-units // blocks // 64) * 64)
        while units:
            count = min(units, each)
            raw += self.block(fields, count, self.seen + len(raw))
            units -= count
        check(not fields.data)
        raw += tail
        self.seen += len(raw)
        return self.copied(bytes(raw), matches)

    def copied(self, coded: bytes, matches: list[tuple[int, int, int]]) -> bytes:
        """9.6: a chunk from what of it is coded."""
        start = len(self.past)
        for gap, length, distance in matches:
            check(gap <= len(coded) and length > 0)
            self.past += coded[:gap]
            coded = coded[gap:]
            check(1 <= distance <= len(self.past))
            for _ in range(length):
                self.past.append(self.past[-distance])
        self.past += coded
        raw = bytes(self.past[start:])
        self.left -= len(raw)
        return raw

    def mix(self, number: int, width: int, fields: Fields) -> Scale | Fine:
        """What a plane of form 5 starts from."""
        check(self.level >= 8 and not self.change and self.name in SCALES)
        check(not self.numbered)
        if number == 0:
            return Scale(fields.classes(256), *SCALES[self.name], self.rows(width))
        check(number == 1 and self.planes == "float")
        return Fine(fields.byte(), fields.byte(), self.rows(width))

    def block(self, fields: Fields, units: int, at: int) -> bytes:
        base = self.base[at : at + units * self.unit]
        given = [self.exponent(unit) for unit in pieces(base, self.unit)] if self.change else []
        planes: list[bytes] = []
        for number, width in enumerate(self.widths()):
            row = self.rows(width)
            column = at // self.unit * width % row if row else 0
            n, first = units * width, planes[0] if planes else b""
            planes.append(self.plane(fields, number, n, row, column, given or first))
        cut = [pieces(plane, w) for plane, w in zip(planes, self.widths(), strict=True)]
        raw = [self.whole(list(parts)) for parts in zip(*cut, strict=True)]
        if self.change:
            raw = [self.changed(*pair) for pair in zip(raw, pieces(base, self.unit), strict=True)]
        return b"".join(raw)

    def whole(self, parts: list[bytes]) -> bytes:
        """A unit from its planes."""
        if self.numbered:
            check(parts[0][0] < len(self.values))
            return self.values[parts[0][0]]
        if isinstance(self.planes, list):
            return b"".join(parts)
        unit = b"".join(reversed(parts))
        if self.planes == "bytes" or self.change:
            return unit
        exponent, mantissa = parts[0][0], parts[1][0]
        top = (mantissa & 128) << 8 | exponent << 7 | mantissa & 127
        return unit[:-2] + top.to_bytes(2, "little")

    def plane(
        self,
        fields: Fields,
        number: int,
        n: int,
        row: int,
        column: int,
        given: Sequence[int],
    ) -> bytes:
        """`given`: what the base has in each unit, else what plane 0 has, if this is another."""
        method = fields.byte()
        if method == 0:
            return fields.take(n)
        if method == 1:
            return fields.take(1) * n
        if method == 2:
            table = fields.table()
            return decode(fields.stream(), [(n, table)])[0]
        if method == 4:
            frame = fields.stream()
            try:
                raw = zstandard.ZstdDecompressor().decompress(frame, max_output_size=n)
            except zstandard.ZstdError as error:
                raise CorruptError(f"zstd: {error}") from error
            check(len(raw) == n)
            return raw
        check(method in (3, MIXED) and self.model is not None)
        assert self.model is not None
        model = self.model[number]
        if method == MIXED:
            check(model.mix is not None)
            assert model.mix is not None
            return model.mix.decode(fields.stream(), n, column, bytes(given))
        check(model.form in (1, 2, 3, 4, 6))
        if model.form == 1:
            return decode(fields.stream(), [(n, model.tables[0])])[0]
        if model.form == 2:
            rows = [(column + i) // row for i in range(n)]
            lengths = [len(list(piece)) for _, piece in groupby(rows)]
            classes = fields.classes(len(lengths))
            check(all(number < len(model.tables) for number in classes))
            runs = [(m, model.tables[c]) for m, c in zip(lengths, classes, strict=True)]
            return b"".join(decode(fields.stream(), runs))
        if model.form == 3:
            own = [model.classes[(column + i) % row] for i in range(n)]
        else:
            own = [model.classes[value] for value in given]
            for c in range(len(model.tables) if model.form == 6 else 0):
                check(fields.length() == own.count(c))
        runs = [(own.count(c), table) for c, table in enumerate(model.tables)]
        sources = [iter(run) for run in decode(fields.stream(), runs)]
        return bytes(next(sources[c]) for c in own)

    def exponent(self, base: bytes) -> int:
        v, bits = int.from_bytes(base, "little"), 8 * self.unit
        if self.name in ("f16", "f8e5m2"):
            return v >> (bits - 6) & 31
        if self.name == "f8e4m3":
            return v >> 3 & 15
        return v >> (bits - 9) & 255 if self.name in FLOATS else 0

    def changed(self, folded: bytes, base: bytes) -> bytes:
        """The unit that differs from the base's by so much."""
        bits = 8 * self.unit
        half, full = 2 ** (bits - 1), 2**bits
        old, new = int.from_bytes(base, "little"), int.from_bytes(folded, "little")
        d = new // 2 if new % 2 == 0 else full - (new + 1) // 2
        if self.name not in FLOATS:
            return ((old + d) % full).to_bytes(self.unit, "little")
        order = old + half if old < half else full - 1 - old
        order = (order + d) % full
        value = order - half if order >= half else full - 1 - order
        return value.to_bytes(self.unit, "little")


def pieces(data: bytes, length: int) -> list[bytes]:
    return [data[at : at + length] for at in range(0, len(data), length)]
