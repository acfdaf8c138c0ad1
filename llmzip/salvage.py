"""Finds what is left of archives in a damaged file, without decoding."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

from llmzip import container
from llmzip.container import Header, IndexEntry, PredictorRef, SegmentHeader
from llmzip.directory import read_header, read_segment_header
from llmzip.errors import CorruptError, LlmzError
from llmzip.record import Record
from llmzip.streams import From
from llmzip.walk import ANY_BOUNDS, Chunk, SegmentEnd, pull, walk_alone

_BLOCK = 1 << 20
_MARKS = (container.MAGIC, container.SEGMENT_SYNC, container.INDEX_SYNC)
_ANY_MARK = re.compile(b"|".join(map(re.escape, _MARKS)))
_OVERLAP = max(map(len, _MARKS)) - 1
# An index of half a million segments; longer ones are not looked for.
_MOST_INDEX = 8 << 20


class FoundHeader(Record):
    """An archive's header that is intact."""

    offset: int
    header: Header


class FoundSegment(Record):
    """A segment whose header, of `size` bytes, is intact.

    whole: the coded bytes of all its chunks are intact too.
    reached: where the first chunk that is not begins, or the segment ends.
    """

    offset: int
    header: SegmentHeader
    size: int
    whole: bool
    reached: int

    @property
    def declared_end(self) -> int:
        """Where the segment ends by its header's word, maybe behind the file's end."""
        return self.offset + self.size + self.header.coded_len


class FoundIndex(Record):
    """An archive's index that is intact."""

    offset: int
    entries: tuple[IndexEntry, ...]


Found: TypeAlias = FoundHeader | FoundSegment | FoundIndex


def scan(source: BinaryIO) -> Iterator[Found]:
    """Everything with an intact check of its own, in the order of the file.

    What lies inside an intact segment is not looked at: content may be an archive itself.
    """
    end = source.seek(0, os.SEEK_END)
    at = 0
    while (mark := _next_mark(source, at)) is not None:
        found, at = _at_mark(source, mark, end)
        if found is not None:
            yield found


def _next_mark(source: BinaryIO, at: int) -> int | None:
    """Where the next mark of a record is, from `at` on."""
    while True:
        block = From(source, at).read(_BLOCK + _OVERLAP)
        match = _ANY_MARK.search(block)
        if match:
            return at + match.start()
        if len(block) <= _BLOCK:
            return None
        at += _BLOCK


def _at_mark(source: BinaryIO, at: int, end: int) -> tuple[Found | None, int]:
    """What begins at `at`, and where to look on."""
    found = _record(source, at, end)
    if isinstance(found, FoundHeader):
        return found, at + found.header.size
    if not isinstance(found, FoundSegment):
        # Nothing, or an index, which no other record follows from.
        return found, at + 1
    declared = found.declared_end
    if found.whole or declared == end or (declared < end and _record(source, declared, end)):
        return found, declared
    # Bytes are missing or too many: what follows may begin anywhere behind what is intact.
    return found, found.reached


def _record(source: BinaryIO, at: int, end: int) -> Found | None:
    """The intact record that begins at `at`, if one does."""
    try:
        mark = From(source, at).read(len(container.MAGIC))
        if mark == container.MAGIC:
            return FoundHeader(at, read_header(source, at))
        if mark.startswith(container.INDEX_SYNC):
            start = From(source, at).read(min(end - at, _MOST_INDEX))
            record = start[: container.index_len(start, at)]
            return FoundIndex(at, tuple(container.parse_index(record, at)))
        if mark.startswith(container.SEGMENT_SYNC):
            return _segment(source, at)
    except LlmzError:
        pass
    return None


def _segment(source: BinaryIO, at: int) -> FoundSegment:
    header, size = read_segment_header(source, at)
    if header.predictor >= container.MAX_PREDICTORS:
        raise CorruptError("the segment's predictor is in no archive", offset=at)
    unknown = (PredictorRef("", 0, 0),) * container.MAX_PREDICTORS
    reached = at + size
    whole = False
    try:
        for event in pull(From(source, at), walk_alone(at, unknown, ANY_BOUNDS, None)):
            whole = isinstance(event, SegmentEnd)
            if isinstance(event, Chunk):
                reached = event.end
    except LlmzError:
        pass
    return FoundSegment(at, header, size, whole, reached)
