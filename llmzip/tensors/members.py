"""The members of a zip file that are stored as they are.

`zipfile` builds far larger objects than a directory's entries are, and does not tell where a
member's bytes begin. This takes a place only if it is within the file and no other member's, and
refuses what has more than one meaning.
"""

from __future__ import annotations

from struct import Struct

from llmzip.record import Record
from llmzip.streams import read_exactly
from llmzip.tensors.cursor import Cursor
from llmzip.tensors.region import MAX_REGIONS, Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_END = Struct("<4s4H2LH")
_END_MAGIC = b"PK\5\6"
_LOCATOR = Struct("<4sLQL")
_END64 = Struct("<4sQ2H2L4Q")
_ENTRY = Struct("<4s6H3L5H2L")
_LOCAL = Struct("<4s5H3L2H")
_MAX_COMMENT = 0xFFFF
_MAX_NAME = 4096
_STORED = 0
_ENCRYPTED = 1
_WIDE = 1


class Member(Record):
    """A stored member: its name, and where its bytes lie in the file."""

    name: str
    offset: int
    length: int


def _exactly(source: BinaryIO, at: int, length: int) -> bytes:
    """`length` bytes of the file from `at` on."""
    source.seek(at)
    data = read_exactly(source, length)
    if len(data) < length:
        raise Malformed("the file is shorter than it was")
    return data


def _directory(source: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the directory begins and ends, and its number of entries."""
    tail_begin = max(0, size - _END.size - _MAX_COMMENT)
    tail = _exactly(source, tail_begin, size - tail_begin)
    at = tail.rfind(_END_MAGIC)
    if at < 0 or len(tail) - at < _END.size:
        raise Malformed("no directory")
    _, disk, first_disk, here, count, length, begin, comment = _END.unpack_from(tail, at)
    if disk or first_disk or here != count or at + _END.size + comment != len(tail):
        raise Malformed("no directory of one whole file")
    end = tail_begin + at
    if end >= _LOCATOR.size + _END64.size:
        locator = _exactly(source, end - _LOCATOR.size, _LOCATOR.size)
        magic, disk, place, disks = _LOCATOR.unpack(locator)
        if magic == b"PK\6\7":
            if disk or disks > 1 or place > end - _LOCATOR.size - _END64.size:
                raise Malformed("no directory of one whole file")
            record = _END64.unpack(_exactly(source, place, _END64.size))
            if record[0] != b"PK\6\6" or record[6] != record[7]:
                raise Malformed("no directory of one whole file")
            count, length, begin = record[7:]
            end = place
    if begin + length != end or count > MAX_REGIONS:
        raise Malformed("the directory does not end where it must")
    return begin, end, count


def _wide(extra: bytes, sizes: list[int]) -> list[int]:
    """Sizes and offset, where those that take more than 32 bits come from the extra field."""
    missing = [place for place, value in enumerate(sizes) if value == 0xFFFFFFFF]
    at = 0
    while missing and at + 4 <= len(extra):
        tag = int.from_bytes(extra[at : at + 2], "little")
        length = int.from_bytes(extra[at + 2 : at + 4], "little")
        if tag == _WIDE:
            values = extra[at + 4 : at + 4 + length]
            if len(values) < 8 * len(missing):
                raise Malformed("sizes are missing")
            for number, place in enumerate(missing):
                sizes[place] = int.from_bytes(values[8 * number : 8 * number + 8], "little")
            return sizes
        at += 4 + length
    return sizes


def _data(source: BinaryIO, offset: int, name: bytes, before: int) -> int:
    """Where the bytes of the member lie whose local header is at `offset`, below `before`."""
    if offset > before - _LOCAL.size - len(name):
        raise Malformed("a member leaves the file")
    local = _exactly(source, offset, _LOCAL.size + len(name))
    name_length: int
    extra: int
    magic, _, flags, method, *_, name_length, extra = _LOCAL.unpack_from(local)
    if magic != b"PK\3\4" or method != _STORED or flags & _ENCRYPTED:
        raise Malformed("a member is not what the directory says")
    if name_length != len(name) or local[_LOCAL.size :] != name:
        raise Malformed("a member has another name than the directory says")
    return offset + _LOCAL.size + name_length + extra


def members(source: BinaryIO, size: int) -> list[Member]:
    """The stored members of a zip file of `size` bytes, in the order of the file.

    Compressed and encrypted ones, and folders, are left out. `Malformed` for a directory that is
    broken or spread over several files.
    """
    begin, end, count = _directory(source, size)
    cursor = Cursor(source, begin, end)
    places: list[tuple[bytes, int, int]] = []
    for _ in range(count):
        fields = _ENTRY.unpack(cursor.take(_ENTRY.size))
        flags, method = fields[3:5]
        compressed, length, name_length, extra_length, comment = fields[8:13]
        if fields[0] != b"PK\1\2":
            raise Malformed("no entry where one must be")
        name, extra = cursor.take(name_length), cursor.take(extra_length)
        cursor.skip(comment)
        length, compressed, offset = _wide(extra, [length, compressed, fields[16]])
        if method != _STORED or flags & _ENCRYPTED or len(name) > _MAX_NAME:
            continue
        if length != compressed or length > begin:
            raise Malformed("a member leaves the file")
        if length:
            places.append((name, offset, length))
    if cursor.at != end:
        raise Malformed("the directory goes on behind its entries")
    found: list[Member] = []
    # Members that shared bytes would be read again and again.
    free = 0
    for name, offset, length in sorted(places, key=lambda place: place[1]):
        data = _data(source, offset, name, begin)
        if offset < free or data + length > begin:
            raise Malformed("a member leaves the file, or lies within another")
        free = data + length
        found.append(Member(str(name, "utf-8", "replace"), data, length))
    return found
