"""PyTorch's files from before it wrote zip files: five pickles, then the bytes of each storage.

The pickles hold a magic number, a version, facts about the machine, what was saved, and the keys of
its storages in order. A storage is the number of its elements in eight bytes, and those.
"""

from __future__ import annotations

from io import BytesIO

from llmzip.tensors.cursor import Cursor
from llmzip.tensors.detect import SPAN, opaque
from llmzip.tensors.members import Member
from llmzip.tensors.pickled import Machine, Node, Storage, Tensor, named_tensors
from llmzip.tensors.region import MAX_REGIONS, UNKNOWN, Malformed, Region
from llmzip.tensors.torch_zip import element_width, storage_region

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
# A pickle of PROTOCOL, the magic number and STOP.
_FIRST = b"\x8a\x0a" + _MAGIC.to_bytes(10, "little") + b"."
_PROTOCOLS = (b"\x80\x02", b"\x80\x03")
# Pickles are looked for in so many first bytes; more are read where that is not enough.
_STARTS = (1 << 18, 1 << 22, 1 << 26)


def claims(start: bytes) -> bool:
    """Whether a file that begins with `start` (15 bytes) is one of these."""
    return start[:2] in _PROTOCOLS and start[2:15] == _FIRST


class _Front:
    """What the pickles say: the storages in order, and a name and tensor of each that has one."""

    def __init__(self, data: bytes) -> None:
        file = BytesIO(data)
        if self._next(file).root != _MAGIC or self._next(file).root != _VERSION:
            raise Malformed("no file of PyTorch")
        facts = self._next(file).root
        self.swapped = not isinstance(facts, Node) or ("little_endian", True) not in facts.items
        machine = self._next(file)
        keys = self._next(file).root
        self.end = file.tell()
        if not isinstance(keys, Node) or len(keys.items) > MAX_REGIONS:
            raise Malformed("no list of storages")
        self.storages: list[Storage] = []
        for _, key in keys.items:
            if not isinstance(key, str) or key not in machine.storages:
                raise Malformed("a storage that nothing uses")
            self.storages.append(machine.storages[key])
        self.first: dict[str, tuple[str, Tensor]] = {}
        for name, view in named_tensors(machine.root):
            self.first.setdefault(view.storage.key, (name, view))

    @staticmethod
    def _next(file: BytesIO) -> Machine:
        machine = Machine()
        machine.run(file)
        return machine


def _front(cursor: Cursor) -> _Front:
    for most in _STARTS:
        data = cursor.peek(most)
        try:
            return _Front(data)
        except Malformed:
            if len(data) < most or most == _STARTS[-1]:
                raise
    raise AssertionError("the last start raises")


def tensors(cursor: Cursor, total: int) -> list[Region]:
    """The storages of a file of `total` bytes, of which `cursor` reads the first.

    Their labels are the names of the first tensors that use them, or their keys.
    """
    front = _front(cursor)
    at = front.end
    regions: list[Region] = []
    for storage in front.storages:
        width = element_width(storage)
        if width is None or not 0 <= storage.count < 1 << 60:
            raise Malformed("a storage of elements that are not known")
        member = Member(storage.key, at + 8, storage.count * width)
        if total != UNKNOWN:
            cursor.skip(at - cursor.at)
            if cursor.number(8) != storage.count:
                raise Malformed("a storage of another length")
        at = member.offset + member.length
        if at > total:
            raise Malformed("a storage leaves the file")
        label, view = front.first.get(storage.key, ("", None))
        label = label or f"storage.{storage.key}"
        region = None
        if not front.swapped:
            region = storage_region(member, label, storage, view)
        if region is None:
            region = Region(member.offset, member.length, label)
            if not front.swapped and total != UNKNOWN:
                start = cursor.peek(min(SPAN, member.length))
                region = opaque(member.offset, member.length, label, start)
        regions.append(region)
    return regions
