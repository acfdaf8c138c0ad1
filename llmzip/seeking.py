"""Content at any position, through the index: decodes no segment that is not asked for."""

from __future__ import annotations

from _thread import allocate_lock
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import BinaryIO

from llmzip import route
from llmzip.container import SegmentHeader
from llmzip.directory import Archive, check_segment, read_directory, read_segment_header
from llmzip.errors import CorruptError
from llmzip.limits import Limits
from llmzip.preamble import Preamble
from llmzip.reader import check_header
from llmzip.record import Record
from llmzip.segments import SegmentDecoder, check_memory, decoding_memory
from llmzip.streams import From
from llmzip.walk import Chunk, SegmentStart, pull, walk_alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.base import Bases
    from llmzip.sources import Needs, Sources
    from llmzip.streams import Readable

_CACHE_BYTES = 64 << 20


class Place(Record):
    """Where segment `seq` of `archive` is in the file, and how many bytes of content it has."""

    archive: Archive
    seq: int
    offset: int
    raw_len: int


class RandomAccess:
    """The content of all archives from `begin` of `source` to its end.

    starts: where the content of each segment begins. `size` is in bytes.

    Keeps the decoder of the last segment and 64 MiB of decoded chunks, so that reading on, and
    going back a little, do not decode again.

    archives: those to read, if they are known already. originals: whether copies are refused, as
        they must be in what is copied itself.
    """

    def __init__(
        self,
        source: BinaryIO,
        begin: int,
        limits: Limits,
        bases: Bases | None = None,
        *,
        archives: Sequence[Archive] | None = None,
        originals: bool = False,
    ) -> None:
        self._source = source
        self._bases = bases
        self._originals = originals
        self._found: dict[int, Needs] = {}
        self._lock = allocate_lock()
        # Which archive it is of, by its offset.
        self._first: tuple[int, Preamble] | None = None
        self._limits = limits
        self.starts: list[int] = []
        self.size = 0
        # Of each archive the number of its first segment; of each segment where it is.
        self._archives: list[tuple[int, Archive]] = []
        self._offsets: list[int] = []
        for archive in read_directory(source, begin) if archives is None else archives:
            check_header(archive.header)
            self._archives.append((len(self.starts), archive))
            self._offsets += archive.offsets()
            starts = list(accumulate([e.raw_len for e in archive.entries], initial=self.size))
            self.size = starts.pop()
            self.starts += starts
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._cached_bytes = 0
        # For every segment that was opened: where its chunks begin, as far as they are known.
        self._chunk_starts: dict[int, list[int]] = {}
        self._open = -1
        self._chunks: Iterator[tuple[bytes, bytes]] = iter(())
        self._next_chunk = 0

    def place(self, number: int) -> Place:
        """The segment `number`, counted through all archives."""
        at = 0
        if len(self._archives) > 1:
            at = bisect_right(self._archives, number, key=itemgetter(0)) - 1
        first, archive = self._archives[at]
        seq = number - first
        return Place(archive, seq, self._offsets[number], archive.entries[seq].raw_len)

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
            self._chunks = self.decode(self.place(segment))
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

    def over(self, source: BinaryIO) -> RandomAccess:
        """The same, read from `source`: several threads may each have one of their own."""
        other = RandomAccess(
            source, 0, self._limits, self._bases, archives=(), originals=self._originals
        )
        other._archives, other._offsets = self._archives, self._offsets
        other.starts, other.size = self.starts, self.size
        other._found, other._lock = self._found, self._lock
        return other

    def close(self) -> None:
        """Closes what the archives needed."""
        for needs in self._found.values():
            needs.close()
        self._found.clear()
        self._first = None

    def _sources(self, archive: Archive, file: BinaryIO) -> Sources:
        """What segments of `archive`, read from `file`, take from elsewhere."""
        from llmzip.sources import Needs, Sources

        def own(header: SegmentHeader) -> Readable:
            return self._original(archive, header, file)

        # Looked for when content is asked for: headers can be read without it.
        with self._lock:
            if archive.offset not in self._found:

                def bring() -> bytes:
                    from llmzip.models.embedded import read

                    return read(file, archive.offset, archive.header, self._limits)

                needs = Needs(archive.header, self._limits, self._bases, bring=bring)
                self._found[archive.offset] = needs
            return Sources(self._found[archive.offset], own)

    def _original(self, archive: Archive, copy: SegmentHeader, file: BinaryIO) -> Readable:
        """Reads the segment of `archive` that the one with header `copy` repeats."""
        from llmzip.sources import Joined, check_original

        first = next(n for n, other in self._archives if other.offset == archive.offset)
        place = self.place(first + copy.copy_of.place)
        check_original(copy, read_segment_header(file, place.offset)[0])
        return Joined(raw for raw, _ in self.decode(place, file))

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
        preamble: Preamble | None = None
        for event in pull(source, walk_alone(offset, metadata.predictors, metadata.bounds, seq)):
            if isinstance(event, SegmentStart):
                sources = self._sources(archive, file)
                preamble = self._preamble(archive, event, file)
                check_memory(decoding_memory(event, sources, preamble), self._limits)
                if self._originals and event.header.is_copy:
                    raise CorruptError("a copy of a copy", segment=seq)
                if preamble and event.header.is_after and not preamble.reached:
                    first = Place(archive, 0, preamble.start.offset, archive.entries[0].raw_len)
                    for _ in self.decode(first, file):
                        pass
                decoder = SegmentDecoder(event, sources=sources, preamble=preamble)
            elif isinstance(event, Chunk) and decoder:
                yield decoder.decode(event)
            elif decoder:
                decoder.finish()

    def _preamble(self, archive: Archive, start: SegmentStart, file: BinaryIO) -> Preamble | None:
        """What the segment starts from, or is for others; of one archive at a time it is kept."""
        if not (start.header.is_after or route.is_followed(start.predictor, start.header.settings)):
            return None
        with self._lock:
            if self._first is None or self._first[0] != archive.offset:
                offset = archive.offsets()[0]
                header, size = read_segment_header(file, offset)
                check_segment(archive, 0, header, size, offset)
                ref = archive.header.metadata.predictors[header.predictor]
                self._first = archive.offset, Preamble(SegmentStart(offset, header, ref))
            return self._first[1]
