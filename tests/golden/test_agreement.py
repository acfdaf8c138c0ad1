"""llmzip and the reference reader judge wrong fields under right checks alike.

Each byte that a check covers is changed in turn and the check made right again, so that readers
get past it and must judge the field itself.
"""

import io
from collections.abc import Iterator

import pytest

import reference
from golden import bad
from golden.inputs import randoms
from golden.parts import STORED, Archive, coded_segment, crc
from llmzip import errors
from llmzip.archive import read_archive
from reference.errors import ArchiveError


def verdict_of_llmzip(data: bytes) -> bytes | str:
    sink = io.BytesIO()
    try:
        read_archive(io.BytesIO(data), sink, threads=1)
    except errors.LlmzError as error:
        return type(error).__name__
    return sink.getvalue()


def verdict_of_reference(data: bytes) -> bytes | str:
    try:
        return reference.decode(data)
    except ArchiveError as error:
        return type(error).__name__


def spans(archive: Archive) -> Iterator[tuple[str, int, int, int]]:
    """What a check covers: name, first byte, end (where the check stands) and the check's size."""
    meta_end = len(archive.header()) - 4
    yield "header", 8, 14, 2
    yield "metadata", 16, meta_end, 4
    at = meta_end + 4
    for number, segment in enumerate(archive.segments):
        chunks = [chunk.build() for chunk in segment.chunks]
        size = len(segment.build(number)) - sum(map(len, chunks))
        yield "segment", at, at + size - 4, 4
        at += size
        for chunk, built in zip(segment.chunks, chunks, strict=True):
            yield "chunk", at, at + len(built) - len(chunk.payload) - 2, 2
            at += len(built)
    end = len(archive.build())
    yield "index", at, end - 56, 4
    yield "footer", end - 52, end - 8, 4


def changed(archive: Archive, part: str) -> Iterator[tuple[int, bytes]]:
    """The archive with one byte of `part` changed and its check right: where, and the bytes."""
    data = archive.build()
    source = randoms(len(part))
    for name, start, end, size in spans(archive):
        assert data[end : end + size] == crc(data[covered_from(name, start) : end], size)
        for at in range(start, end) if name == part else ():
            for value in {0, 1, 0x80, 0xFF, next(source) >> 24, data[at] ^ 1, data[at] + 1 & 0xFF}:
                other = bytearray(data)
                other[at] = value
                other[end : end + size] = crc(other[covered_from(name, start) : end], size)
                yield at, bytes(other)


def covered_from(name: str, start: int) -> int:
    """The header's check covers the magic too, which is left as it is."""
    return 0 if name == "header" else start


@pytest.fixture(scope="module")
def archive() -> Archive:
    plain = coded_segment(bad.STORE, b"", [(STORED, b"plain")], index=1)
    plain.label = "größe".encode()
    return Archive(
        [bad.ZSTD, bad.STORE],
        [*bad.good().segments, plain],
        records={2: b"by hand", 4: b"?", 8: "naïve".encode()},
        decoder_memory=bad.MEMORY,
    )


@pytest.mark.parametrize("part", ["header", "metadata", "segment", "chunk", "index", "footer"])
def test_same_verdict_on_each_changed_field(archive, part):
    seen = set()
    differing = []
    for at, data in changed(archive, part):
        ours, theirs = verdict_of_llmzip(data), verdict_of_reference(data)
        seen.add(ours)
        if ours != theirs:
            differing.append((at, ours, theirs))
    assert differing == []
    assert archive.content() in seen
    assert len(seen) > 1
