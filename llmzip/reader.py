"""From archives to content: reads from front to back, decodes in parallel, checks everything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

from llmzip import _native, route
from llmzip.container import EMBEDDED, KEPT, MODEL, Header
from llmzip.directory import content_size
from llmzip.errors import CorruptError, LimitError, LlmzError, UsageError
from llmzip.limits import Limits
from llmzip.options import MOST_SEGMENTS
from llmzip.preamble import Preamble
from llmzip.report import Notice, Report, Summary, Tally
from llmzip.segments import (
    SegmentDecoder,
    Tick,
    check_memory,
    check_output,
    decoding_memory,
    no_tick,
    segment_memory,
)
from llmzip.streams import seekable, write_all
from llmzip.task import Task
from llmzip.walk import (
    ArchiveEnd,
    ArchiveStart,
    Chunk,
    Event,
    ModelPart,
    SegmentEnd,
    SegmentStart,
    pull,
    walk_file,
)
from llmzip.workers import TICK_SECONDS, Cancelled, Meter, cores

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import BinaryIO

    from llmzip.base import Bases
    from llmzip.container import SegmentHeader
    from llmzip.models.embedded import Collector
    from llmzip.sources import Sources
    from llmzip.streams import Readable

# Coded bytes and, apart from them, raw bytes that a segment may hold while others are decoded.
_MOST_HELD = 64 << 20
_LEAST_HELD = 2 << 20


def check_header(header: Header) -> None:
    """Raises unless this build has what the archive says that it needs."""
    for ref in header.metadata.predictors:
        route.require(ref)


class Guard:
    """Holds what is decoded to the limits, and to the archive's content hash.

    source: where archives are read from, beginning at its byte `begin`: segments that are copied
        are read there again, or kept in memory where that cannot be.
    threads: how many evaluate a language model; 0 means one for each core.

    preamble: the state after the archive's segment 0. first_memory: bytes that this takes.
    """

    def __init__(
        self,
        limits: Limits,
        bases: Bases | None = None,
        source: BinaryIO | None = None,
        begin: int = 0,
        threads: int = 0,
    ) -> None:
        self._threads = threads
        self._limits = limits
        self._bases = bases
        self._source = source
        self._begin = begin
        self._again: BinaryIO | None = None
        self._header: Header | None = None
        self._sources: Sources | None = None
        self._collector: Collector | None = None
        self._kept: dict[int, SegmentStart] = {}
        self._kept_content: dict[int, list[bytes]] = {}
        self._kept_bytes = 0
        self._hash = _native.Sha256()
        self._start = 0
        self.preamble: Preamble | None = None
        self.first_memory = 0
        self.tally = Tally()

    def header(self, event: ArchiveStart) -> None:
        """To be called at every archive's start."""
        check_header(event.header)
        self.close()
        self._header = event.header
        if event.header.metadata.brings:
            from llmzip.models.embedded import Collector

            self._collector = Collector(event.header.metadata.brings, self._limits)
        if event.header.metadata.models:
            self.tally.need(event.header.metadata.models)
            # Said before anything is decoded.
            self._find(event.header).needs.find_all()
        self._hash = _native.Sha256()
        self._start = event.offset
        self.preamble = None

    def model_part(self, event: ModelPart) -> None:
        """To be called with every part of the model that an archive brings."""
        if self._collector is not None:
            self._collector.take(event)

    def _bring(self) -> bytes:
        if self._collector is None:
            raise CorruptError("the archive brings no model")
        return self._collector.pack()

    @property
    def sources(self) -> Sources | None:
        """What the archive's segments take from elsewhere; None where they are all its own."""
        return self._sources

    def close(self) -> None:
        """Closes what the archive needed, and forgets what was kept of it."""
        if self._sources is not None:
            self._sources.needs.close()
            self._sources = None
        self._collector = None
        self._kept.clear()
        self._kept_content.clear()
        self._kept_bytes = 0

    def _find(self, header: Header) -> Sources:
        from llmzip.sources import Needs, Sources

        needs = Needs(header, self._limits, self._bases, self._threads, self._bring)
        self._sources = Sources(needs, self._own)
        return self._sources

    def _keep(self, event: SegmentStart) -> None:
        """A segment of which later ones are copies begins."""
        from llmzip.tensors.view import another_reader

        if self._sources is None and self._header is not None:
            self._find(self._header)
        self._kept[event.header.seq] = event
        if self._again is None and self._source is not None:
            self._again = another_reader(self._source, self._begin)
        if self._again is None:
            self._kept_bytes += event.header.raw_len
            if self._kept_bytes > self._limits.decoder_memory:
                raise LimitError(
                    "memory to keep what is copied later",
                    self._kept_bytes,
                    self._limits.decoder_memory,
                    "read the archive from a file, or raise it with -M",
                )
            self._kept_content[event.header.seq] = []

    @property
    def keeps(self) -> bool:
        """Whether copies take their content from memory: all before them must be decoded then."""
        return self._again is None

    def kept(self, event: SegmentStart, raw: bytes) -> None:
        """To be called with the content of every chunk, in order."""
        if event.header.flags == KEPT and event.header.seq in self._kept_content:
            self._kept_content[event.header.seq].append(raw)

    def _own(self, header: SegmentHeader) -> Readable:
        """Reads the earlier segment of the archive that the one with this header repeats."""
        from llmzip.sources import Joined, check_original, decode_original

        place = header.copy_of.place
        start = self._kept.get(place)
        check_original(header, start.header if start else None)
        assert start is not None and self._header is not None and self._sources is not None
        if self._again is None:
            return Joined(iter(self._kept_content[place]))
        needs = self._sources.needs
        return Joined(decode_original(self._again, start, self._header, needs, self._limits))

    def segment(self, event: SegmentStart) -> int:
        """To be called before a segment is decoded; returns the bytes of memory it takes."""
        if event.header.seq == 0:
            self.preamble = Preamble(event)
        memory = decoding_memory(event, self._sources, self.preamble)
        if event.header.seq == 0:
            self.first_memory = memory
        check_memory(memory, self._limits)
        name = "copy" if event.header.is_copy else event.predictor.id
        self.tally.segment(event.header.raw_len, name)
        if event.header.flags == KEPT:
            self._keep(event)
        elif event.header.is_copy:
            if self._sources is None and self._header is not None:
                self._find(self._header)
            memory += self._original_memory(event)
        if self._limits.max_output is not None:
            check_output(self.tally.raw_bytes, self._limits.max_output)
        return memory

    def _original_memory(self, event: SegmentStart) -> int:
        of = event.header.copy_of
        original = None if of.source else self._kept.get(of.place)
        return segment_memory(original) if original else 0

    def chunk(self, digest: bytes) -> None:
        """To be called with what each chunk adds to the content hash, in order."""
        self._hash.update(digest)

    def end(self, event: ArchiveEnd) -> None:
        """To be called when all of an archive is decoded."""
        if self._hash.digest() != event.footer.content_hash:
            raise CorruptError(
                "the content is not what the archive's end says", offset=event.offset
            )
        self.tally.archives += 1
        self.tally.archive_bytes += event.offset - self._start


