"""The content of a file, archive or not, decoded straight into the caller's memory."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from typing import BinaryIO, cast

from llmzip import _native, container, directory, route
from llmzip.base import Bases
from llmzip.container import ChunkHead, PredictorRef
from llmzip.errors import CorruptError, PredictionMismatch, UsageError
from llmzip.limits import Limits
from llmzip.record import Record
from llmzip.seeking import Place, RandomAccess
from llmzip.segments import check_memory, newer, segment_memory
from llmzip.tensors.view import ContentReader, View, map_file
from llmzip.walk import SegmentStart
from llmzip.workers import cores

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

    from _typeshed import ReadableBuffer, WriteableBuffer

_DAMAGED = "chunks do not add up"

# Content that is decoded in one call, about: between two calls ctrl-C is heard.
_BATCH = 256 << 20


class _Part(Record):
    """Bytes `begin` to `end` of a segment's content, which go to `out`."""

    place: Place
    begin: int
    end: int
    out: memoryview


def _writable(buffer: WriteableBuffer) -> memoryview:
    """The bytes of a buffer."""
    view = memoryview(buffer)
    if view.readonly or not view.c_contiguous:
        raise UsageError("the buffer is read-only or has gaps: give one that can be filled")
    # A view that has none cannot be cast.
    return view.cast("B") if view.nbytes else memoryview(bytearray())


