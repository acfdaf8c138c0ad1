"""Content at any position, through the index: decodes no segment that is not asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from typing import BinaryIO

from llmzip.directory import Archive, check_segment, read_directory, read_segment_header
from llmzip.limits import Limits
from llmzip.reader import base_of, check_header
from llmzip.record import Record
from llmzip.segments import SegmentDecoder, check_memory, segment_memory
from llmzip.streams import From
from llmzip.walk import Chunk, SegmentStart, pull, walk_alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.base import ArchiveBase, Bases

_CACHE_BYTES = 64 << 20


class Place(Record):
    """Where segment `seq` of `archive` is in the file, and how many bytes of content it has."""

    archive: Archive
    seq: int
    offset: int
    raw_len: int


class RandomAccess:
    """The content of all archives from `begin` of `source` to its end.

    places, starts: every segment, and where its content begins. `size` is in bytes.

    Keeps the decoder of the last segment and 64 MiB of decoded chunks, so that reading on, and
    going back a little, do not decode again.
    """

    def __init__(
        self, source: BinaryIO, begin: int, limits: Limits, bases: Bases | None = None
    ) -> None:
        self._source = source
        self._bases: dict[int, ArchiveBase | None] = {}
        self._limits = limits
        self.places: list[Place] = []
        self.starts: list[int] = []
        self.size = 0
        for archive in read_directory(source, begin):
            check_header(archive.header)
            self._bases[archive.offset] = base_of(archive.header, bases)
            for seq, (offset, entry) in enumerate(archive.segments()):
                self.starts.append(self.size)
                self.places.append(Place(archive, seq, offset, entry.raw_len))
                self.size += entry.raw_len
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._cached_bytes = 0
        # For every segment that was opened: where its chunks begin, as far as they are known.
        self._chunk_starts: dict[int, list[int]] = {}
        self._open = -1
        self._chunks: Iterator[tuple[bytes, bytes]] = iter(())
        self._next_chunk = 0

    def read(self, position: int) -> memoryview:
        """Content from `position` to the end of its chunk; nothing at or behind the end."""
        if not 0 <= position < self.size:
            return memoryview(b"")
        segment = bisect_right(self.starts, position) - 1
        inside = position - self.starts[segment]
        starts = self._chunk_starts.setdefault(segment, [0])
        # The last start known is where the next chunk begins: nothing of it was decoded yet.
        number = bisect_right(starts, inside) - 1
        if number < len(starts) - 1 and (segment, number) in self._cache:
            self._cache.move_to_end((segment, number))
            return memoryview(self._cache[segment, number])[inside - starts[number] :]
        if self._open != segment or self._next_chunk > number:
            self._chunks = self.decode(self.places[segment])
            self._next_chunk = 0
        while True:
            # An exception leaves no decoder behind that could go on in the wrong place.
            self._open = -1
            raw, _ = next(self._chunks)
            self._open = segment
            number = self._next_chunk
            self._next_chunk += 1
            if self._next_chunk == len(starts):
                starts.append(starts[-1] + len(raw))
            self._keep((segment, number), raw)
            if inside < starts[number] + len(raw):
                return memoryview(raw)[inside - starts[number] :]

    def close(self) -> None:
        """Closes the bases that were needed."""
        for base in self._bases.values():
            if base is not None:
                base.close()

    def _keep(self, key: tuple[int, int], raw: bytes) -> None:
        if key not in self._cache:
            self._cached_bytes += len(raw)
        self._cache[key] = raw
        self._cache.move_to_end(key)
        while self._cached_bytes > _CACHE_BYTES:
            self._cached_bytes -= len(self._cache.popitem(last=False)[1])

    def decode(self, place: Place, file: BinaryIO | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Every chunk of a segment: its raw bytes, and what it adds to the content hash.

        file: where to read it, for threads that have a reader of their own.
        """
        archive, seq, offset = place.archive, place.seq, place.offset
        file = file or self._source
        header, size = read_segment_header(file, offset)
        check_segment(archive, seq, header, size, offset)
        source = From(file, offset)
        decoder: SegmentDecoder | None = None
        metadata = archive.header.metadata
        for event in pull(source, walk_alone(offset, metadata.predictors, metadata.bounds, seq)):
            if isinstance(event, SegmentStart):
                check_memory(segment_memory(event), self._limits)
                decoder = SegmentDecoder(event, base=self._bases[archive.offset])
            elif isinstance(event, Chunk) and decoder:
                yield decoder.decode(event)
            elif decoder:
                decoder.finish()
