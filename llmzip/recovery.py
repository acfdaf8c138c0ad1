"""Gets out of a broken archive what is undamaged, and tells what is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import BinaryIO

from llmzip import _native, container, route
from llmzip.base import Bases
from llmzip.container import Header, IndexEntry, PredictorRef, SegmentHeader
from llmzip.errors import (
    CorruptError,
    LimitError,
    LlmzError,
    ModelError,
    NotAnArchiveError,
    UnsupportedError,
    UsageError,
)
from llmzip.inorder import InOrder
from llmzip.limits import Limits
from llmzip.preamble import Preamble
from llmzip.record import Record
from llmzip.report import Report
from llmzip.salvage import FoundHeader, FoundIndex, FoundSegment, scan
from llmzip.segments import (
    SegmentDecoder,
    Tick,
    check_memory,
    decoding_memory,
    no_tick,
    segment_memory,
)
from llmzip.sources import Joined, Needs, Sources, check_original
from llmzip.streams import From, write_all
from llmzip.walk import ANY_BOUNDS, Chunk, Event, SegmentStart, foreign, pull, walk_alone
from llmzip.workers import Meter, cores

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.streams import Readable

# Larger segments are decoded one at a time, straight to the output.
_MOST_HELD = 64 << 20


class Gap(Record):
    """Content that is lost: segments `first` to `last` of an archive, or a part of one.

    archive: which of the file's archives, from 0. last: None where it is not known how many
    segments there were. bytes: of content, None where that is not known. needs_file: whether it
    is not damaged, but takes from a base or another archive that was not found.
    """

    archive: int
    first: int
    last: int | None
    bytes: int | None
    reason: str
    needs_file: bool = False

    def __str__(self) -> str:
        many = self.last is None or self.last > self.first
        which = f"segments {self.first} to {self.last}" if many else f"segment {self.first}"
        if self.last is None:
            which = f"any segments from {self.first} on"
        size = "bytes unknown" if self.bytes is None else f"{self.bytes:,} bytes"
        where = f" of archive {self.archive}" if self.archive else ""
        return f"{which}{where} ({size}): {self.reason}"


class RecoverReport(Record):
    """What came of it.

    segments_found: with an intact header. segments_written: complete. bytes_written: of content,
    the undamaged beginnings of other segments included. lost: in the order of the file. notes:
    what a user should know besides.
    """

    segments_found: int
    segments_written: int
    bytes_written: int
    lost: tuple[Gap, ...]
    notes: tuple[str, ...] = ()


class _Part:
    """What was found of one archive."""

    def __init__(
        self,
        limits: Limits,
        bases: Bases | None,
        header: Header | None = None,
        bring: Callable[[], bytes] | None = None,
    ) -> None:
        self.header = header
        self.needs = Needs(header, limits, bases, bring=bring)
        self.segments: list[FoundSegment] = []
        self.preamble: Preamble | None = None
        self.entries: tuple[IndexEntry, ...] | None = None


class _Job(Record):
    """A segment to decode, with the predictors that may have coded it."""

    found: FoundSegment
    predictors: Sequence[PredictorRef]
    part: _Part

    @property
    def raw_len(self) -> int:
        return self.found.header.raw_len

    def starts(self) -> Iterator[SegmentStart]:
        """What decoding starts from, for every predictor that has the segment's settings."""
        for ref in self.predictors:
            start = SegmentStart(self.found.offset, self.found.header, ref)
            if start.header.is_after and not route.is_language(ref):
                continue
            try:
                segment_memory(start)
            except UnsupportedError:
                continue
            yield start