class Content:
    """Content of a `.llmz` file, or of any other one, as it is.

    file: a path, which is mapped into memory, or the bytes of a file.
    base: the file that tensors of an archive are changes of, or a folder that has it, where it is
        not beside the archive.
    model: as in `decompress`.

    Reading decodes the segments that hold what was asked for and no others, and checks every chunk;
    of a segment that holds the end of a range, what follows is not decoded. Several threads may
    read at a time.
    """

    def __init__(
        self,
        file: str | os.PathLike[Any] | ReadableBuffer,
        limits: Limits | None = None,
        base: str | None = None,
        model: str | None = None,
    ) -> None:
        import os

        beside = None
        if isinstance(file, (str, os.PathLike)):
            beside = os.path.split(file)[0] or "."
            self._data = map_file(file)
        else:
            self._data = memoryview(file).cast("B")
        self._limits = limits or Limits()
        self._random: RandomAccess | None = None
        self.size = len(self._data)
        self.packed = bytes(self._data[: len(container.MAGIC)]) == container.MAGIC
        if self.packed:
            bases = Bases(beside, base, model=model)
            self._random = RandomAccess(self._view(), 0, self._limits, bases)
            self.size = self._random.size

    def check_packed(self) -> None:
        """Raises `NotAnArchiveError`, or what is wrong with its start, unless it is an archive."""
        if not self.packed:
            directory.read_directory(self._view())

    @property
    def plain(self) -> memoryview | None:
        """All of a file that is no archive, where it lies; None of an archive."""
        return None if self.packed else self._data

    def reader(self) -> BinaryIO:
        """The content as a file that can seek; decodes what is read of it."""
        if self._random is None:
            return self._view()
        return cast(BinaryIO, ContentReader(self._random))

    def read_into(self, begin: int, buffer: WriteableBuffer, threads: int = 1) -> None:
        """Fills `buffer` with the content from byte `begin` on; there must be as much.

        threads: segments decoded at a time; 0 means one for each core, fewer where memory is
            limited. `buffer` must not be touched meanwhile; after an exception it holds anything.
        """
        view = self._target(begin, buffer)
        if self._random is None:
            view[:] = self._data[begin : begin + len(view)]
        else:
            self._read(list(self._parts(self._random, begin, view)), view, threads)

    def read_all_into(self, buffer: WriteableBuffer, threads: int = 1) -> int:
        """As `read_into` for all content; checks the content hash too. Returns its bytes."""
        view = _writable(buffer)
        if len(view) < self.size:
            raise UsageError(
                f"the buffer has {len(view):,} bytes, the content {self.size:,}: give a larger one"
            )
        target = self._target(0, view[: self.size])
        if self._random is None:
            target[:] = self._data
        else:
            parts = list(self._parts(self._random, 0, target))
            self._check_hashes(parts, self._read(parts, target, threads))
        return self.size

    def _target(self, begin: int, buffer: WriteableBuffer) -> memoryview:
        view = _writable(buffer)
        if begin < 0 or begin + len(view) > self.size:
            raise UsageError(f"the content ends at byte {self.size:,}")
        return view

    def _view(self) -> BinaryIO:
        return cast(BinaryIO, View(self._data))

    def _read(self, parts: list[_Part], view: memoryview, threads: int) -> list[bytes]:
        """Fills `view` with `parts`; what the chunks of each add to the content hash."""
        threads = min(threads or cores(), len(parts))
        digests: list[bytes | None] = []
        at = 0
        while len(digests) < len(parts):
            batch = self._batch(parts, len(digests))
            length = sum(part.end - part.begin for part in batch)
            digests += self._decode_whole(batch, view[at : at + length], threads)
            at += length
            if not batch:
                digests.append(None)
                at += len(parts[len(digests) - 1].out)
        left = [part for part, found in zip(parts, digests, strict=True) if found is None]
        if not left:
            return [found or b"" for found in digests]
        others = iter(self._decode_parts(left, threads))
        return [next(others) if found is None else found for found in digests]

    @staticmethod
    def _batch(parts: list[_Part], start: int) -> list[_Part]:
        """Whole segments of one archive from `start` on, for one call."""
        batch: list[_Part] = []
        length = 0
        for part in parts[start:]:
            place = part.place
            if part.end - part.begin < place.raw_len or length > _BATCH:
                break
            if batch and place.archive is not batch[0].place.archive:
                break
            batch.append(part)
            length += place.raw_len
        return batch

    def _decode_whole(
        self, batch: list[_Part], out: memoryview, threads: int
    ) -> list[bytes | None]:
        """What the segments' chunks add to the content hash; None for those left to `_decode`."""
        if not batch:
            return []
        first = batch[0].place
        metadata = first.archive.header.metadata
        allowed = self._limits.decoder_memory
        threads = max(min(threads, allowed // max(metadata.bounds.decoder_memory, 1)), 1)
        entries = first.archive.entries
        return _native.decode_segments_into(
            self._data,
            out,
            [(p.place.offset, entries[p.place.seq].length, p.place.raw_len) for p in batch],
            first.seq,
            [(ref.id, ref.version) if route.at_once(ref) else None for ref in metadata.predictors],
            metadata.bounds.max_chunk_raw,
            allowed // threads,
            threads,
        )

    def _decode_parts(self, parts: list[_Part], threads: int) -> list[bytes]:
        if threads > 1:
            most = max(self._memory(part.place) for part in parts)
            threads = min(threads, max(self._limits.decoder_memory // max(most, 1), 1))
        if threads <= 1:
            return [self._decode(part) for part in parts]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads, thread_name_prefix="llmzip") as pool:
            try:
                return list(pool.map(self._decode, parts))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    @staticmethod
    def _parts(random: RandomAccess, begin: int, view: memoryview) -> Iterator[_Part]:
        at, number = 0, bisect_right(random.starts, begin) - 1
        while at < len(view):
            place, inside = random.place(number), begin + at - random.starts[number]
            length = min(place.raw_len - inside, len(view) - at)
            yield _Part(place, inside, inside + length, view[at : at + length])
            at += length
            number += 1

    def _check_hashes(self, parts: list[_Part], digests: list[bytes]) -> None:
        """Compares every archive's content hash with its segments', all of which are `parts`."""
        archives = {part.place.archive.offset: part.place.archive for part in parts}
        hashes = {offset: hashlib.sha256() for offset in archives}
        for part, digest in zip(parts, digests, strict=True):
            hashes[part.place.archive.offset].update(digest)
        for offset, archive in archives.items():
            if hashes[offset].digest() != archive.footer.content_hash:
                end = offset + archive.footer.archive_len
                raise CorruptError("the content is not what the archive's end says", offset=end)

    def _memory(self, place: Place) -> int:
        return segment_memory(self._start(place)[0])

    def _start(self, place: Place) -> tuple[SegmentStart, int]:
        """The segment's header, and where its chunks begin."""
        at = place.offset
        record = bytes(self._data[at : at + container.SEGMENT_PREFIX_LEN + 259])
        size = container.SEGMENT_PREFIX_LEN + 4 + record[container.SEGMENT_PREFIX_LEN - 1]
        header = container.parse_segment_header(record[:size], at)
        directory.check_segment(place.archive, place.seq, header, size, at)
        predictor = place.archive.header.metadata.predictors[header.predictor]
        return SegmentStart(place.offset, header, predictor), place.offset + size

    def _decode(self, part: _Part) -> bytes:
        """Decodes a part of a segment; returns what its chunks add to the content hash."""
        assert self._random is not None
        start, at = self._start(part.place)
        changed = route.base_offset(start.predictor, start.header.settings) is not None
        if route.at_once(start.predictor) and not changed and not start.header.is_copy:
            check_memory(segment_memory(start), self._limits)
            return b"".join(self._decode_at_once(part, start, at))
        digests, position = [], 0
        for raw, digest in self._random.decode(part.place, self._view()):
            digests.append(digest)
            begin, end = max(part.begin - position, 0), min(part.end - position, len(raw))
            if begin < end:
                to = position + begin - part.begin
                part.out[to : to + end - begin] = memoryview(raw)[begin:end]
            position += len(raw)
            if position >= part.end:
                break
        return b"".join(digests)

    def _decode_at_once(self, part: _Part, start: SegmentStart, at: int) -> Iterator[bytes]:
        place, seq = part.place, part.place.seq
        end = place.offset + place.archive.entries[seq].length
        bounds = place.archive.header.metadata.bounds
        chunks = _Chunks(start.predictor, start)
        position = 0
        while position < part.end:
            begin = at
            record = bytes(self._data[at : min(at + container.MIN_CHUNK_HEAD + 4, end)])
            if len(record) < container.MIN_CHUNK_HEAD:
                raise CorruptError(_DAMAGED, offset=at, segment=seq)
            length = container.chunk_head_len(record, at)
            head = container.parse_chunk_head(record[:length], bounds.max_chunk_raw, at)
            at += length + head.coded_len
            after = position + head.raw_len
            if at > end or after > place.raw_len:
                raise CorruptError(_DAMAGED, offset=begin, segment=seq)
            if part.begin <= position and after <= part.end:
                target = part.out[position - part.begin : after - part.begin]
            else:
                target = memoryview(bytearray(head.raw_len))
            payload = self._data[begin + length : at]
            digest = chunks.decode(head, payload, target, begin)
            low, high = max(position, part.begin), min(after, part.end)
            if low < high and len(target) != high - low:
                part.out[low - part.begin : high - part.begin] = target[
                    low - position : high - position
                ]
            yield head.raw_len.to_bytes(8, "little") + digest
            position = after
        if position == place.raw_len and at != end:
            raise CorruptError(_DAMAGED, offset=at, segment=seq)


class _Chunks:
    """Decodes the chunks of a segment in order, each in one call."""

    def __init__(self, ref: PredictorRef, start: SegmentStart) -> None:
        self._ref = ref
        self._header = start.header
        self._native: _native.Decoder | None = None
        if start.header.canary:
            raise PredictionMismatch(start.header.seq)

    def decode(
        self, head: ChunkHead, payload: memoryview, target: memoryview, offset: int
    ) -> bytes:
        """Decodes into `target`, after and before checks; returns the hash."""
        try:
            if head.type in (container.CODED, container.STORED_AFTER_CODING) and not self._native:
                header = self._header
                self._native = route.new_decoder(self._ref, header.settings, header.raw_len)
            if head.type == container.CODED and self._native:
                return self._native.decode_chunk_into(payload, target, head.payload_crc, head.check)
            digest = _native.copy_chunk_into(payload, target, head.payload_crc, head.check)
            if head.type == container.STORED_AFTER_CODING and self._native:
                self._native.train(target)
            return digest
        except _native.CorruptData as error:
            raise CorruptError(str(error), offset=offset, segment=self._header.seq) from None
        except _native.UnsupportedData as error:
            raise newer(self._header.seq, error) from None


def decompress_into(
    archive: str | os.PathLike[Any] | ReadableBuffer,
    buffer: WriteableBuffer,
    *,
    threads: int = 0,
    limits: Limits | None = None,
    base: str | None = None,
    model: str | None = None,
) -> int:
    """Decompresses all of `archive`, a path or its bytes, into `buffer`; returns the bytes.

    buffer: writable and contiguous, at least as long as the content; nothing else may touch it
        meanwhile. After an exception it holds anything.
    threads: segments decoded at a time; 0 means one for each core.
    base, model: as in `LlmzFile`.

    Raises `UsageError` where the buffer does not do, and what `read_archive` raises.
    """
    content = Content(archive, limits, base, model)
    content.check_packed()
    return content.read_all_into(buffer, threads)
