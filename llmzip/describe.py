"""What an archive says about itself; nothing is decoded, no predictor or model is needed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from llmzip import container, directory
from llmzip.container import ChunkHead, Footer, Header, IndexEntry, SegmentHeader
from llmzip.errors import CorruptError
from llmzip.record import Record
from llmzip.streams import seekable
from llmzip.walk import ArchiveEnd, ArchiveStart, Chunk, SegmentStart, pull, walk_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


_MODEL_KINDS = {container.BASE: "base", container.ARCHIVE: "archive"}


class PredictorInfo(Record):
    """A predictor of the archive; `coder` is the coder id of FORMAT.md."""

    id: str
    version: int
    coder: int


class ModelInfo(Record):
    """A model, base file or archive that decoding needs; `length` in bytes.

    kind: "model"; "base" of changed tensors; "archive" that has what is copied, by whose content
        hash `sha256` goes. embedded: whether the archive brings it.
    """

    name: str
    sha256: str
    length: int
    embedded: bool
    kind: str = "model"


class ChunkCounts(Record):
    """How many chunks of a segment are of each type."""

    stored: int
    coded: int
    constant: int
    stored_after_coding: int
    copied: int = 0


class SegmentInfo(Record):
    """One segment: `offset` and `length` in the file, `raw_len` of content, all in bytes.

    `settings` are the predictor's, in hexadecimal. A copy has "copy" for a predictor.
    """

    seq: int
    offset: int
    length: int
    raw_len: int
    predictor: str
    settings: str
    label: str
    chunks: ChunkCounts


class ArchiveInfo(Record):
    """One archive of a file; sizes in bytes.

    `decoder_memory` is what one segment takes to decode, by the header's word.
    """

    offset: int
    format: str
    level: int
    predictors: tuple[PredictorInfo, ...]
    models: tuple[ModelInfo, ...]
    max_segment_raw: int
    max_chunk_raw: int
    decoder_memory: int
    writer: str
    comment: str
    segments: tuple[SegmentInfo, ...]
    raw_bytes: int
    archive_bytes: int
    content_hash: str


class Info(Record):
    """All archives of a file, and their sums in bytes."""

    archives: tuple[ArchiveInfo, ...]
    raw_bytes: int
    archive_bytes: int


def describe(file: str | os.PathLike[str] | BinaryIO) -> Info:
    """Describes the archives in `file`, a path or a binary file object.

    A file that can seek is read from its end, through the index; of its chunks the heads alone are
    read. From a pipe, all of it is read and everything that is coded is checked.

    Raises `NotAnArchiveError`, `CorruptError` or `UnsupportedError`.
    """
    if isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as source:
            return _describe(source)
    return _describe(file)


def _describe(source: BinaryIO) -> Info:
    if seekable(source):
        begin = source.tell()
        archives = [_from_directory(source, a) for a in directory.read_directory(source, begin)]
    else:
        archives = _from_stream(source)
    return Info(
        tuple(archives),
        sum(archive.raw_bytes for archive in archives),
        sum(archive.archive_bytes for archive in archives),
    )


class _Building:
    """Gathers what becomes an `ArchiveInfo`."""

    def __init__(self, offset: int, header: Header) -> None:
        self._offset = offset
        self._header = header
        self._segments: list[tuple[int, SegmentHeader, Counter[int]]] = []

    def segment(self, offset: int, header: SegmentHeader) -> None:
        self._segments.append((offset, header, Counter()))

    def chunk(self, head: ChunkHead) -> None:
        self._segments[-1][2][head.type] += 1

    def finish(self, entries: Sequence[IndexEntry], footer: Footer) -> ArchiveInfo:
        metadata, bounds = self._header.metadata, self._header.metadata.bounds
        return ArchiveInfo(
            offset=self._offset,
            format=f"{container.MAJOR}.{self._header.minor}",
            level=metadata.level,
            predictors=tuple(
                PredictorInfo(ref.id, ref.version, ref.coder) for ref in metadata.predictors
            ),
            models=tuple(
                ModelInfo(
                    model.name,
                    model.sha256.hex(),
                    model.length,
                    model.kind == container.EMBEDDED,
                    _MODEL_KINDS.get(model.kind, "model"),
                )
                for model in metadata.models
            ),
            max_segment_raw=bounds.max_segment_raw,
            max_chunk_raw=bounds.max_chunk_raw,
            decoder_memory=bounds.decoder_memory,
            writer=metadata.writer,
            comment=metadata.comment,
            segments=tuple(
                SegmentInfo(
                    seq=header.seq,
                    offset=offset,
                    length=entry.length,
                    raw_len=entry.raw_len,
                    predictor="copy"
                    if header.is_copy
                    else metadata.predictors[header.predictor].id,
                    settings=header.settings.hex(),
                    label=entry.label,
                    chunks=ChunkCounts(*(counts[kind] for kind in range(5))),
                )
                for (offset, header, counts), entry in zip(self._segments, entries, strict=True)
            ),
            raw_bytes=sum(entry.raw_len for entry in entries),
            archive_bytes=footer.archive_len,
            content_hash=footer.content_hash.hex(),
        )


def _from_directory(source: BinaryIO, archive: directory.Archive) -> ArchiveInfo:
    building = _Building(archive.offset, archive.header)
    max_chunk = archive.header.metadata.bounds.max_chunk_raw
    for seq, (offset, entry) in enumerate(archive.segments()):
        header, size = directory.read_segment_header(source, offset)
        directory.check_segment(archive, seq, header, size, offset)
        building.segment(offset, header)
        at, end = offset + size, offset + entry.length
        while at < end:
            head, length = directory.read_chunk_head(source, at, max_chunk, copied=header.is_copy)
            building.chunk(head)
            at += length + head.coded_len
        if at != end:
            raise CorruptError("chunks do not add up", offset=offset, segment=seq)
    return building.finish(archive.entries, archive.footer)


def _from_stream(source: BinaryIO) -> list[ArchiveInfo]:
    archives: list[ArchiveInfo] = []
    building: _Building | None = None
    for event in pull(source, walk_file()):
        if isinstance(event, ArchiveStart):
            building = _Building(event.offset, event.header)
        elif isinstance(event, SegmentStart) and building:
            building.segment(event.offset, event.header)
        elif isinstance(event, Chunk) and building:
            building.chunk(event.head)
        elif isinstance(event, ArchiveEnd) and building:
            archives.append(building.finish(event.entries, event.footer))
    return archives
