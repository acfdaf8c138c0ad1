"""safetensors: eight bytes of length, a table in JSON, then the tensors.

The table is taken apart entry by entry, so that the memory it takes does not grow with what a
hostile one holds.
"""

from __future__ import annotations

import json
import re

from llmzip.tensors.cursor import Cursor
from llmzip.tensors.region import MAX_LABEL, MAX_REGIONS, Malformed, Region, tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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
_KEY = re.compile(rb"(%b)%b:%b" % (_STRING, _SPACE, _SPACE), re.DOTALL)
_TEXT = re.compile(_STRING + _SPACE, re.DOTALL)
# An entry holds short strings and flat lists of numbers; a bound keeps what json builds small.
_ENTRY = re.compile(rb"(\{[^{}]{0,4096}+\})" + _SPACE)
_OPEN = re.compile(rb"\{" + _SPACE)
_COMMA = re.compile(rb"," + _SPACE)
_CLOSE = re.compile(rb"\}" + _SPACE)
# A name of MAX_LABEL bytes where each is escaped.
_MAX_KEY = 6 * MAX_LABEL + 2


def claims(start: bytes) -> bool:
    """Whether a file that begins with `start` (9 bytes) may be one of these."""
    return len(start) >= 9 and start[8:9] == b"{" and start[4:8] == b"\0\0\0\0"


def _entry(name: str, text: bytes, data: int, total: int) -> Region:
    """The tensor of a table's entry `text`; `data` is where the table ends."""
    entry = json.loads(str(text, "utf-8"))
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or not isinstance(shape, list) or not isinstance(offsets, list):
        raise Malformed("no entry of a tensor")
    if any(type(value) is not int for value in shape + offsets):
        raise Malformed("a shape that is no list of numbers")
    begin, end = offsets
    if not 0 <= begin <= end:
        raise Malformed("a tensor that ends before it begins")
    sides = tuple(shape)
    kind = _DTYPES.get(dtype, "")
    if dtype in _PAIRS:
        kind, sides = _PAIRS[dtype], (*sides, 2)
    return tensor(data + begin, end - begin, name, kind, sides if kind else (), total)


class _Table:
    """Goes through a table `text`, whose tensors lie from byte `data` of the file on."""

    def __init__(self, text: bytes, data: int, total: int) -> None:
        self._text = text
        self._at = 0
        self._data = data
        self._total = total
        self._left = MAX_REGIONS
        self._regions: list[Region] = []

    def _next(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        """What `pattern` matches next."""
        found = pattern.match(self._text, self._at)
        if not found:
            raise Malformed("no table of tensors")
        self._at = found.end()
        return found

    def _object(self, value: Callable[[bytes], None]) -> None:
        """Goes through an object; `value` is called at each of its values with the key."""
        self._next(_OPEN)
        if _CLOSE.match(self._text, self._at):
            self._next(_CLOSE)
            return
        while True:
            self._left -= 1
            if self._left < 0:
                raise Malformed("too many entries")
            value(self._next(_KEY)[1])
            if not _COMMA.match(self._text, self._at):
                break
            self._next(_COMMA)
        self._next(_CLOSE)

    def _tensor(self, key: bytes) -> None:
        if key == b'"__metadata__"':
            self._object(self._metadata)
            return
        name = json.loads(str(key, "utf-8")) if len(key) <= _MAX_KEY else ""
        self._regions.append(_entry(name, self._next(_ENTRY)[1], self._data, self._total))

    def _metadata(self, key: bytes) -> None:
        self._next(_TEXT)

    def tensors(self) -> list[Region]:
        """The tensors in the order of the table."""
        self._object(self._tensor)
        if self._at != len(self._text):
            raise Malformed("the table goes on behind its end")
        return self._regions


def tensors(cursor: Cursor, total: int) -> list[Region]:
    """The tensors of a file of `total` bytes, of which `cursor` reads the first."""
    length = cursor.number(8)
    if length > MAX_HEADER:
        raise Malformed("a table larger than the format allows")
    text = cursor.take(length)
    try:
        return _Table(text, cursor.at, total).tensors()
    except (ValueError, KeyError, RecursionError) as error:
        raise Malformed("the table is no table of tensors") from error
