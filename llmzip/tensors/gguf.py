"""GGUF, versions 2 and 3, little-endian: metadata, a table of tensors, then the tensors."""

from __future__ import annotations

from llmzip.tensors.cursor import Cursor
from llmzip.tensors.kinds import KINDS
from llmzip.tensors.region import MAX_LABEL, MAX_REGIONS, Malformed, Region, tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Value: TypeAlias = "int | float | bool | str | list[int] | list[float] | list[str]"

_ALIGNMENT = b"general.alignment"
_STRING = 8
_ARRAY = 9
_UINT32 = 4
# Bytes of a metadata value, by type.
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
# How `struct` names the numbers among them; 7 is a truth value.
_NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_MAX_KEY = 1024
# A vocabulary has some hundred thousand strings.
_MAX_STRINGS = 4_000_000
_MAX_NESTING = 4
_MAX_DIMENSIONS = 8

_KINDS = {
    0: "f32",
    1: "f16",
    2: "q4_0",
    3: "q4_1",
    6: "q5_0",
    7: "q5_1",
    8: "q8_0",
    10: "q2_k",
    11: "q3_k",
    12: "q4_k",
    13: "q5_k",
    14: "q6_k",
    15: "q8_k",
    24: "i8",
    25: "i16",
    26: "i32",
    27: "i64",
    28: "f64",
    30: "bf16",
}
# Types that are taken as bytes: elements of a block, bytes of a block. Without q8_1, which is for
# products alone and has had two sizes.
_OPAQUE = {
    16: (256, 66),  # iq2_xxs
    17: (256, 74),  # iq2_xs
    18: (256, 98),  # iq3_xxs
    19: (256, 50),  # iq1_s
    20: (32, 18),  # iq4_nl
    21: (256, 110),  # iq3_s
    22: (256, 82),  # iq2_s
    23: (256, 136),  # iq4_xs
    29: (256, 56),  # iq1_m
    31: (32, 18),  # q4_0_4_4
    32: (32, 18),  # q4_0_4_8
    33: (32, 18),  # q4_0_8_8
    34: (256, 54),  # tq1_0
    35: (256, 66),  # tq2_0
    36: (32, 18),  # iq4_nl_4_4
    37: (32, 18),  # iq4_nl_4_8
    38: (32, 18),  # iq4_nl_8_8
    39: (32, 17),  # mxfp4
    40: (64, 36),  # nvfp4
    41: (128, 18),  # q1_0
}


def claims(start: bytes) -> bool:
    """Whether a file that begins with `start` (8 bytes) may be one of these."""
    return start[:4] == b"GGUF" and start[4:8] in (b"\2\0\0\0", b"\3\0\0\0")


class _Metadata:
    """Goes through metadata and keeps the one value that says where tensors lie."""

    def __init__(self, cursor: Cursor) -> None:
        self.alignment = 32
        self._cursor = cursor
        self._strings = 0

    def entry(self) -> None:
        """Passes over a key and its value."""
        cursor = self._cursor
        length = cursor.number(8)
        key = cursor.take(length) if length == len(_ALIGNMENT) else b""
        if not key:
            cursor.skip(length)
        kind = cursor.number(4)
        if key == _ALIGNMENT and kind == _UINT32:
            self.alignment = cursor.number(4)
        else:
            self._value(kind, 1, 0)

    def value(self) -> None:
        """Passes over a value with its type."""
        self._value(self._cursor.number(4), 1, 0)

    def _value(self, kind: int, count: int, nesting: int) -> None:
        """Passes over `count` values of type `kind`."""
        cursor = self._cursor
        if kind in _WIDTHS:
            cursor.skip(_WIDTHS[kind] * count)
            return
        if kind not in (_STRING, _ARRAY) or nesting > _MAX_NESTING:
            raise Malformed("metadata of an unknown type")
        self._strings += count
        if self._strings > _MAX_STRINGS:
            raise Malformed("too many strings")
        for _ in range(count):
            if kind == _STRING:
                cursor.skip(cursor.number(8))
            else:
                inner = cursor.number(4)
                self._value(inner, cursor.number(8), nesting + 1)


