"""From content to an archive: cuts segments, codes them in parallel, writes them in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from llmzip import route
from llmzip.assembler import Assembler
from llmzip.container import ModelRef, PredictorRef
from llmzip.errors import LimitError, LlmzError, UsageError, VerifyError
from llmzip.options import Options, load_model
from llmzip.pieces import Piece, counterpart, cut
from llmzip.record import Record
from llmzip.report import Notice, Report, Summary, Tally
from llmzip.segments import Encoded, encode, encode_copy, verify
from llmzip.streams import read_exactly, read_some, seekable, write_all
from llmzip.walk import ArchiveEnd, Push, walk_archive
from llmzip.workers import Meter, cores, machine_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, TypeAlias

    from llmzip.base import Base
    from llmzip.container import SegmentHeader
    from llmzip.duplicates import Found, ReadAt
    from llmzip.group import Group
    from llmzip.inorder import InOrder
    from llmzip.models.loaded import AnyLoaded
    from llmzip.route import Choice
    from llmzip.siblings import Folder
    from llmzip.streams import Readable
    from llmzip.tensors.region import Region

    Part: TypeAlias = bytes | memoryview

_READ = 1 << 20
_START = 16
# Smaller files have no two tensors that are worth a search for equal ones.
_TWICE = 8 << 10
_TENSOR = "tensor"
# Smaller files without a table of tensors are not asked whether they are arrays.
_RAW_FROM = 64 << 10
_NOT_READABLE = "what was written cannot be read back, nothing was kept"


class _Cut(Record):
    """A segment to code; `alone` where it is the whole content of its archive.

    again: what the same file has where the piece says that it was before. choice: of the predictor,
    where it is made already.
    """

    seq: int
    content: bytes | memoryview
    alone: bool
    piece: Piece
    again: bytes = b""
    choice: Choice | None = None


class _Given(Record):
    """For reading back a segment: what it takes from elsewhere, as its coder had it."""

    base: Base | None
    again: bytes
    given: AnyLoaded | None = None

    def read_base(self, offset: int, length: int) -> bytes:
        """Content of the base."""
        return self.base.read(offset, length) if self.base else b""

    def copied(self, header: SegmentHeader) -> Readable:
        """What the segment repeats."""
        from io import BytesIO

        return BytesIO(self.again)

    def model(self) -> AnyLoaded:
        """The model that the segment was coded with."""
        assert self.given is not None
        return self.given


class _AllOrNothing:
    """Around steps of an archive that cannot be completed after an exception.

    A step that was broken off may have lost content: what follows must not look complete.
    """

    def __init__(self) -> None:
        self.failed = False

    def __enter__(self) -> None:
        if self.failed:
            raise UsageError("this archive cannot be completed: an earlier call failed")
        self.failed = True

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.failed = error is not None


class ArchiveEncoder:
    """Takes content bit by bit and gives an archive's bytes back as segments are done.

    The bytes depend on content, plan and options alone: not on how the content comes, nor on
    threads. All but `feed`'s data lives in at most `threads` + 1 segments.

    plan: how the content is to be cut; what goes beyond it is cut by size.
    base: the file that the plan's tensors may be changes of. folder, read: what has the content
        that pieces of the plan repeat: earlier archives, and this one's own content at any place.
    """

    def __init__(
        self,
        options: Options,
        meter: Meter,
        *,
        threads: int = 1,
        notice: Notice | None = None,
        plan: Iterable[Piece] = (),
        base: Base | None = None,
        folder: Folder | None = None,
        found: Found | None = None,
        read: ReadAt | None = None,
    ) -> None:
        self._options = options
        self._plan = deque(plan)
        self._planned = bool(self._plan)
        self._model = load_model(options.model, options.threads)
        self._kind = route.kind_of(self._model)
        self._size = options.segment_size or (
            route.rows_segment(options.level, self._model)
            if self._model is not None and self._model.is_circuit
            else route.segment_size(options.level)
        )
        if self._planned:
            longest = max(piece.length for piece in self._plan)
            self._size = max(longest, self._size if self._plan[-1].length < 0 else 1)
        self._others = any(not piece.kind and not piece.small for piece in self._plan)
        self._table = route.candidates(
            options.level,
            options.predictor,
            tensors=self._planned,
            others=self._others,
            tables=any(p.kind and route.may_be_table(p.kind, p.row) for p in self._plan),
            models=(self._kind,) if self._kind else (),
        )
        self._folder = folder
        self._read = read
        # Digests of segments: of those that are kept, or of all where later files may repeat them.
        self._digests: dict[int, bytes] = {}
        self._meter = meter
        self._threads = threads
        self._notice = notice
        self._buffer = bytearray()
        self._base = base if any(piece.base >= 0 for piece in self._plan) else None
        models: tuple[ModelRef, ...] = (self._base.ref,) if self._base else ()
        if self._model:
            models += (self._model.embedded if options.embed_model else self._model.ref,)
        self._found = found
        self._lengths = [piece.length for piece in self._plan]
        others = tuple(map(folder.ref, found.archives())) if folder and found else ()
        self._assembler = Assembler(options, models + others)
        self._check = Push(walk_archive()) if options.verify else None
        self._pool: InOrder[_Cut, tuple[Encoded, Piece]] | None = None
        self._cuts = 0
        self._done = 0
        self._whole = _AllOrNothing()
        self.tally = Tally()
        self.tally.archives = 1
        self.tally.need(others)

    @property
    def wants(self) -> int:
        """How many bytes the next `feed` should bring to complete a segment."""
        return self._goal - len(self._buffer)

    @property
    def reads(self) -> int:
        """How many bytes to read at a time: all of a tensor's segment, which is then not copied."""
        whole = not self._buffer and self._tensor_next(self.wants)
        return self.wants if whole else min(self.wants, _READ)

    @property
    def _goal(self) -> int:
        """Bytes in the buffer from which on a segment can be cut."""
        if self._plan and self._plan[0].length >= 0:
            return self._plan[0].length
        # One byte more than a segment tells whether another one follows.
        return self._size + 1

    def feed(self, data: bytes | bytearray | memoryview, *, stays: bool = False) -> Iterator[Part]:
        """Takes content in; to be iterated to the end.

        stays: whether nobody writes to `data` before the archive is finished; `bytes` always stay.
        """
        with self._whole:
            view = memoryview(data).cast("B")
            stays = stays or isinstance(data, bytes)
            at = 0
            while at < len(view):
                if stays and not self._buffer and self._tensor_next(len(view) - at):
                    content = view[at : at + self._goal]
                    at += len(content)
                    yield from self._put(content, alone=False)
                    continue
                end = at + self.wants
                self._buffer += view[at:end]
                at = end
                if len(self._buffer) >= self._goal:
                    yield from self._cut(min(self._goal, self._size), alone=False)

    def end_segment(self) -> Iterator[Part]:
        """Ends the open segment early; to be iterated to the end."""
        with self._whole:
            if self._buffer:
                yield from self._cut(len(self._buffer), alone=False)
            yield from self._rest()

    def finish(self) -> Iterator[Part]:
        """Ends the archive; to be iterated to the end."""
        with self._whole:
            if self._buffer:
                alone = self._cuts == 0 and not self._planned
                yield from self._cut(len(self._buffer), alone=alone)
            elif not self._cuts:
                memory = route.most_memory(self._table[:1], self._options.level, 1)
                yield from self._header(self._table[:1], 0, memory)
            yield from self._rest()
            yield self._emit(self._assembler.end())
            if self._check and (not self._check.ended or self._check.unused):
                raise VerifyError(_NOT_READABLE)

    @property
    def failed(self) -> bool:
        """Whether the archive can no longer be completed."""
        return self._whole.failed

    def note(self) -> None:
        """Tells the folder what the archive holds, which must be complete."""
        if self._folder and self._found:
            hash = self._assembler.content_hash
            self._folder.note(self._found, self._lengths, self._digests, hash)

    def abort(self) -> None:
        """Ends all work at once; the archive stays incomplete."""
        self._whole.failed = True
        self._meter.stop()
        if self._pool:
            self._pool.abort()

    def __enter__(self) -> ArchiveEncoder:
        return self

    def __exit__(self, *exception: object) -> None:
        # What was not finished by now was broken off.
        self.abort()

    def _tensor_next(self, length: int) -> bool:
        """Whether `length` bytes hold all of the next segment, which is of a tensor."""
        return bool(self._plan) and bool(self._plan[0].kind) and length >= self._plan[0].length

    def _cut(self, length: int, *, alone: bool) -> Iterator[Part]:
        content = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        yield from self._put(content, alone=alone)

    def _put(self, content: bytes | memoryview, *, alone: bool) -> Iterator[Part]:
        length = len(content)
        piece = Piece(length)
        if self._plan and self._plan[0].length >= 0:
            piece = self._plan.popleft()
        again = b""
        if piece.copy and not piece.known and self._read:
            again = self._read(piece.again, length)
        choice = None
        if alone and self._model:
            choice = self._choose(bytes(content))
            if route.is_language(choice.predictor):
                from llmzip import group

                found = group.plan(
                    bytes(content), self._options, choice, route.language(self._model)
                )
                if found:
                    yield from self._grouped(found)
                    return
        cut = _Cut(self._cuts, content, alone, piece, again, choice)
        self._cuts += 1
        if cut.seq == 0:
            self._pool = self._start(length if alone else self._size, alone)
            if not alone:
                memory = route.most_memory(
                    self._table, self._options.level, self._size, self._model
                )
                yield from self._header(self._table, self._size, memory)
        due = self._pool.put(cut, length) if self._pool else [self._code(cut)]
        for encoded, done in due:
            if alone:
                yield from self._header((encoded.predictor,), encoded.raw_len, encoded.memory)
            yield self._segment(encoded, done)

    def _grouped(self, found: Group) -> Iterator[Part]:
        """The header and all segments of a text that is cut into several."""
        from llmzip import group

        assert self._model is not None
        allowed = self._options.memory or machine_memory()
        if self._options.memory:
            group.require(allowed, found)
        encoded = group.encode_group(found, self._meter, route.language(self._model))
        if self._options.verify:
            given = _Given(None, b"", self._model)
            group.verify_group(found, encoded, self._meter, given, allowed)
        self._cuts += len(encoded)
        needs = found.first + found.each
        yield from self._header((found.choice.predictor,), found.longest, needs)
        for segment in encoded:
            yield self._segment(segment, Piece(segment.raw_len))

    def _choose(self, content: bytes) -> Choice:
        options = self._options
        level, predictor = options.level, options.predictor
        return route.choose(content, level, predictor, self._model, adapt=options.adapt)

    def _header(
        self, predictors: tuple[PredictorRef, ...], largest: int, memory: int
    ) -> Iterator[Part]:
        """The archive's header, and the model that it brings if one of the predictors needs it."""
        options, model = self._options, self._model
        needed = model is not None and any(map(route.needs_model, predictors))
        if model is None or not needed or not options.embed_model:
            if model is not None and needed:
                self.tally.need((model.ref,))
            yield self._emit(self._assembler.header(predictors, largest, memory))
            return
        from llmzip.models import embedded

        predictors = tuple(dict.fromkeys((*predictors, embedded.coder())))
        yield self._emit(self._assembler.header(predictors, largest, memory))
        for part in embedded.parts(model.pack, predictors, check=options.verify):
            yield self._emit(self._assembler.model_part(part))

    def _start(self, largest: int, alone: bool) -> InOrder[_Cut, tuple[Encoded, Piece]] | None:
        """The threads to code with; None where this one does it."""
        options = self._options
        each = route.most_memory(self._table, options.level, largest, self._model) + 2 * largest
        allowed = options.memory or machine_memory()
        if options.memory and each > allowed:
            raise LimitError(
                "memory to compress a segment",
                each,
                allowed,
                "raise it with -M, or lower the level",
            )
        # A model keeps all threads busy with one segment.
        asked = 1 if alone or self._kind == "llm" else self._threads
        threads = max(min(asked, allowed // each), 1)
        if threads < asked and self._notice:
            self._notice(
                f"{threads} of {asked} threads used: each takes {each:,} bytes, {allowed:,} allowed"
            )
        if threads == 1:
            return None
        # Imported here because a small file is coded sooner than this is imported.
        from llmzip.inorder import InOrder

        return InOrder(self._code, threads, self._meter, threads * largest)

    def _code(self, cut: _Cut) -> tuple[Encoded, Piece]:
        piece, level = cut.piece, self._options.level
        again = cut.again
        if piece.known and self._folder and len(cut.content) == piece.length:
            again = self._folder.read(piece.known, piece.again, piece.length)
        if piece.copy and again == bytes(cut.content):
            tick = self._meter.tick("compress")
            encoded = encode_copy(again, piece.copy, cut.seq, tick)
            if self._options.verify:
                tick = self._meter.tick("verify")
                verify(encoded, cut.content, self._table, tick, _Given(None, again))
            return encoded, piece
        if piece.copy:
            piece = piece.replace(copy=None)
        choice = cut.choice
        of: bytes | None = None
        if piece.kind:
            choice = route.for_tensor(level, piece.kind, piece.row)
            if self._base and piece.base >= 0 and len(cut.content) == piece.length:
                of = self._base.read(piece.base, piece.length)
                change = route.as_change(choice, piece.kind, cut.content, of, piece.base)
                choice, of = (change, of) if change else (choice, None)
            if of is None and self._options.predictor is None:
                choice = route.for_content(choice, cut.content, level)
        elif self._options.predictor is None and self._is_small(piece):
            choice = route.for_small(level)
        if choice is None:
            choice = self._choose(bytes(cut.content))
        table = (choice.predictor,) if cut.alone else self._table
        index = table.index(choice.predictor)
        tick = self._meter.tick("compress")
        model = self._model
        encoded = encode(
            cut.content, choice, cut.seq, index, tick, of, kept=piece.kept, model=model
        )
        if self._options.verify:
            tick = self._meter.tick("verify")
            verify(encoded, cut.content, table, tick, _Given(self._base, b"", model))
        return encoded, piece

    def _is_small(self, piece: Piece) -> bool:
        """Whether a piece that is no tensor is small, or is more than the plan knew of."""
        return piece.small or (self._planned and not self._others)

    def _rest(self) -> Iterator[Part]:
        if self._pool:
            for encoded, piece in self._pool.finish():
                yield self._segment(encoded, piece)

    def _segment(self, encoded: Encoded, piece: Piece) -> Part:
        label = piece.label
        if piece.kept or self._folder:
            self._digests[self._done] = encoded.digests
        own = piece.copy and not piece.copy.source
        # What was read again was compared; this is what was coded.
        if own and piece.copy and self._digests.get(piece.copy.place) != encoded.digests:
            raise VerifyError("the input changed while it was read, nothing was kept")
        self._done += 1
        self.tally.segment(encoded.raw_len, encoded.predictor.id)
        return self._emit(self._assembler.segment(encoded, label))

    def _emit(self, data: Part) -> Part:
        self.tally.archive_bytes += len(data)
        if self._check:
            # What stands around the segments is read back here, what is in them by `_code`.
            self._check.add(data)
            try:
                while event := self._check.event():
                    if isinstance(event, ArchiveEnd):
                        self._check_hash(event.footer.content_hash)
            except LlmzError as error:
                raise VerifyError(f"{_NOT_READABLE}: {error}") from error
        return data

    def _check_hash(self, found: bytes) -> None:
        if found != self._assembler.content_hash:
            raise VerifyError(_NOT_READABLE)


def _regions(source: BinaryIO, size: int) -> tuple[Region, ...] | None:
    """What the file `source` of `size` bytes consists of; None where it has no tensors."""
    from llmzip.tensors.layout import plan

    regions = plan(source, size)
    if regions or size < _RAW_FROM:
        return regions
    from llmzip.tensors.detect import plan_raw

    source.seek(0)
    return plan_raw(read_exactly(source, _READ), size)


def planned(source: BinaryIO, size: int, options: Options) -> tuple[Piece, ...]:
    """What a file of `size` bytes will be cut into along its tensors; nothing where it has none.

    The position of `source` is left as it was. Tensors that occur again are not looked for.
    """
    if options.predictor not in (None, _TENSOR) or not seekable(source) or source.tell():
        return ()
    regions = _regions(source, size)
    source.seek(0)
    segment = options.segment_size or route.segment_size(options.level)
    return tuple(cut(regions, segment)) if regions else ()


class _Planned(Record):
    """How to cut a source.

    pieces: what it is cut into. start: what had to be read of it to tell. found: which tensors
    occur again. read: reads the source at any place.
    """

    pieces: tuple[Piece, ...] = ()
    start: bytes = b""
    found: Found | None = None
    read: ReadAt | None = None


def _plan(source: BinaryIO, options: Options, base: Base | None, folder: Folder | None) -> _Planned:
    if options.predictor not in (None, _TENSOR):
        return _Planned()
    from llmzip.tensors.layout import has_front_table, plan_prefix

    start = b""
    regions = found = read = None
    bases = base.tensors() if base else None
    if seekable(source):
        position = source.tell()
        size = source.seek(0, os.SEEK_END) - position
        if position == 0:
            regions = _regions(source, size)
        if regions and size >= _TWICE:
            read, found = _duplicates(source, regions, bases, folder)
        source.seek(position)
    else:
        start = read_exactly(source, _START)
        if has_front_table(start):
            start += read_exactly(source, _READ - len(start))
            regions = plan_prefix(start)
    size = options.segment_size or route.segment_size(options.level)
    if regions is None:
        return _Planned(start=start)
    return _Planned(tuple(cut(regions, size, bases, found)), start, found, read)


def _duplicates(
    source: BinaryIO,
    regions: Sequence[Region],
    bases: Mapping[str, Region] | None,
    folder: Folder | None,
) -> tuple[ReadAt, Found]:
    from llmzip.duplicates import find, reader

    read = reader(source)
    return read, find(regions, read, folder, lambda region: bool(counterpart(region, bases)))


def write_archive(
    source: BinaryIO,
    sink: BinaryIO,
    options: Options | None = None,
    *,
    total: int | None = None,
    progress: Report | None = None,
    notice: Notice | None = None,
    base: Base | None = None,
    folder: Folder | None = None,
) -> Summary:
    """Compresses all of `source` into one archive on `sink`; neither has to be seekable.

    total: bytes that `source` will give, if known; for `progress` alone.
    progress: called from this thread, about ten times a second.
    notice: called with a line where fewer threads are used than asked, to stay within memory.
    base: a file that the content's tensors may be changes of; needed to decode then.
    folder: archives beside the one that is written, which has the tensors of theirs from them.

    Raises `LimitError` before anything is written where one segment takes more than
    `options.memory`, `VerifyError` where what was written does not decode to what was read, and
    what `source` and `sink` raise.
    """
    options = options or Options()
    meter = Meter(progress, total)
    threads = options.threads or cores()
    plan = _plan(source, options, base, folder)
    with ArchiveEncoder(
        options,
        meter,
        threads=threads,
        notice=notice,
        plan=plan.pieces,
        base=base,
        folder=folder,
        found=plan.found,
        read=plan.read,
    ) as encoder:
        for part in encoder.feed(plan.start):
            write_all(sink, part)
        while data := read_some(source, encoder.reads):
            for part in encoder.feed(data):
                write_all(sink, part)
            meter.report()
        for part in encoder.finish():
            write_all(sink, part)
    meter.report(last=True)
    if folder:
        encoder.note()
    return encoder.tally.summary()


def archive_parts(content: bytes | memoryview, options: Options) -> Iterator[Part]:
    """The archive of `content`, which nobody writes to meanwhile; to be iterated to the end.

    Raises `LimitError` and `VerifyError` as `write_archive` does.
    """
    from io import BytesIO

    plan = _plan(BytesIO(content), options, None, None)
    with ArchiveEncoder(
        options,
        Meter(None, len(content)),
        threads=options.threads or cores(),
        plan=plan.pieces,
        found=plan.found,
        read=plan.read,
    ) as encoder:
        yield from encoder.feed(content, stays=True)
        yield from encoder.finish()