class EventDecoder:
    """Turns a walk's events into content, in the caller's thread."""

    def __init__(self, guard: Guard, tick: Tick = no_tick) -> None:
        self._guard = guard
        self._tick = tick
        self._segment: SegmentDecoder | None = None
        self._start: SegmentStart | None = None

    def decode(self, event: Event) -> bytes:
        """The content that `event` brings: a chunk's, or none."""
        if isinstance(event, Chunk) and self._segment:
            raw, digest = self._segment.decode(event)
            self._guard.chunk(digest)
            if self._start is not None:
                self._guard.kept(self._start, raw)
            return raw
        if isinstance(event, SegmentStart):
            self._guard.segment(event)
            self._start = event
            guard = self._guard
            self._segment = SegmentDecoder(event, self._tick, guard.sources, guard.preamble)
        elif isinstance(event, SegmentEnd) and self._segment:
            self._segment.finish()
            self._segment = None
        elif isinstance(event, ArchiveStart):
            self._guard.header(event)
        elif isinstance(event, ModelPart):
            self._guard.model_part(event)
        elif isinstance(event, ArchiveEnd):
            self._guard.end(event)
        return b""


class Broken:
    """Around steps of a decode that cannot go on after an exception.

    It could lose content otherwise, or take the place where it stopped for the end. Later steps
    raise the same error again.
    """

    def __init__(self) -> None:
        self._error: LlmzError | None = None

    def __enter__(self) -> None:
        if self._error is not None:
            raise self._error

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, LlmzError):
            self._error = error
        elif error is not None:
            self._error = UsageError("decoding was broken off before: open the archive again")