def metadata(cursor: Cursor, wanted: Callable[[str], bool]) -> dict[str, Value]:
    """The metadata of the file that `cursor` reads from its start on, where keys are `wanted`.

    Arrays become lists; strings that are not UTF-8 get replacement characters. `Malformed` for
    arrays of arrays too.
    """
    cursor.skip(16)
    entries = cursor.number(8)
    if entries > MAX_REGIONS:
        raise Malformed("too much metadata")
    others = _Metadata(cursor)
    found: dict[str, Value] = {}
    for _ in range(entries):
        length = cursor.number(8)
        key = str(cursor.take(length), "utf-8", "replace") if length <= _MAX_KEY else ""
        if not key:
            cursor.skip(length)
        if wanted(key):
            found[key] = _read(cursor)
        else:
            others.value()
    return found


def _read(cursor: Cursor) -> Value:
    """The next value with its type."""
    kind = cursor.number(4)
    if kind == _STRING:
        return _text(cursor)
    if kind != _ARRAY:
        return _numbers(cursor, kind, 1)[0]
    kind, count = cursor.number(4), cursor.number(8)
    if kind != _STRING:
        return _numbers(cursor, kind, count)
    if count > _MAX_STRINGS:
        raise Malformed("too many strings")
    return [_text(cursor) for _ in range(count)]


def _text(cursor: Cursor) -> str:
    return str(cursor.take(cursor.number(8)), "utf-8", "replace")


def _numbers(cursor: Cursor, kind: int, count: int) -> list[int] | list[float]:
    import struct

    if kind not in _NUMBERS or count > _MAX_STRINGS:
        raise Malformed("metadata of an unknown type")
    return list(struct.unpack(f"<{count}{_NUMBERS[kind]}", cursor.take(_WIDTHS[kind] * count)))


class _Entry:
    """A tensor of the table; its offset counts from where the tensors begin."""

    __slots__ = ("kind", "label", "length", "offset", "shape")

    def __init__(self, cursor: Cursor) -> None:
        length = cursor.number(8)
        self.label = ""
        if length <= MAX_LABEL:
            self.label = str(cursor.take(length), "utf-8", "replace")
        else:
            cursor.skip(length)
        dimensions = cursor.number(4)
        if dimensions > _MAX_DIMENSIONS:
            raise Malformed("too many dimensions")
        # Innermost first in the file.
        sides = [cursor.number(8) for _ in range(dimensions)][::-1] or [1]
        kind = cursor.number(4)
        self.offset = cursor.number(8)
        if kind in _KINDS:
            self.kind = _KINDS[kind]
            elements, width = KINDS[self.kind]
        elif kind in _OPAQUE:
            self.kind = "u8"
            elements, width = _OPAQUE[kind]
        else:
            raise Malformed("a tensor of an unknown type")
        if sides[-1] % elements:
            raise Malformed("a row that is no number of blocks")
        row = sides[-1] // elements * width
        self.length = row
        for side in sides[:-1]:
            self.length *= side
        self.shape = (*sides[:-1], row) if kind in _OPAQUE else tuple(sides)


def tensors(cursor: Cursor, total: int) -> list[Region]:
    """The tensors of a file of `total` bytes, of which `cursor` reads the first.

    The last dimension of a type that is taken as bytes is the bytes of a row.
    """
    cursor.skip(8)
    count, entries = cursor.number(8), cursor.number(8)
    if count > MAX_REGIONS or entries > MAX_REGIONS:
        raise Malformed("too many tensors")
    metadata = _Metadata(cursor)
    for _ in range(entries):
        metadata.entry()
    table = [_Entry(cursor) for _ in range(count)]
    alignment = metadata.alignment
    if not alignment:
        raise Malformed("an alignment of zero")
    data = -(-cursor.at // alignment) * alignment
    return [
        tensor(data + entry.offset, entry.length, entry.label, entry.kind, entry.shape, total)
        for entry in table
    ]
