"""The grammar of a `.llmz` file, walked from front to back without input or output of its own.

A walk is a generator. It yields an `int` when it wants that many bytes sent to it (fewer mean that
the input ends there), and an event when it has checked one. All that FORMAT.md demands of a reader
that streams is checked here, except what needs decoding: the canary, the raw bytes' check and the
content hash. Nothing is taken on trust: no more than one chunk is asked for at a time.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from llmzip import _native, container
from llmzip.container import (
    Bounds,
    ChunkHead,
    Footer,
    Header,
    IndexEntry,
    ModelRef,
    PredictorRef,
    SegmentHeader,
)
from llmzip.errors import CorruptError, NotAnArchiveError, TruncatedError
from llmzip.record import Record
from llmzip.streams import read_exactly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from llmzip.streams import Readable


class ArchiveStart(Record):
    """An archive's header was read; `offset` is where it begins in the file."""

    offset: int
    header: Header


class SegmentStart(Record):
    """A segment's header was read; `offset` is where it begins in the file."""

    offset: int
    header: SegmentHeader
    predictor: PredictorRef


class Chunk(Record):
    """A chunk was read and its coded bytes are intact: `offset` is where its head begins."""

    offset: int
    end: int
    segment: int
    head: ChunkHead
    payload: bytes


class SegmentEnd(Record):
    """The segment's chunks add up to what its header says; `offset` is where it ends."""

    offset: int


class ArchiveEnd(Record):
    """Index and footer match what was read; `offset` is where the archive ends."""

    offset: int
    entries: list[IndexEntry]
    footer: Footer


class ModelPart(Record):
    """What was read of the model that an archive brings, which is no content of it."""

    event: SegmentStart | Chunk | SegmentEnd


# For a segment whose archive's header is not at hand.
ANY_BOUNDS = Bounds((1 << 63) - 1, container.MAX_CHUNK, 0)

Event: TypeAlias = ArchiveStart | ModelPart | SegmentStart | Chunk | SegmentEnd | ArchiveEnd
Walk: TypeAlias = Generator[int | Event, bytes, None]
_Step: TypeAlias = Generator[int | Event, bytes, bytes]
_Ended: TypeAlias = Generator[int | Event, bytes, int]

_FOREIGN = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"BZ3v1", "bzip3"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"LZIP", "lzip"),
    (b"LRZI", "lrzip"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"7kSt", "zpaq"),
)
_TAR_MAGIC_END = 262


def foreign(start: bytes) -> str:
    """What a file that begins with `start` (262 bytes tell all) is, if not an archive."""
    if start[257:262] == b"ustar":
        return "a plain tar file: nothing in it is compressed"
    for magic, name in _FOREIGN:
        if start.startswith(magic):
            return f"a file of {name}: use {name} to read it"
    # What is left of the magic when line ends were rewritten, or the high bit lost.
    if start[1:4] == b"LMZ":
        return (
            "damaged at its very start, as a transfer in text mode does: fetch it again as binary"
        )
    return "not a .llmz archive"


class Tape:
    """Where a walk is in the file, and in which segment."""

    def __init__(self, offset: int) -> None:
        self.at = offset
        self.segment: int | None = None

    def take(self, length: int, what: str) -> _Step:
        """The next `length` bytes of the input; `what` is what they belong to."""
        data = yield length
        if len(data) < length:
            raise TruncatedError(
                f"the archive ends too early, within {what}",
                offset=self.at + len(data),
                segment=self.segment,
            )
        self.at += length
        return data