class _Parallel:
    """Decodes several segments at a time; the caller's thread reads, writes and reports.

    A segment starts when its memory fits beside that of the segments under way. Chunks go to
    workers as they are read and come back as they are decoded, so that no segment is ever held
    whole unless it is small.
    """

    def __init__(
        self,
        sink: BinaryIO | None,
        threads: int,
        limits: Limits,
        guard: Guard,
        meter: Meter,
        notice: Notice | None,
    ) -> None:
        from threading import Condition

        self._sink = sink
        self._threads = threads
        self._allowed = limits.decoder_memory
        self._guard = guard
        self._meter = meter
        self._notice = notice
        self._tick = meter.tick("decompress")
        self._tasks: deque[Task] = deque()
        self._waiting: deque[Task] = deque()
        self._workers: list[threading.Thread] = []
        self._changed = Condition()

    def __enter__(self) -> _Parallel:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._meter.stop()
        with self._changed:
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()

    def run(self, events: Iterator[Event]) -> None:
        """Decodes all of a walk's archives."""
        while True:
            try:
                event = next(events, None)
                memory = self._admit(event)
            except LlmzError:
                # What was read before the damage comes out first, or fails first.
                self._cut_short()
                raise
            if event is None:
                return
            self._take(event, memory)
            self._write_ready()

    def _admit(self, event: Event | None) -> int:
        if isinstance(event, ArchiveStart):
            self._guard.header(event)
        elif isinstance(event, ModelPart):
            self._guard.model_part(event)
        return self._guard.segment(event) if isinstance(event, SegmentStart) else 0

    def _take(self, event: Event, memory: int) -> None:
        if isinstance(event, Chunk):
            task = self._tasks[-1]
            self._wait(lambda: task.coded_bytes < task.held or task.done)
            with self._changed:
                task.coded.append(event)
                task.coded_bytes += len(event.payload)
                self._changed.notify_all()
        elif isinstance(event, SegmentStart):
            self._start(event, memory)
        elif isinstance(event, SegmentEnd):
            with self._changed:
                self._tasks[-1].input = "all"
                self._changed.notify_all()
        elif isinstance(event, ArchiveEnd):
            self._wait(lambda: not self._tasks)
            self._guard.end(event)

    def _cut_short(self) -> None:
        if self._tasks:
            with self._changed:
                if self._tasks[-1].input == "open":
                    self._tasks[-1].input = "cut"
                self._changed.notify_all()
        self._wait(lambda: not self._tasks)

    def _start(self, event: SegmentStart, memory: int) -> None:
        held = max(
            min((self._allowed - memory) // 2, event.header.raw_len, _MOST_HELD), _LEAST_HELD
        )
        guard = self._guard
        task = Task(event, memory + 2 * held, held, guard.sources, guard.preamble)
        alone = route.is_language(event.predictor) and not event.header.is_copy
        if task.memory * self._threads > self._allowed and self._notice and not alone:
            fitting = max(self._allowed // task.memory, 1)
            self._notice(
                f"{fitting} of {self._threads} threads used: each takes {task.memory:,} bytes, "
                f"{self._allowed:,} allowed"
            )
            self._notice = None
        if event.header.is_copy and self._guard.keeps:
            self._wait(lambda: not self._tasks)
        first = guard.preamble
        if event.header.is_after and first:
            self._wait(lambda: first.reached or not self._tasks)
        self._wait(lambda: self._fits(task))
        self._tasks.append(task)
        with self._changed:
            self._waiting.append(task)
            self._changed.notify_all()
        if len(self._workers) < len(self._tasks):
            from threading import Thread

            worker = Thread(target=self._serve, name="llmzip")
            worker.start()
            self._workers.append(worker)

    def _fits(self, task: Task) -> bool:
        if not self._tasks:
            return True
        if task.start.header.is_after:
            return self._fits_beside(task)
        # A model keeps all threads busy with one segment.
        if any(route.is_language(other.start.predictor) for other in (*self._tasks, task)):
            return False
        in_use = sum(other.memory for other in self._tasks)
        return len(self._tasks) < self._threads and in_use + task.memory <= self._allowed

    def _fits_beside(self, task: Task) -> bool:
        """Whether a segment fits that asks its model together with those under way."""
        if not all(other.start.header.is_after for other in self._tasks):
            return False
        shared = self._guard.first_memory
        own = sum(other.memory - shared for other in (*self._tasks, task))
        return len(self._tasks) < MOST_SEGMENTS and shared + own <= self._allowed

    def _wait(self, ready: Callable[[], bool]) -> None:
        while not ready():
            if not self._write_ready():
                self._rest()

    def _rest(self) -> None:
        """Waits until the first segment has moved, or the next report is due."""
        self._meter.report()
        with self._changed:
            task = self._tasks[0]
            if not task.raw and not task.done:
                self._changed.wait(TICK_SECONDS)

    def _write_ready(self) -> bool:
        """Writes what is decoded of the first segments; whether there was anything to do."""
        moved = False
        while self._tasks:
            task = self._tasks[0]
            with self._changed:
                ready = list(task.raw)
                task.raw.clear()
                task.raw_bytes = 0
                done = task.done
                self._changed.notify_all()
            for raw, digest in ready:
                self._guard.chunk(digest)
                self._guard.kept(task.start, raw)
                if self._sink is not None:
                    write_all(self._sink, raw)
            self._meter.report()
            moved = moved or bool(ready) or done
            if not done:
                break
            self._tasks.popleft()
            if task.error is not None:
                raise task.error
        return moved

    def _serve(self) -> None:
        """What a worker does: one segment after the other."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._meter.stopped)
                if self._meter.stopped:
                    return
                task = self._waiting.popleft()
            self._work(task)

    def _work(self, task: Task) -> None:
        try:
            decoder = SegmentDecoder(task.start, self._tick, task.sources, task.preamble)
            while (chunk := self._next(task)) is not None:
                result = decoder.decode(chunk)
                with self._changed:
                    task.raw.append(result)
                    task.raw_bytes += len(result[0])
                    self._changed.notify_all()
            if task.input == "all":
                decoder.finish()
        except BaseException as error:
            task.error = error
        finally:
            with self._changed:
                task.done = True
                self._changed.notify_all()

    def _next(self, task: Task) -> Chunk | None:
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._meter.stopped
                    or (task.raw_bytes < task.held and (task.coded or task.input != "open"))
                )
            )
            if self._meter.stopped:
                raise Cancelled
            if not task.coded:
                return None
            chunk = task.coded.popleft()
            task.coded_bytes -= len(chunk.payload)
            self._changed.notify_all()
            return chunk


def read_archive(
    source: BinaryIO,
    sink: BinaryIO | None,
    *,
    threads: int = 0,
    limits: Limits | None = None,
    progress: Report | None = None,
    notice: Notice | None = None,
    bases: Bases | None = None,
) -> Summary:
    """Decompresses all archives that `source` holds one after the other to `sink`.

    Without a `sink` they are only tested. Neither has to be seekable. Content that is damaged or
    cannot be checked is never written, but what stands before it may be: a caller that keeps files
    must throw away what was written when this raises.

    threads: segments decoded at a time; 0 means one for each core.
    progress: called from this thread, about ten times a second.
    notice: called with a line where fewer threads are used than asked, to stay within `limits`.
    bases: where the base of changed tensors is looked for, and a language model.
    """
    limits = limits or Limits()
    threads = threads or cores()
    total = content_size(source) if progress else None
    meter = Meter(progress, total)
    begin = source.tell() if seekable(source) else 0
    guard = Guard(limits, bases, source, begin, threads)
    events = pull(source, walk_file())
    try:
        first = next(events, None)
        events = chain(() if first is None else (first,), events)
        if threads == 1 and not _may_go_together(first):
            decoder = EventDecoder(guard, meter.tick("decompress"))
            for event in events:
                raw = decoder.decode(event)
                if sink is not None:
                    write_all(sink, raw)
        else:
            with _Parallel(sink, threads, limits, guard, meter, notice) as parallel:
                parallel.run(events)
    finally:
        guard.close()
    meter.report(last=True)
    return guard.tally.summary()


def _may_go_together(first: Event | None) -> bool:
    """Whether segments may have to be decoded together, which is several times as fast."""
    models = first.header.metadata.models if isinstance(first, ArchiveStart) else ()
    return any(model.kind in (MODEL, EMBEDDED) for model in models)


def check_coded(source: BinaryIO) -> Summary:
    """Checks all that can be checked of archives without decoding: it needs no predictor or model.

    What this cannot see: whether the coded bytes decode to the content that was compressed.
    """
    tally = Tally()
    start = 0
    for event in pull(source, walk_file()):
        if isinstance(event, ArchiveStart):
            start = event.offset
            tally.need(event.header.metadata.models)
        elif isinstance(event, SegmentStart):
            name = "copy" if event.header.is_copy else event.predictor.id
            tally.segment(event.header.raw_len, name)
        elif isinstance(event, ArchiveEnd):
            tally.archives += 1
            tally.archive_bytes += event.offset - start
    return tally.summary()