class _Outcome:
    """What came of a segment: `kept` bytes of content, of which `chunks` are not written yet."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.kept = 0
        self.error: LlmzError | None = None


def recover(
    source: BinaryIO,
    sink: BinaryIO,
    *,
    threads: int = 0,
    limits: Limits | None = None,
    progress: Report | None = None,
    bases: Bases | None = None,
) -> RecoverReport:
    """Writes the content of every undamaged segment in `source`, which must be able to seek.

    bases: where the bases of changes, and archives that segments are copies of, are looked for.
    What needs one that is not found is lost. Where an archive's header is lost, `bases.given` is
    taken for the base that it named.

    Of a damaged segment, the chunks in front of the damage are written. What is lost leaves no
    hole: the rest moves up. Where an archive's header is lost, every predictor is tried. Content
    that is itself an archive, stored uncompressed, may be taken for one where bytes are missing.
    Segments that repeat a lost one are lost with it, and those that start from the state after it.

    Raises `NotAnArchiveError` where nothing of an archive is found, `LimitError` where a segment
    takes more than `limits` allow, `UsageError` where `bases.given` is needed and not there.
    """
    limits = limits or Limits()
    parts = _parts(source, limits, bases)
    if not parts:
        source.seek(0)
        raise NotAnArchiveError(f"no segment of an archive is in it: this is {_kind(source)}")
    jobs = [
        _Job(found, _predictors(part, found), part) for part in parts for found in part.segments
    ]
    meter = Meter(progress, sum(job.found.header.raw_len for job in jobs))
    try:
        outcomes = list(_decode_all(source, sink, jobs, threads or cores(), limits, meter))
    finally:
        for part in parts:
            part.needs.close()
    meter.report(last=True)
    rest = iter(outcomes)
    lost: list[Gap] = []
    notes: list[str] = []
    for number, part in enumerate(parts):
        own = [(found, next(rest)) for found in part.segments]
        lost += _gaps(source, number, part, own)
        if part.header is None:
            notes.append(f"the header of archive {number} is lost: predictors were found by trial")
    return RecoverReport(
        len(outcomes),
        sum(outcome.error is None for outcome in outcomes),
        sum(outcome.kept for outcome in outcomes),
        tuple(lost),
        tuple(notes),
    )


def _kind(source: BinaryIO) -> str:
    return foreign(source.read(262))


def _parts(source: BinaryIO, limits: Limits, bases: Bases | None) -> list[_Part]:
    parts: list[_Part] = []
    for found in scan(source):
        part = parts[-1] if parts else None
        if isinstance(found, FoundHeader):
            bring = partial(_model, source, found, limits, bases)
            parts.append(_Part(limits, bases, found.header, bring))
        elif isinstance(found, FoundIndex):
            if part is None or part.entries is not None:
                parts.append(part := _Part(limits, bases))
            part.entries = found.entries
        else:
            last = part.segments[-1].header.seq if part and part.segments else -1
            if part is None or part.entries is not None or found.header.seq <= last:
                parts.append(part := _Part(limits, bases))
            part.segments.append(found)
    return parts


def _model(source: BinaryIO, found: FoundHeader, limits: Limits, bases: Bases | None) -> bytes:
    """The model that an archive brings; where that is damaged, the same one from elsewhere."""
    from llmzip.models import embedded, loaded, store

    try:
        return embedded.read(source, found.offset, found.header, limits)
    except CorruptError as error:
        ref = found.header.metadata.brings
        if ref is None:
            raise
        try:
            return store.read(loaded.find(ref, bases.model if bases else None))
        except ModelError as missing:
            raise ModelError(f"{error}; {missing}") from None


def _predictors(part: _Part, found: FoundSegment) -> Sequence[PredictorRef]:
    if part.header is None:
        known = _native.predictors() + _native.model_predictors()
        return [PredictorRef(*entry) for entry in known]
    return part.header.metadata.predictors[found.header.predictor :][:1]


def _decode_all(
    source: BinaryIO,
    sink: BinaryIO,
    jobs: list[_Job],
    threads: int,
    limits: Limits,
    meter: Meter,
) -> Iterator[_Outcome]:
    """Decodes segments, several at a time, and writes them in order."""
    tick = meter.tick("decompress")

    def run(job: _Job, outcome: _Outcome, take: Callable[[bytes], None]) -> _Outcome:
        try:
            for chunk in _decode(source, job, limits, tick):
                take(chunk)
                outcome.kept += len(chunk)
        except (LimitError, UsageError):
            raise
        except LlmzError as error:
            outcome.error = error
        return outcome

    def hold(job: _Job) -> _Outcome:
        outcome = _Outcome()
        return run(job, outcome, outcome.chunks.append)

    def write(outcomes: Iterator[_Outcome]) -> Iterator[_Outcome]:
        for outcome in outcomes:
            for chunk in outcome.chunks:
                write_all(sink, chunk)
            outcome.chunks.clear()
            yield outcome

    each = max((_memory(job) for job in jobs), default=1)
    pool = InOrder(hold, max(min(threads, limits.decoder_memory // each), 1), meter)
    try:
        for job in jobs:
            if job.found.header.is_after and not _reached(job.part):
                # Segment 0 has to be decoded first.
                yield from write(pool.finish())
            if job.raw_len <= _MOST_HELD:
                yield from write(pool.put(job))
            else:
                yield from write(pool.finish())
                yield run(job, _Outcome(), partial(write_all, sink))
        yield from write(pool.finish())
    finally:
        pool.abort()


def _reached(part: _Part) -> bool:
    """Whether segments can start from the state after segment 0."""
    return part.preamble is not None and part.preamble.reached


def _memory(job: _Job) -> int:
    return min(job.raw_len, _MOST_HELD) + max(map(segment_memory, job.starts()), default=0)


def _decode(source: BinaryIO, job: _Job, limits: Limits, tick: Tick) -> Iterator[bytes]:
    sources = _sources(source, job, limits)
    start = _start(source, job, limits, sources)
    if job.found.header.seq == 0 and route.is_followed(start.predictor, start.header.settings):
        job.part.preamble = Preamble(start)
    decoder = SegmentDecoder(start, tick, sources, job.part.preamble)
    for event in _events(source, start):
        if isinstance(event, Chunk):
            yield decoder.decode(event)[0]
    decoder.finish()


def _sources(source: BinaryIO, job: _Job, limits: Limits) -> Sources:
    def own(header: SegmentHeader) -> Readable:
        place = header.copy_of.place
        original = next((s for s in job.part.segments if s.header.seq == place), None)
        if original is None:
            raise CorruptError(f"a copy of segment {place}, which is lost")
        check_original(header, original.header)
        again = _Job(original, _predictors(job.part, original), job.part)
        return Joined(_decode(source, again, limits, no_tick))

    return Sources(job.part.needs, own)


def _start(source: BinaryIO, job: _Job, limits: Limits, sources: Sources) -> SegmentStart:
    """The start with the predictor that decodes the segment's first coded chunk."""
    starts = list(job.starts())
    if not starts:
        raise UnsupportedError("no predictor here has these settings: install a newer llmzip")
    usable = []
    missing: ModelError | None = None
    for start in starts:
        try:
            check_memory(decoding_memory(start, sources, job.part.preamble), limits)
        except ModelError as error:
            # Without a header the settings of one predictor may pass for those of another.
            missing = error
        else:
            usable.append(start)
    if missing and not usable:
        raise missing
    starts = usable
    if job.found.header.is_copy or job.found.header.is_after:
        # No predictor coded it, or the one of segment 0.
        return starts[0]
    for start in starts[:-1]:
        try:
            decoder = SegmentDecoder(start, sources=sources)
            for event in _events(source, start):
                if isinstance(event, Chunk):
                    decoder.decode(event)
                    if event.head.type in (container.CODED, container.STORED_AFTER_CODING):
                        break
        except LlmzError:
            continue
        return start
    return starts[-1]


