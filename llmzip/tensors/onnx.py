"""ONNX: protocol buffers, walked as far as tensors may lie in them.

Tensors are found where they are plain bytes of the file: `raw_data`, and packed floats. Those in
files of their own, and integers written in groups of seven bits, are left alone.
"""

from __future__ import annotations

from llmzip.tensors.cursor import Cursor
from llmzip.tensors.kinds import MAX_DIMENSIONS
from llmzip.tensors.region import MAX_LABEL, MAX_REGIONS, Malformed, Region, tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# A network of 100,000 nodes has some of them.
_MAX_FIELDS = 4_000_000
_MAX_NESTING = 40

# The message within each field that may hold tensors, by message and number of the field.
_MESSAGES = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
}
# How the fields of a model are written, by number.
_MODEL = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
# The first bytes of such fields.
_TAGS = {number << 3 | wire if number < 16 else number << 3 & 0x7F | 0x80 | wire
         for number, wire in _MODEL.items()}  # fmt: skip

# Fields of a tensor.
_DIMS, _TYPE, _FLOATS, _NAME, _RAW, _DOUBLES, _LOCATION = 1, 2, 4, 8, 9, 10, 14
_EXTERNAL = 1

# Kind, and sides of what one element holds, by the number of the type.
_TYPES: dict[int, tuple[str, tuple[int, ...]]] = {
    1: ("f32", ()),
    2: ("u8", ()),
    3: ("i8", ()),
    4: ("u16", ()),
    5: ("i16", ()),
    6: ("i32", ()),
    7: ("i64", ()),
    9: ("bool", ()),
    10: ("f16", ()),
    11: ("f64", ()),
    12: ("u32", ()),
    13: ("u64", ()),
    14: ("f32", (2,)),
    15: ("f64", (2,)),
    16: ("bf16", ()),
    17: ("f8e4m3", ()),
    18: ("f8e4m3", ()),
    19: ("f8e5m2", ()),
    20: ("f8e5m2", ()),
    21: ("u4", ()),
    22: ("u4", ()),
    23: ("u4", ()),
    24: ("u8", ()),
}


def claims(start: bytes) -> bool:
    """Whether a file that begins with `start` (3 bytes) may be one of these.

    There is no magic; every writer puts the version of the format first.
    """
    return len(start) >= 3 and start[0] == 8 and 1 <= start[1] < 128 and start[2] in _TAGS


class _Walk:
    """Goes through a model and collects its tensors."""

    def __init__(self, cursor: Cursor, total: int) -> None:
        self.regions: list[Region] = []
        self._cursor = cursor
        self._total = total
        self._left = _MAX_FIELDS

    def _fields(self, end: int) -> Iterator[tuple[int, int, int]]:
        """The fields of a message up to `end`: number, wire type, and value.

        The value of bytes is their length: the cursor stands where they begin, and moves to where
        they end afterwards.
        """
        cursor = self._cursor
        while cursor.at < end:
            self._left -= 1
            if self._left < 0:
                raise Malformed("too many fields")
            tag = cursor.varint()
            number, wire = tag >> 3, tag & 7
            if wire in (_VARINT, _BYTES):
                value = cursor.varint()
            elif wire in (_FIXED64, _FIXED32):
                value = 8 if wire == _FIXED64 else 4
            else:
                raise Malformed("a field of an unknown type")
            after = cursor.at if wire == _VARINT else cursor.at + value
            if not number or after > end:
                raise Malformed("a field leaves its message")
            yield number, wire, value
            cursor.at = after
        if cursor.at != end:
            raise Malformed("a field leaves its message")

    def message(self, kind: str, end: int, nesting: int) -> None:
        """Goes through the message of `kind` from where the cursor stands to `end`."""
        if kind == "tensor":
            self._tensor(end)
            return
        if nesting > _MAX_NESTING:
            raise Malformed("messages nested too deeply")
        inner = _MESSAGES[kind]
        for number, wire, value in self._fields(end):
            if kind == "model" and _MODEL.get(number) != wire:
                raise Malformed("no model")
            if number in inner:
                if wire != _BYTES:
                    raise Malformed("a message that is none")
                self.message(inner[number], self._cursor.at + value, nesting + 1)

    def _tensor(self, end: int) -> None:
        cursor = self._cursor
        dims: list[int] = []
        kind = location = 0
        name = b""
        data: dict[int, tuple[int, int]] = {}
        for number, wire, value in self._fields(end):
            if number == _DIMS:
                after = cursor.at + value if wire == _BYTES else 0
                if wire == _VARINT:
                    dims.append(value)
                while cursor.at < after and len(dims) <= MAX_DIMENSIONS:
                    dims.append(cursor.varint())
                if len(dims) > MAX_DIMENSIONS:
                    raise Malformed("too many dimensions")
            elif number == _TYPE and wire == _VARINT:
                kind = value
            elif number == _LOCATION and wire == _VARINT:
                location = value
            elif number == _NAME and wire == _BYTES and value <= MAX_LABEL:
                name = cursor.take(value)
            elif number in (_RAW, _FLOATS, _DOUBLES) and wire == _BYTES:
                if number in data:
                    raise Malformed("the data of a tensor comes twice")
                data[number] = cursor.at, value
        if location != _EXTERNAL:
            self._add(tuple(dims), kind, str(name, "utf-8", "replace"), data)

    def _add(
        self, dims: tuple[int, ...], number: int, name: str, data: dict[int, tuple[int, int]]
    ) -> None:
        kind, inner = _TYPES.get(number, ("", ()))
        typed = {"f32": _FLOATS, "f64": _DOUBLES}.get(kind, 0)
        field = _RAW if _RAW in data else typed
        if field not in data:
            return
        begin, length = data[field]
        shape = (*dims, *inner) if kind else ()
        self.regions.append(tensor(begin, length, name, kind, shape, self._total))
        if len(self.regions) > MAX_REGIONS:
            raise Malformed("too many tensors")


def tensors(cursor: Cursor, total: int) -> list[Region]:
    """The tensors of a file of `total` bytes; `Malformed` where it has none."""
    walk = _Walk(cursor, total)
    walk.message("model", total, 0)
    if not walk.regions:
        raise Malformed("no model with tensors")
    return walk.regions