def walk_segment(
    tape: Tape, sync: bytes, predictors: Sequence[PredictorRef], bounds: Bounds, seq: int | None
) -> _Ended:
    """Walks a segment, of which `sync` was read; returns the length of its content.

    `seq` is the number that it must have, or None.
    """
    begin = tape.at - len(sync)
    what = "a segment"
    size = yield from tape.take(1, what)
    rest = yield from tape.take(size[0] + 4, what)
    header = container.parse_segment_header(sync + size + rest, begin, sync)
    if seq is not None and header.seq != seq:
        raise CorruptError(f"segment {header.seq} stands where {seq} should", offset=begin)
    if header.predictor >= len(predictors):
        raise CorruptError("a segment names no predictor of the header", offset=begin)
    if header.raw_len > bounds.max_segment_raw:
        raise CorruptError("a segment is larger than the header allows", offset=begin)
    tape.segment = header.seq
    yield SegmentStart(begin, header, predictors[header.predictor])
    raw_left, coded_left = header.raw_len, header.coded_len
    while raw_left or coded_left:
        at = tape.at
        if coded_left < container.MIN_CHUNK_HEAD or not raw_left:
            raise CorruptError("chunks do not add up", offset=at, segment=header.seq)
        record = yield from tape.take(container.MIN_CHUNK_HEAD, what)
        length = container.chunk_head_len(record, at)
        record += yield from tape.take(length - len(record), what)
        head = container.parse_chunk_head(record, bounds.max_chunk_raw, at, copied=header.is_copy)
        raw_left -= head.raw_len
        coded_left -= length + head.coded_len
        if raw_left < 0 or coded_left < 0:
            raise CorruptError("chunks do not add up", offset=at, segment=header.seq)
        payload = yield from tape.take(head.coded_len, what)
        if _native.crc32(payload) != head.payload_crc:
            raise CorruptError("a chunk is damaged", offset=at, segment=header.seq)
        yield Chunk(at, tape.at, header.seq, head, payload)
    tape.segment = None
    yield SegmentEnd(tape.at)
    return header.raw_len


def walk_alone(
    offset: int, predictors: Sequence[PredictorRef], bounds: Bounds, seq: int | None
) -> _Ended:
    """Walks the one segment that begins at `offset`, as `walk_segment` does."""
    tape = Tape(offset)
    sync = yield from tape.take(len(container.SEGMENT_SYNC), "a segment")
    if sync != container.SEGMENT_SYNC:
        raise CorruptError("no segment begins here", offset=offset)
    return (yield from walk_segment(tape, sync, predictors, bounds, seq))


def walk_model(
    tape: Tape, ref: ModelRef, predictors: Sequence[PredictorRef]
) -> Generator[int | Event, bytes, None]:
    """Walks the parts of the model `ref` that an archive brings; all events are `ModelPart`."""
    left = ref.length
    number = 0
    while left:
        begin = tape.at
        try:
            sync = yield from tape.take(len(container.MODEL_SYNC), "its parts")
            if sync != container.MODEL_SYNC:
                raise CorruptError("no part of it begins here", offset=begin)
            bounds = Bounds(left, container.MAX_CHUNK, 0)
            walk = walk_segment(tape, sync, predictors, bounds, number)
            left -= yield from _as_parts(walk)
        except CorruptError as error:
            what = f"the model that the archive brings: {error.args[0]}"
            raise type(error)(what, offset=error.offset) from None
        number += 1


def _as_parts(walk: _Ended) -> _Ended:
    """A walk over a segment as one over a part of a model."""
    step = next(walk)
    while True:
        if isinstance(step, SegmentStart) and (
            step.header.flags or step.predictor.id not in ("store", "zstd")
        ):
            raise CorruptError("a part that is coded as none can be", offset=step.offset)
        if isinstance(step, (SegmentStart, Chunk, SegmentEnd)):
            step = ModelPart(step)
        answer = yield step
        try:
            step = walk.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _walk_varint(tape: Tape, record: bytearray) -> _Ended:
    value = shift = 0
    while shift < 70:
        byte = yield from tape.take(1, "its index")
        record += byte
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    raise CorruptError("the index is damaged", offset=tape.at)


def _walk_index(
    tape: Tape, segments: list[tuple[int, int]]
) -> Generator[int | Event, bytes, list[IndexEntry]]:
    """Walks an index, whose sync was read, over `segments` (length and raw length of each)."""
    record = bytearray(container.INDEX_SYNC)
    begin = tape.at - len(record)
    count = yield from _walk_varint(tape, record)
    if count != len(segments):
        raise CorruptError("the index has another number of segments", offset=begin)
    for lengths in segments:
        said = yield from _walk_varint(tape, record)
        said_raw = yield from _walk_varint(tape, record)
        if (said, said_raw) != lengths:
            raise CorruptError("the index does not match the segments", offset=begin)
        label_len = yield from _walk_varint(tape, record)
        if label_len > container.MAX_LABEL:
            raise CorruptError("a label in the index is too long", offset=begin)
        record += yield from tape.take(label_len, "its index")
    record += yield from tape.take(4, "its index")
    return container.parse_index(bytes(record), begin)


