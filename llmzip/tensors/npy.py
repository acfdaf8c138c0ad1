"""NumPy's `.npy`: one array behind a header that is the text of a Python dict.

The header is matched against what writers write and is not given to Python's parser, which for
hostile text warns, or goes as deep as brackets do.
"""

from __future__ import annotations

import re

from llmzip.tensors.cursor import Cursor
from llmzip.tensors.detect import SPAN, detect
from llmzip.tensors.kinds import byte_length
from llmzip.tensors.region import UNKNOWN, Malformed, Region, tensor

_MAGIC = b"\x93NUMPY"
# NumPy itself refuses longer ones.
_MAX_HEADER = 10_000
_FIELD = re.compile(
    r"""\s*(['"])(descr|fortran_order|shape)\1\s*:\s*"""
    r"""('[^'\\]*'|"[^"\\]*"|True|False|\([0-9,\ ]*\)|\[.*\])\s*(?:,|(?=\}))""",
    re.VERBOSE | re.ASCII,
)
_END = re.compile(r"\s*\}\s*", re.ASCII)
# What an array without a name is called within an `.npz`.
UNNAMED = "arr_0"

# Kind, and sides of what one element holds.
_DTYPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "<f8": ("f64", ()),
    "<f4": ("f32", ()),
    "<f2": ("f16", ()),
    "<i8": ("i64", ()),
    "<u8": ("u64", ()),
    "<i4": ("i32", ()),
    "<u4": ("u32", ()),
    "<i2": ("i16", ()),
    "<u2": ("u16", ()),
    "|i1": ("i8", ()),
    "|u1": ("u8", ()),
    "|b1": ("bool", ()),
    "<c8": ("f32", (2,)),
    "<c16": ("f64", (2,)),
}
# How types are written that NumPy does not know.
_OPAQUE = {"<V2", "|V2"}


def claims(start: bytes) -> bool:
    """Whether a file that begins with `start` (8 bytes) may be one of these."""
    return start[:6] == _MAGIC and start[6:8] in (b"\1\0", b"\2\0", b"\3\0")


def _fields(text: str) -> dict[str, str]:
    """What a header says of an array, each value as it is written there."""
    found: dict[str, str] = {}
    at = 1
    while (field := _FIELD.match(text, at)) and len(found) < 3:
        found[field[2]] = field[3]
        at = field.end()
    if not text.startswith("{") or not _END.fullmatch(text, at) or len(found) < 3:
        raise Malformed("no header of an array")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a tuple."""
    sides = [side.strip() for side in text.strip("()").split(",")]
    if sides[-1] == "":
        sides.pop()
    try:
        return tuple([int(side) for side in sides])
    except ValueError as error:
        raise Malformed("no shape") from error


def array(cursor: Cursor, label: str, total: int) -> Region:
    """The array that begins where `cursor` stands, in a file or member that ends at `total`."""
    start = cursor.take(8)
    if not claims(start):
        raise Malformed("no array")
    length = cursor.number(2 if start[6] == 1 else 4)
    if length > _MAX_HEADER:
        raise Malformed("a header too long")
    try:
        fields = _fields(str(cursor.take(length), "utf-8" if start[6] == 3 else "latin-1"))
    except UnicodeDecodeError as error:
        raise Malformed("no header of an array") from error
    if fields["shape"][0] != "(" or fields["fortran_order"] not in ("True", "False"):
        raise Malformed("no header of an array")
    shape = _numbers(fields["shape"])
    if fields["fortran_order"] == "True":
        shape = shape[::-1]
    descr = fields["descr"].strip("'\"")
    begin = cursor.at
    if descr in _DTYPES:
        kind, inner = _DTYPES[descr]
    elif total == UNKNOWN:
        raise Malformed("an array whose length only the end of the file tells")
    else:
        inner = ()
        kind = detect(cursor.peek(SPAN)) if descr in _OPAQUE else ""
    shape = (*shape, *inner)
    if not kind:
        # Records, strings, objects, numbers in the order of big-endian machines.
        return Region(begin, total - begin, label)
    return tensor(begin, byte_length(kind, shape), label, kind, shape, total)


def tensors(cursor: Cursor, total: int) -> list[Region]:
    """The one array of a file of `total` bytes, of which `cursor` reads the first."""
    return [array(cursor, UNNAMED, total)]
