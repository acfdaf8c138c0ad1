"""Finds archives and their segments from the end of a seekable file, without reading it all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import accumulate

from llmzip import container
from llmzip.container import ChunkHead, Footer, Header, IndexEntry, SegmentHeader
from llmzip.errors import CorruptError, LlmzError, NotAnArchiveError, TruncatedError
from llmzip.record import Record
from llmzip.streams import read_exactly, seekable
from llmzip.walk import foreign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


class Archive(Record):
    """One archive of a file: where it begins, and what its header, index and footer say.

    model_len: bytes of the model that it brings.
    """

    offset: int
    header: Header
    entries: tuple[IndexEntry, ...]
    footer: Footer
    model_len: int = 0

    @property
    def raw_len(self) -> int:
        """Bytes of its content."""
        return sum(entry.raw_len for entry in self.entries)

    def offsets(self) -> list[int]:
        """Every segment's offset in the file."""
        first = self.offset + self.header.size + self.model_len
        return list(accumulate([entry.length for entry in self.entries[:-1]], initial=first))[
            : len(self.entries)
        ]

    def segments(self) -> Iterator[tuple[int, IndexEntry]]:
        """Every segment's offset in the file, and its index entry."""
        return zip(self.offsets(), self.entries, strict=True)


def _read_at(source: BinaryIO, offset: int, length: int) -> bytes:
    source.seek(offset)
    data = read_exactly(source, length)
    if len(data) < length:
        raise TruncatedError("the archive became shorter while it was read", offset=offset)
    return data


def read_directory(source: BinaryIO, begin: int = 0) -> list[Archive]:
    """All archives of a file that begins at `begin` of `source`, in order.

    Raises `NotAnArchiveError`, `TruncatedError` or `CorruptError` unless they fill it all. The
    position of `source` is left anywhere.
    """
    end = source.seek(0, os.SEEK_END)
    _check_start(source, begin, end)
    found: list[Archive] = []
    while end > begin:
        found.append(_read_last(source, begin, end, last=not found))
        end = found[-1].offset
    return found[::-1]


def _check_start(source: BinaryIO, begin: int, end: int) -> None:
    start = _read_at(source, begin, min(end - begin, 262))
    magic = container.MAGIC
    if not start.startswith(magic) and not magic.startswith(start):
        raise NotAnArchiveError(f"this is {foreign(start)}")
    if end - begin < container.HEADER_PREFIX_LEN + container.FOOTER_LEN:
        raise TruncatedError("the archive ends too early", offset=end)
    container.parse_header_prefix(start[: container.HEADER_PREFIX_LEN], begin)


def _read_last(source: BinaryIO, begin: int, end: int, *, last: bool) -> Archive:
    """The archive that ends at `end`."""
    at = end - container.FOOTER_LEN
    if at < begin:
        raise CorruptError("bytes that are no archive stand before an archive", offset=begin)
    record = _read_at(source, at, container.FOOTER_LEN)
    if last and not record.endswith(container.TAIL_MAGIC):
        raise TruncatedError(
            "the file does not end as an archive does: it is cut off, or bytes were added to it",
            offset=end,
        )
    footer = container.parse_footer(record, at)
    offset, index_at = end - footer.archive_len, at - footer.index_len
    if offset < begin or index_at < offset + container.HEADER_PREFIX_LEN:
        raise CorruptError("the archive's end gives lengths that cannot be", offset=at)
    header = read_header(source, offset)
    entries = container.parse_index(_read_at(source, index_at, footer.index_len), index_at)
    rest = index_at - offset - header.size - sum(entry.length for entry in entries)
    brings = header.metadata.brings
    if rest < 0 or (rest > 0) != (brings is not None and brings.length > 0):
        raise CorruptError("the index does not fit the archive", offset=index_at)
    return Archive(offset, header, tuple(entries), footer, rest)


def read_header(source: BinaryIO, offset: int) -> Header:
    """The archive header at `offset`."""
    prefix = _read_at(source, offset, container.HEADER_PREFIX_LEN)
    rest = _read_at(
        source,
        offset + container.HEADER_PREFIX_LEN,
        container.parse_header_prefix(prefix, offset),
    )
    return container.parse_header(prefix, rest, offset)


def read_segment_header(source: BinaryIO, offset: int) -> tuple[SegmentHeader, int]:
    """The segment header at `offset`, and its length in bytes."""
    prefix = _read_at(source, offset, container.SEGMENT_PREFIX_LEN)
    if not prefix.startswith(container.SEGMENT_SYNC):
        raise CorruptError("no segment begins here", offset=offset)
    record = prefix + _read_at(source, offset + len(prefix), prefix[4] + 4)
    return container.parse_segment_header(record, offset), len(record)


def read_chunk_head(
    source: BinaryIO, offset: int, max_chunk_raw: int, *, copied: bool = False
) -> tuple[ChunkHead, int]:
    """The chunk head at `offset`, and its length in bytes; `copied` where its segment is a copy."""
    record = _read_at(source, offset, container.MIN_CHUNK_HEAD)
    length = container.chunk_head_len(record, offset)
    record += _read_at(source, offset + len(record), length - len(record))
    return container.parse_chunk_head(record, max_chunk_raw, offset, copied=copied), length


def check_segment(
    archive: Archive, seq: int, header: SegmentHeader, size: int, offset: int
) -> None:
    """Raises `CorruptError` where header and index disagree about segment `seq`."""
    entry = archive.entries[seq]
    if (header.seq, header.raw_len, size + header.coded_len) != (seq, entry.raw_len, entry.length):
        raise CorruptError("the index does not match the segments", offset=offset)
    if header.predictor >= len(archive.header.metadata.predictors):
        raise CorruptError("a segment names no predictor of the header", offset=offset)


def content_size(source: BinaryIO) -> int | None:
    """Bytes of content in the archives that `source` is about to give, where that can be told."""
    if not seekable(source):
        return None
    begin = source.tell()
    try:
        return sum(archive.raw_len for archive in read_directory(source, begin))
    except LlmzError:
        # Reading from the front will find the damage and name it.
        return None
    finally:
        source.seek(begin)