def _walk_archive(offset: int, start: bytes) -> _Ended:
    """Walks one archive, whose first bytes `start` (8, or all there are) were read."""
    tape = Tape(offset + len(start))
    prefix = start
    prefix += yield from tape.take(container.HEADER_PREFIX_LEN - len(start), "its header")
    length = container.parse_header_prefix(prefix, offset)
    rest = yield from tape.take(length, "its header")
    header = container.parse_header(prefix, rest, offset)
    yield ArchiveStart(offset, header)
    metadata = header.metadata
    if metadata.brings:
        yield from walk_model(tape, metadata.brings, metadata.predictors)
    segments: list[tuple[int, int]] = []
    while True:
        begin = tape.at
        sync = yield from tape.take(4, "its segments")
        if sync == container.INDEX_SYNC:
            break
        if sync != container.SEGMENT_SYNC:
            raise CorruptError("neither a segment nor the index begins here", offset=begin)
        raw_len = yield from walk_segment(
            tape, sync, metadata.predictors, metadata.bounds, len(segments)
        )
        segments.append((tape.at - begin, raw_len))
    entries = yield from _walk_index(tape, segments)
    index_len = tape.at - begin
    begin = tape.at
    record = yield from tape.take(container.FOOTER_LEN, "its footer")
    footer = container.parse_footer(record, begin)
    if (footer.index_len, footer.archive_len) != (index_len, tape.at - offset):
        raise CorruptError("the archive's end does not match what was read", offset=begin)
    yield ArchiveEnd(tape.at, entries, footer)
    return tape.at


def walk_archive(offset: int = 0) -> _Ended:
    """Walks one archive that begins at `offset` of the file; returns where it ends."""
    start = yield len(container.MAGIC)
    if container.MAGIC.startswith(start):
        return (yield from _walk_archive(offset, start))
    start += yield _TAR_MAGIC_END - len(start)
    raise NotAnArchiveError(f"this is {foreign(start)}")


def walk_file(offset: int = 0) -> Walk:
    """Walks concatenated archives, the first at `offset`, to the end of the input."""
    end = yield from walk_archive(offset)
    while start := (yield len(container.MAGIC)):
        if not container.MAGIC.startswith(start):
            raise CorruptError("bytes that are no archive follow the archive's end", offset=end)
        end = yield from _walk_archive(end, start)


def pull(source: Readable, walk: Walk | _Ended) -> Iterator[Event]:
    """The events of `walk` over what `source` holds; reads no byte more than the walk asks for."""
    answer = b""
    try:
        wanted = next(walk)
        while True:
            if isinstance(wanted, int):
                answer = read_exactly(source, wanted)
            else:
                yield wanted
            wanted = walk.send(answer)
    except StopIteration:
        return


class Push:
    """Walks over bytes as they come in."""

    def __init__(self, walk: Walk | _Ended) -> None:
        self._walk = walk
        self._step = next(walk)
        self._buffer = bytearray()
        self.ended = False

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """Takes in the next bytes."""
        self._buffer += data

    def event(self) -> Event | None:
        """The next event, or None where it takes more bytes or the walk has ended."""
        while not self.ended:
            answer = b""
            if isinstance(self._step, int):
                if len(self._buffer) < self._step:
                    return None
                answer = bytes(memoryview(self._buffer)[: self._step])
                del self._buffer[: self._step]
            try:
                self._step = self._walk.send(answer)
            except StopIteration:
                self.ended = True
                return None
            if not isinstance(self._step, int):
                return self._step
        return None

    @property
    def unused(self) -> bytes:
        """Bytes that were taken in and not walked over."""
        return bytes(self._buffer)
