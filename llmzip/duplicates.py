"""Tensors that occur again: in the same file, or in an earlier file of the same folder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO

from llmzip import _native
from llmzip.container import MAX_CHUNK
from llmzip.record import Record
from llmzip.streams import read_exactly
from llmzip.tensors.view import another_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, TypeAlias

    from llmzip.siblings import Folder
    from llmzip.tensors.region import Region

    ReadAt: TypeAlias = Callable[[int, int], bytes]

# Smaller tensors are coded again: what stands around a copy would be more than it saves. For less
# than the latter no archive is made to need another one.
LEAST = 4 << 10
_LEAST_OF_OTHERS = 64 << 10
_SAMPLE = 256
# Archives that one archive may refer to: their names must have room in its metadata.
_MOST_ARCHIVES = 100


class Known(Record):
    """A tensor of an earlier file: which of the folder's archives has it, and where.

    offset: of the archive's content. lengths: of the segments that it was cut into. digests: of
    each, as the content hash takes them.
    """

    archive: int
    offset: int
    lengths: tuple[int, ...]
    digests: tuple[bytes, ...]


class Again(Record):
    """Where a tensor was before: at byte `offset` of the same file, unless it is a `known` one."""

    offset: int
    known: Known | None = None


def reader(source: BinaryIO) -> ReadAt:
    """Reads `source`, which must be able to seek, at any place; its position stays."""
    if not isinstance(source, BytesIO) and (other := another_reader(source, 0)) is not None:
        file = other

        def read_other(offset: int, length: int) -> bytes:
            # Without a buffer: what is between samples is not read.
            file.seek(offset)
            return read_exactly(file, length)

        return read_other

    def read(offset: int, length: int) -> bytes:
        position = source.tell()
        source.seek(offset)
        data = read_exactly(source, length)
        source.seek(position)
        return data

    return read


def digest(raw: bytes) -> bytes:
    """What a chunk adds to the content hash."""
    return len(raw).to_bytes(8, "little") + _native.xxh3_128(raw)


def digests_of(read: ReadAt, offset: int, lengths: Sequence[int]) -> Iterator[bytes]:
    """The digests of segments of these lengths, which lie one behind the other."""
    for length in lengths:
        parts = []
        for at in range(0, length, MAX_CHUNK):
            parts.append(digest(read(offset + at, min(MAX_CHUNK, length - at))))
        yield b"".join(parts)
        offset += length


class Found(Record):
    """What is known of a file's tensors.

    again: by their offset, those that were there before. kept: offsets of tensors of this file that
    are among them. samples: length and a sample of each that is long enough, by their offset.
    """

    again: dict[int, Again]
    kept: set[int]
    samples: dict[int, tuple[int, bytes]]

    def archives(self) -> list[int]:
        """Which of the folder's archives have tensors of this file."""
        return sorted({again.known.archive for again in self.again.values() if again.known})


def find(
    regions: Sequence[Region],
    read: ReadAt,
    folder: Folder | None = None,
    changed: Callable[[Region], bool] = lambda region: False,
) -> Found:
    """Tensors among `regions` that equal an earlier one, by length, a sample, and then a hash.

    It is for the one who codes them to compare them byte by byte. changed: whether a tensor is
    coded as a change of a base anyway, so that it refers to no other file.
    """
    again: dict[int, Again] = {}
    kept: set[int] = set()
    samples: dict[int, tuple[int, bytes]] = {}
    groups: dict[int, list[Region]] = defaultdict(list)
    for region in regions:
        if region.length >= LEAST and (region.kind or region.label):
            groups[region.length].append(region)
    archives: set[int] = set()
    for length, group in groups.items():
        if len(group) == 1 and folder is None:
            continue
        alike: dict[bytes, list[Region]] = defaultdict(list)
        for region in group:
            sample = read(region.offset + length // 2, _SAMPLE)
            alike[sample].append(region)
            if length >= _LEAST_OF_OTHERS:
                samples[region.offset] = length, sample
        for sample, equal in alike.items():
            first: dict[bytes, Region] = {}
            for region in equal:
                known = None
                elsewhere = folder is not None and length >= _LEAST_OF_OTHERS
                if elsewhere and folder and folder.has(length) and not changed(region):
                    known = folder.find(read, region, sample)
                if known and (known.archive in archives or len(archives) < _MOST_ARCHIVES):
                    archives.add(known.archive)
                    again[region.offset] = Again(known.offset, known)
                elif len(equal) > 1:
                    parts = digests_of(read, region.offset, (length,))
                    whole = hashlib.sha256(b"".join(parts)).digest()
                    original = first.setdefault(whole, region)
                    if original is not region:
                        again[region.offset] = Again(original.offset)
                        kept.add(original.offset)
    return Found(again, kept, samples)
