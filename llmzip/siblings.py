"""Archives that one call writes into the same folder: a later one has tensors from earlier ones."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate

from llmzip.base import Bases
from llmzip.container import ARCHIVE, ModelRef
from llmzip.directory import Archive, read_directory
from llmzip.duplicates import Found, Known, digests_of
from llmzip.fileio import SUFFIX
from llmzip.limits import Limits
from llmzip.record import Record
from llmzip.seeking import RandomAccess
from llmzip.sources import Origin
from llmzip.streams import read_exactly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.duplicates import ReadAt
    from llmzip.tensors.region import Region


class _Pending(Record):
    """What is known of an archive before it has its name: its tensors, by length and sample."""

    content_hash: bytes
    tensors: list[tuple[tuple[int, bytes], Known]]


class Folder:
    """The archives that one call has written into a folder, and what tensors they hold.

    base: where their base is, if that is not the folder.
    """

    def __init__(self, base: str | None = None) -> None:
        self._given = base
        self._known: dict[tuple[int, bytes], list[Known]] = defaultdict(list)
        self._lengths: set[int] = set()
        self._archives: list[tuple[str, Archive, RandomAccess]] = []
        self._pending: _Pending | None = None

    def find(self, read: ReadAt, region: Region, sample: bytes) -> Known | None:
        """The tensor of an earlier file that is most probably equal to this one."""
        for known in self._known.get((region.length, sample), ()):
            found = digests_of(read, region.offset, known.lengths)
            if all(mine == its for mine, its in zip(found, known.digests, strict=True)):
                return known
        return None

    def has(self, length: int) -> bool:
        """Whether an earlier file has a tensor of `length` bytes."""
        return length in self._lengths

    def ref(self, number: int) -> ModelRef:
        """What an archive's metadata says of the folder's archive `number`."""
        path, archive, _ = self._archives[number]
        name = os.path.basename(path).removesuffix(SUFFIX)
        return ModelRef(ARCHIVE, archive.footer.content_hash, archive.raw_len, name)

    def read(self, known: Known, at: int, length: int) -> bytes:
        """Content of a known tensor from its byte `at` on, decoded from its archive."""
        path, archive, content = self._archives[known.archive]
        origin = Origin(path, archive, Limits(), self._bases(path), content)
        try:
            return read_exactly(origin.open(known.offset + at), length)
        finally:
            origin.close()

    def _bases(self, path: str) -> Bases:
        return Bases(os.path.dirname(path) or ".", self._given)

    def note(
        self,
        found: Found,
        lengths: Sequence[int],
        digests: Mapping[int, bytes],
        content_hash: bytes,
    ) -> None:
        """Keeps what the archive that was just written holds, until `add`.

        lengths: of its segments. digests: of each, by its number.
        """
        starts = dict(zip(accumulate(lengths, initial=0), range(len(lengths)), strict=False))
        tensors = []
        for offset, (length, sample) in found.samples.items():
            if offset in found.again:
                continue
            first = end = starts[offset]
            left = length
            while left:
                left -= lengths[end]
                end += 1
            its = tuple([digests[number] for number in range(first, end)])
            known = Known(-1, offset, tuple(lengths[first:end]), its)
            tensors.append(((length, sample), known))
        self._pending = _Pending(content_hash, tensors)

    def add(self, path: str) -> None:
        """The archive that was noted last is complete and called `path`."""
        pending, self._pending = self._pending, None
        name = os.path.basename(path)
        if pending is None or not name.endswith(SUFFIX) or not _utf8(name):
            return
        with open(path, "rb") as file:
            archives = read_directory(file)
            if len(archives) != 1 or archives[0].footer.content_hash != pending.content_hash:
                return
            content = RandomAccess(
                file, 0, Limits(), self._bases(path), archives=archives, originals=True
            )
        number = len(self._archives)
        self._archives.append((path, archives[0], content))
        for key, known in pending.tensors:
            self._known[key].append(known.replace(archive=number))
            self._lengths.add(key[0])


def _utf8(name: str) -> bool:
    try:
        return len(name.encode()) <= 255
    except UnicodeEncodeError:
        return False
