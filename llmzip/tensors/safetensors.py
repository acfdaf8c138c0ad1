"""safetensors: eight bytes of length, a table in JSON, then the tensors.

The table is taken apart entry by entry, so that the memory it takes does not grow with what a
hostile one holds.
"""

from __future__ import annotations

import json
import re

from llmzip.tensors.cursor import Cursor
from llmzip.tensors.region import MAX_LABEL, MAX_REGIONS, Malformed, Region, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    # A tensor as the table has it: name, dtype, shape, and where in the file it begins and ends. No
    # record, since files have thousands and who opens one wants few.
    Entry: TypeAlias = tuple[str, str, tuple[int, ...], int, int]

# The format's own limit.
MAX_HEADER = 100_000_000

# The float4 kinds are packed in pairs; those of other widths have no entry and stay opaque.
_DTYPES = {
    "F64": "f64",
    "F32": "f32",
    "F16": "f16",
    "BF16": "bf16",
    "F8_E4M3": "f8e4m3",
    "F8_E5M2": "f8e5m2",
    "I64": "i64",
    "U64": "u64",
    "I32": "i32",
    "U32": "u32",
    "I16": "i16",
    "U16": "u16",
    "I8": "i8",
    "U8": "u8",
    "BOOL": "bool",
    "F4": "u4",
    "F8_E8M0": "u8",
    "F8_E4M3FNUZ": "f8e4m3",
    "F8_E5M2FNUZ": "f8e5m2",
}
_PAIRS = {"C64": "f32"}

_SPACE = rb"[ \t\r\n]*+"
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_METADATA = b'"__metadata__"'
_KEY = re.compile(rb"(%b)%b:%b" % (_STRING, _SPACE, _SPACE), re.DOTALL)
_TEXT = re.compile(_STRING + _SPACE, re.DOTALL)
# An entry holds short strings and flat lists of numbers; a bound keeps what json builds small.
_ENTRY = re.compile(rb"(\{[^{}]{0,4096}+\})" + _SPACE)
_OPEN = re.compile(rb"\{" + _SPACE)
_COMMA = re.compile(rb"," + _SPACE)
_CLOSE = re.compile(rb"\}" + _SPACE)
# A key and its entry as every writer has them, in one match; all else is left to `json`.
_NUMBER = rb"(?:0|[1-9][0-9]{0,17}+)"
_NUMBERS = rb"(?:%b(?:%b,%b%b)*+)?+" % (_NUMBER, _SPACE, _SPACE, _NUMBER)
_PLAIN_PARTS = [
    rb'"([^"\\\x00-\x1f]{0,%d}+)"' % MAX_LABEL,
    *(rb":", rb"\{", rb'"dtype"', rb":", rb'"([A-Z0-9_]++)"'),
    *(rb",", rb'"shape"', rb":", rb"\[", b"(%b)" % _NUMBERS, rb"\]"),
    *(rb",", rb'"data_offsets"', rb":", rb"\["),
    *(b"(%b)" % _NUMBER, rb",", b"(%b)" % _NUMBER, rb"\]", rb"\}", rb""),
]
_PLAIN = re.compile(_SPACE.join(_PLAIN_PARTS))
# A name of MAX_LABEL bytes where each is escaped.
_MAX_KEY = 6 * MAX_LABEL + 2


def claims(start: bytes) -> bool:
    """Whether a file that begins with `start` (9 bytes) may be one of these."""
    return len(start) >= 9 and start[8:9] == b"{" and start[4:8] == b"\0\0\0\0"


def _of_json(name: str, text: bytes, data: int) -> Entry:
    """The entry `text` of a table that ends at byte `data`."""
    entry = json.loads(str(text, "utf-8"))
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or not isinstance(shape, list) or not isinstance(offsets, list):
        raise Malformed("no entry of a tensor")
    if any(type(value) is not int for value in shape + offsets):
        raise Malformed("a shape that is no list of numbers")
    begin, end = offsets
    if begin < 0:
        raise Malformed("a tensor that begins before the table ends")
    return name, dtype, tuple(shape), data + begin, data + end


class _Walk:
    """Goes through a table `text`, whose tensors lie from byte `data` of the file on.

    metadata: what the last record of it says, as JSON.
    """

    def __init__(self, text: bytes, data: int) -> None:
        self._text = text
        self._at = 0
        self._data = data
        self._left = MAX_REGIONS
        self.metadata = b"null"

    def _next(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """What `pattern` matches next."""
        found = pattern.match(self._text, self._at)
        if not found:
            raise Malformed("no table of tensors")
        self._at = found.end()
        return found

    def _object(self) -> Iterator[None]:
        """Goes through an object, and stops at each of its keys, to be passed with its value."""
        self._next(_OPEN)
        if _CLOSE.match(self._text, self._at):
            self._next(_CLOSE)
            return
        while True:
            self._left -= 1
            if self._left < 0:
                raise Malformed("too many entries")
            yield
            comma = _COMMA.match(self._text, self._at)
            if not comma:
                break
            self._at = comma.end()
        self._next(_CLOSE)

    def entries(self) -> Iterator[Entry]:
        """The tensors in the order of the table."""
        for _ in self._object():
            plain = _PLAIN.match(self._text, self._at)
            if plain and plain[1] != _METADATA[1:-1]:
                self._at = plain.end()
                key, dtype, shape, begin, end = plain.groups()
                sides = tuple([int(side) for side in shape.split(b",")]) if shape else ()
                base = self._data
                yield key.decode(), dtype.decode(), sides, base + int(begin), base + int(end)
                continue
            key = self._next(_KEY)[1]
            if key == _METADATA:
                begins = self._at
                for _ in self._object():
                    self._next(_KEY)
                    self._next(_TEXT)
                self.metadata = self._text[begins : self._at]
                continue
            name = json.loads(str(key, "utf-8")) if len(key) <= _MAX_KEY else ""
            yield _of_json(name, self._next(_ENTRY)[1], self._data)
        if self._at != len(self._text):
            raise Malformed("the table goes on behind its end")


def entries(cursor: Cursor, total: int) -> tuple[list[Entry], bytes]:
    """The tensors of a file of `total` bytes, in the order of the table, and its metadata in JSON.

    `Malformed` unless each lies in the file and has as many bytes as its type and shape say; where
    the type is not known, any. Whether they overlap is not looked at.
    """
    length = cursor.number(8)
    if length > MAX_HEADER:
        raise Malformed("a table larger than the format allows")
    walk = _Walk(cursor.take(length), cursor.at)
    try:
        found = list(walk.entries())
        for _, dtype, shape, begin, end in found:
            check(begin, end - begin, *_elements(dtype, shape), total)
        return found, walk.metadata
    except (ValueError, KeyError, RecursionError) as error:
        raise Malformed("the table is no table of tensors") from error


def _elements(dtype: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """The kind of what is coded, "" if it is not known, and its shape."""
    if dtype in _PAIRS:
        return _PAIRS[dtype], (*shape, 2)
    kind = _DTYPES.get(dtype, "")
    return kind, shape if kind else ()


def tensors(cursor: Cursor, total: int) -> list[Region]:
    """The tensors of a file of `total` bytes, of which `cursor` reads the first."""
    return [
        Region(begin, end - begin, name, *_elements(dtype, shape))
        for name, dtype, shape, begin, end in entries(cursor, total)[0]
    ]
