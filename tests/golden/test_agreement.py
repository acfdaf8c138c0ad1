"""llmzip and the reference reader judge wrong fields under right checks alike.

Each byte that a check covers is changed in turn and the check made right again, so that readers
get past it and must judge the field itself.
"""

import io
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

import reference
from golden import bad, inputs
from golden.inputs import randoms
from golden.make import TENSOR
from golden.parts import CODED, CONSTANT, STORED, Archive, Segment, coded_segment, crc, varint
from llmzip import _native, errors
from llmzip.archive import read_archive
from llmzip.base import Bases
from reference.errors import ArchiveError


def verdict_of_llmzip(data: bytes, bases: Bases | None = None) -> bytes | str:
    sink = io.BytesIO()
    try:
        read_archive(io.BytesIO(data), sink, threads=1, bases=bases)
    except errors.LlmzError as error:
        return type(error).__name__
    return sink.getvalue()


def verdict_of_reference(data: bytes, bases: Sequence[bytes] = ()) -> bytes | str:
    try:
        return reference.decode(data, bases)
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


def changed_fields(archive: Archive, part: str) -> Iterator[tuple[int, bytes]]:
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
    for at, data in changed_fields(archive, part):
        ours, theirs = verdict_of_llmzip(data), verdict_of_reference(data)
        seen.add(ours)
        if ours != theirs:
            differing.append((at, ours, theirs))
    assert differing == []
    assert archive.content() in seen
    assert len(seen) > 1


@pytest.mark.parametrize("part", ["metadata", "segment"])
def test_same_verdict_on_each_changed_field_of_a_change(part: str, tmp_path: Path) -> None:
    base = inputs.weights(900, 4, 0)
    path = tmp_path / "base"
    path.write_bytes(base)

    def segment(offset: int, *raws: tuple[int, bytes]) -> Segment:
        settings = _native.tensor_settings(6, "f32", 0, offset)
        length = sum(len(raw) for _, raw in raws)
        return coded_segment(TENSOR, settings, raws, base=base[offset : offset + length])

    changed = inputs.step(base, 4)
    archive = Archive(
        [TENSOR],
        [
            segment(0, (STORED, changed[:99]), (CODED, changed[99:400])),
            segment(260, (CONSTANT, b"\2" * 300)),
            segment(400, (CODED, changed[400:])),
        ],
        records={5: b"\3" + sha256(base).digest() + varint(len(base)) + b"\4name"},
    )
    seen = set()
    for at, data in changed_fields(archive, part):
        ours = verdict_of_llmzip(data, Bases(given=str(path)))
        assert verdict_of_reference(data, [inputs.random(50), base]) == ours, at
        seen.add(ours)
    assert archive.content() in seen
    assert seen >= {"CorruptError", "UnsupportedError"}
    assert ("ModelError" in seen) == (part == "metadata")