def _events(source: BinaryIO, start: SegmentStart) -> Iterator[Event]:
    refs = (start.predictor,) * (start.header.predictor + 1)
    return pull(From(source, start.offset), walk_alone(start.offset, refs, ANY_BOUNDS, None))


def _gaps(
    source: BinaryIO, number: int, part: _Part, own: list[tuple[FoundSegment, _Outcome]]
) -> Iterator[Gap]:
    """What is lost of a part."""

    def missing(first: int, end: int) -> Iterator[Gap]:
        if first < end:
            inside = None if part.entries is None else part.entries[first:end]
            size = None if inside is None else sum(entry.raw_len for entry in inside)
            yield Gap(number, first, end - 1, size, "no intact header of it is left")

    following = 0
    for found, outcome in own:
        seq = found.header.seq
        yield from missing(following, seq)
        if outcome.error is not None:
            left = found.header.raw_len - outcome.kept
            needs_file = isinstance(outcome.error, ModelError)
            yield Gap(number, seq, seq, left, str(outcome.error), needs_file)
        following = seq + 1
    if part.entries is not None:
        yield from missing(following, len(part.entries))
    elif not own or not _index_follows(source, own[-1][0].declared_end):
        yield Gap(number, following, None, None, "the archive's end is lost")


def _index_follows(source: BinaryIO, at: int) -> bool:
    """Whether an index began at `at`, damaged as it is."""
    mark = container.INDEX_SYNC
    return at < source.seek(0, os.SEEK_END) and From(source, at).read(len(mark)) == mark
