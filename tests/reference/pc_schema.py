"""Predictor `pc`: schemas, and the bytes of rows. FORMAT.md, section 12.2."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from .errors import CorruptError
from .fields import Fields

JSON, RETURNS, KINDS, OPEN, OPEN_TAIL, BINARY = 1, 2, 4, 8, 16, 32
PREFIX, SUFFIX, PATTERN = 1, 2, 4
TEXT, DICTIONARY, NUMBER = range(3)
PLAIN, RISING, SIGNED = range(3)
TIME, ZEROS, PADDED = 4, 8, 16
MOST_CELLS, MOST_FIELDS, MOST_VALUES, MOST_STRINGS, MOST_GROUPS = 4096, 16384, 65536, 32, 32
DATES = ((), (4, 2, 2), (2, 2, 4), (2, 2, 4))  # widths by order
EPOCH = date(1970, 1, 1)


def check(sound: bool) -> None:
    if not sound:
        raise CorruptError("a table's schema is damaged")


def whole(sound: bool) -> None:
    if not sound:
        raise CorruptError("a table's row is damaged")


class Field(NamedTuple):
    """One byte of a record."""

    bits: int
    values: int
    leading: bool


class Format(NamedTuple):
    scale: int
    keep: int
    width: int
    zeros: bool

    def text(self, v: int) -> bytes:
        digits = str(abs(v)).rjust(self.scale + 1, "0")
        before, after = digits[: len(digits) - self.scale], digits[len(digits) - self.scale :]
        while len(after) > self.keep and after.endswith("0"):
            after = after[:-1]
        after = after.ljust(self.keep, "0")
        text = "-" * (v < 0) + before + "." * bool(after) + after
        return text.rjust(self.width, "0" if self.zeros else " ").encode()


class Elements(NamedTuple):
    """Numbers in binary."""

    size: int
    signed: bool

    def text(self, v: int) -> bytes:
        try:
            return v.to_bytes(self.size, "little", signed=self.signed)
        except OverflowError:
            raise CorruptError("a table's row has a number that does not fit") from None


class Pattern(NamedTuple):
    widths: bytes
    literals: list[bytes]

    def text(self, groups: list[bytes]) -> bytes:
        pairs = zip(self.literals, groups, strict=False)
        return b"".join(literal + group for literal, group in pairs) + self.literals[-1]


class Time(NamedTuple):
    order: int
    pattern: Pattern

    def text(self, v: int) -> bytes:
        widths = list(self.pattern.widths)
        dates = len(DATES[self.order])
        numbers = []
        for place in reversed(range(dates, len(widths))):
            of = (24, 60, 60)[place - dates] if place < dates + 3 else 10 ** widths[place]
            numbers.insert(0, v % of)
            v //= of
        if self.order:
            whole(abs(v) < 10**7)
            numbers = [*day_numbers(v, self.order), *numbers]
        else:
            whole(v == 0)
        groups = [str(n).rjust(w, "0").encode() for n, w in zip(numbers, widths, strict=True)]
        return self.pattern.text(groups)


def day_numbers(day: int, order: int) -> tuple[int, int, int]:
    """Year, month and day in their order; years have 400-year periods, so that year 0 is 400."""
    period = 146097  # days of 400 years
    try:
        shifted = EPOCH + timedelta(days=day + period)
        year, month, day = shifted.year - 400, shifted.month, shifted.day
    except OverflowError:
        try:
            shifted = EPOCH + timedelta(days=day)
        except OverflowError:
            raise CorruptError("a table's row has no such day") from None
        year, month, day = shifted.year, shifted.month, shifted.day
    whole(0 <= year <= 9999)
    return ((year, month, day), (day, month, year), (month, day, year))[order - 1]


class Column(NamedTuple):
    kind: int
    values: list[bytes]  # of a dictionary, or the strings of a number
    form: Format | Time | Elements | None = None
    mode: int = PLAIN
    base: int = 0
    start: int = 0
    limit: int = 0
    printed: int = 0  # bytes of the numbers of a dictionary

    def fields(self) -> list[Field]:
        if self.kind == TEXT:
            return []
        if self.kind == DICTIONARY:
            last = len(self.values) - 1
            if last < 256:
                return [Field(last.bit_length(), last + 1, True)]
            return [Field((last >> 8).bit_length(), (last >> 8) + 1, True), Field(8, 256, False)]
        bits = self.limit.bit_length()
        widths = [8] * (bits // 8) + [bits % 8] * (bits % 8 > 0)
        return [
            Field(w, 1 + (self.limit >> max(bits - 8, 0)) if i == 0 else 1 << w, i == 0)
            for i, w in enumerate(widths)
        ]

    def text(self, record: list[int], before: int) -> tuple[bytes, int]:
        """The value, and the number that the next row is compared with."""
        code = 0
        for value, field in zip(record, self.fields(), strict=True):
            whole(value >> field.bits == 0)
            code = code << field.bits | value
        if self.kind == DICTIONARY:
            whole(code < len(self.values))
            return self.values[code], before
        whole(code <= self.limit)
        if code < len(self.values):
            return self.values[code], before
        code -= len(self.values)
        if self.mode == SIGNED:
            v = before + (code >> 1) if code % 2 == 0 else before - (code >> 1) - 1
        else:
            v = self.base + code + (before if self.mode == RISING else 0)
        whole(-(2**63) <= v < 2**63)
        assert self.form is not None
        return self.form.text(v), v


class Cell(NamedTuple):
    prefix: bytes
    suffix: bytes
    pattern: Pattern | None
    columns: list[Column]


class Schema:
    """What the rows of a table have in common."""

    def __init__(self, data: bytes) -> None:
        both = Fields(data, whole=True)
        self.codes = both.part(both.varint())
        self.lines = both.data[both.at :]
        flags = self.byte()
        check(flags < 64)
        self.binary = flags & BINARY > 0
        check(not self.binary or flags & ~(BINARY | OPEN_TAIL) == 0)
        self.has_kinds, self.open = flags & KINDS > 0, flags & OPEN > 0
        self.line_end = b"" if self.binary else b"\r\n" if flags & RETURNS else b"\n"
        delimiter = b"" if flags & (JSON | BINARY) else bytes([self.byte()])
        count = self.count(MOST_CELLS)
        heads, tails = self.codes.varint(), self.codes.varint()
        self.head = b"".join(self.line() + b"\n" for _ in range(heads))
        self.tail = b"".join(self.line() + b"\n" for _ in range(tails))
        if flags & OPEN_TAIL:
            check(self.tail != b"")
            self.tail = self.tail[:-1]
        if flags & JSON:
            self.pieces = [self.line() for _ in range(count + 1)]
        else:
            self.pieces = [b"", *[delimiter] * (count - 1), b""][: count + 1]
        self.cells = [self.cell() for _ in range(count)]
        self.printed = sum(column.printed for cell in self.cells for column in cell.columns)
        check(not self.codes.left() and not self.lines)
        self.columns = [column for cell in self.cells for column in cell.columns]
        self.texts = sum(column.kind == TEXT for column in self.columns)
        self.fields = [field for column in self.columns for field in column.fields()]
        check(len(self.columns) <= MOST_FIELDS)
        check(len(self.fields) + self.has_kinds <= MOST_FIELDS)

    def byte(self) -> int:
        return self.codes.u(1)

    def count(self, most: int) -> int:
        count = self.codes.varint()
        check(count <= most)
        return count

    def signed(self) -> int:
        coded = self.codes.varint()
        return coded >> 1 if coded % 2 == 0 else -(coded >> 1) - 1

    def line(self) -> bytes:
        line, end, self.lines = self.lines.partition(b"\n")
        check(end != b"")
        return line

    def pattern(self) -> Pattern:
        widths = self.codes.take(self.count(MOST_GROUPS))
        return Pattern(widths, [self.line() for _ in range(len(widths) + 1)])

    def format(self, flags: int) -> Format:
        scale, keep = self.byte(), self.byte()
        width = self.byte() if flags & PADDED else 0
        check(scale <= 18 and keep <= 18 and width <= 24)
        check(width > 0 or not flags & PADDED)
        check(not flags & ZEROS or scale == keep == 0)
        return Format(scale, keep, width, flags & ZEROS > 0)

    def time(self) -> Time:
        order = self.byte()
        check(order < len(DATES))
        pattern = self.pattern()
        date, rest = DATES[order], tuple(pattern.widths)[len(DATES[order]) :]
        check(tuple(pattern.widths)[: len(date)] == date)
        check(rest[:3] in ((), (2, 2), (2, 2, 2)) and (order > 0 or rest != ()))
        check(len(rest) <= 4 and all(1 <= f <= 6 for f in rest[3:]))
        check(order > 0 or pattern.literals[1] == b":")
        return Time(order, pattern)

    def cell(self) -> Cell:
        flags = self.byte()
        if self.binary:
            elements = Elements(flags & ~16, flags & 16 > 0)
            check(elements.size in (1, 2, 4, 8))
            column = self.column(elements)
            check(column.kind != TEXT)
            return Cell(b"", b"", None, [column])
        check(flags < 8)
        prefix = self.line() if flags & PREFIX else b""
        suffix = self.line() if flags & SUFFIX else b""
        pattern = self.pattern() if flags & PATTERN else None
        count = len(pattern.widths) if pattern else 1
        return Cell(prefix, suffix, pattern, [self.column() for _ in range(count)])

    def column(self, elements: Elements | None = None) -> Column:
        kind = self.byte()
        check(kind <= NUMBER)
        if kind == TEXT:
            return Column(TEXT, [])
        if kind == DICTIONARY:
            strings = self.count(MOST_VALUES)
            check(strings == 0 or elements is None)
            numbers = self.count(MOST_VALUES - strings)
            check(strings + numbers >= 2)
            values = [self.line() for _ in range(strings)]
            if numbers:
                form: Format | Elements | None = elements
                if form is None:
                    flags = self.byte()
                    check(flags & ~(ZEROS | PADDED) == 0)
                    form = self.format(flags)
                v = self.signed()
                values.append(form.text(v))
                for _ in range(numbers - 1):
                    v += self.codes.varint() + 1
                    check(v < 2**63)
                    values.append(form.text(v))
            printed = sum(map(len, values[strings:]))
            return Column(DICTIONARY, values, printed=printed)
        flags = self.byte()
        mode = flags & 3
        check(mode <= SIGNED)
        own: Format | Time | Elements
        if elements is not None:
            check(flags == mode)
            own = elements
        else:
            check(flags & ~(3 | TIME) == 0 or flags & ~(3 | ZEROS | PADDED) == 0)
            own = self.time() if flags & TIME else self.format(flags)
        base = 0 if mode == SIGNED else self.signed()
        start = 0 if mode == PLAIN else self.signed()
        limit = self.codes.varint()
        strings = [self.line() for _ in range(self.count(MOST_STRINGS))]
        check(not strings or elements is None)
        return Column(NUMBER, strings, own, mode, base, start, limit)


class Rows:
    """Makes the bytes of rows, one after the other; `streams` are the texts of those to come."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.before = [column.start for column in schema.columns]
        self.streams = [b""] * (schema.texts + 1)

    def next_text(self, stream: int) -> bytes:
        rest = self.streams[stream]
        whole(rest != b"")
        text, end, self.streams[stream] = rest.partition(b"\n")
        return text + end

    def exception(self) -> bytes:
        return self.next_text(0)

    def row(self, record: list[int], last: bool) -> bytes:
        """The bytes of a row with these fields, without the row's kind."""
        schema = self.schema
        out, at, number, stream = [], 0, 0, 1
        for piece, cell in zip(schema.pieces, schema.cells, strict=False):
            groups = []
            for column in cell.columns:
                if column.kind == TEXT:
                    text = self.next_text(stream)
                    whole(text.endswith(b"\n"))
                    groups.append(text[:-1])
                    stream += 1
                else:
                    width = len(column.fields())
                    own = record[at : at + width]
                    text, self.before[number] = column.text(own, self.before[number])
                    groups.append(text)
                    at += width
                number += 1
            inside = cell.pattern.text(groups) if cell.pattern else groups[0]
            out += [piece, cell.prefix, inside, cell.suffix]
        end = b"" if last and schema.open else schema.line_end
        return b"".join([*out, schema.pieces[-1], end])
