"""A damaged archive is refused, or harmless: never wrong bytes, for any predictor."""

from __future__ import annotations

import io

import pytest

from llmzip import container
from llmzip.archive import check_coded, read_archive
from llmzip.errors import (
    CorruptError,
    LlmzError,
    NotAnArchiveError,
    PredictionMismatch,
    TruncatedError,
)


def decode(archive: bytes, threads: int = 1) -> bytes:
    sink = io.BytesIO()
    try:
        read_archive(io.BytesIO(archive), sink, threads=threads)
    finally:
        # What comes out before an error is right as well.
        decode.partial = sink.getvalue()
    return sink.getvalue()


@pytest.fixture(params=["chunks", "table"])
def small(request, make, predictor, mixed, unlike, rows):
    """A small archive and its content: three segments with chunks of every type, or a table."""
    if request.param == "table":
        if predictor.id not in ("pc", "circuit"):
            pytest.skip("a table is any content to other predictors")
        content = rows(25)
        archive = make(content, predictor)
        assert predictor.id != "pc" or coded_as_table(archive)
        return archive, content
    content = unlike[:150] + mixed[5850:6050] + bytes(80) + mixed[:300] + mixed[6100:6200]
    return make(content, predictor, segment_size=350), content


def coded_as_table(archive: bytes) -> bool:
    """Whether the only chunk of an archive by `pc` is one of a table (FORMAT.md, 12)."""
    payload = []
    rebuilt(archive, lambda header, head: (header, payload.append(head.coded_len) or head))
    index = archive.rindex(container.INDEX_SYNC)
    return archive[index - payload[0]] == 1


def test_every_prefix_is_truncated(small):
    archive, content = small
    for length in range(len(archive)):
        with pytest.raises(TruncatedError) as caught:
            decode(archive[:length])
        assert content.startswith(decode.partial)
        assert "\n" not in str(caught.value)
        with pytest.raises(TruncatedError):
            check_coded(io.BytesIO(archive[:length]))


def test_every_prefix_with_threads(small):
    archive, content = small
    for length in range(0, len(archive), 5):
        with pytest.raises(TruncatedError):
            decode(archive[:length], threads=2)
        assert content.startswith(decode.partial)


def test_every_flipped_bit_is_refused(small):
    archive, content = small
    for bit in range(8 * len(archive)):
        damaged = bytearray(archive)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(LlmzError) as caught:
            decode(bytes(damaged))
        assert content.startswith(decode.partial)
        assert "\n" not in str(caught.value)
        expected = NotAnArchiveError if bit < 64 else LlmzError
        assert isinstance(caught.value, expected)
        # Without decoding, only the checks over content are out of reach.
        with pytest.raises(LlmzError):
            check_coded(io.BytesIO(bytes(damaged)))


def test_damage_is_the_same_error_with_threads(small):
    archive, _ = small
    for at in range(0, len(archive), 3):
        damaged = bytearray(archive)
        damaged[at] ^= 0x10
        said = []
        for threads in (1, 2):
            with pytest.raises(LlmzError) as caught:
                decode(bytes(damaged), threads)
            said.append((type(caught.value), str(caught.value), decode.partial))
        assert said[0] == said[1]


@pytest.mark.parametrize("at", ["start", "middle", "end"])
def test_bytes_too_many(small, at):
    archive, content = small
    place = {"start": 0, "middle": len(archive) // 2, "end": len(archive)}[at]
    with pytest.raises((CorruptError, NotAnArchiveError)):
        decode(archive[:place] + b"garbage" + archive[place:])
    assert content.startswith(decode.partial)


def rebuilt(archive: bytes, change) -> bytes:
    """`archive`, which has one segment of one chunk, with records changed under right checks."""
    rest = container.parse_header_prefix(archive[:16], 0)
    at = 16 + rest
    size = archive[at + 4] + 9
    header = container.parse_segment_header(archive[at : at + size], at)
    length = container.chunk_head_len(archive[at + size :][:17], 0)
    head = container.parse_chunk_head(archive[at + size :][:length], container.MAX_CHUNK, 0)
    header, head = change(header, head)
    coded = container.build_segment_header(header), container.build_chunk_head(head)
    end = at + size + length
    assert (len(coded[0]), len(coded[1])) == (size, length)
    return archive[:at] + b"".join(coded) + archive[end:]


@pytest.mark.parametrize("length", [1000, 40, "table"])
def test_a_different_prediction_is_named(make, predictor, prose, rows, length):
    archive = make(rows(30) if length == "table" else prose(length), predictor)
    if predictor.id == "store":
        pytest.skip("store predicts nothing")
    changed = rebuilt(archive, lambda h, c: (h.replace(canary=h.canary ^ 1), c))
    with pytest.raises(PredictionMismatch, match="segment 0 is intact"):
        decode(changed)
    assert decode.partial == b""


def test_a_wrong_check_of_the_content_is_corrupt(make, predictor, prose):
    archive = make(prose(2000), predictor)
    changed = rebuilt(archive, lambda h, c: (h, c.replace(check=bytes(8))))
    with pytest.raises(CorruptError, match="does not decode to what was coded") as caught:
        decode(changed)
    assert caught.value.segment == 0
    assert decode.partial == b""


@pytest.mark.parametrize("kind", ["prose", "table"])
def test_another_payload_under_a_right_check_is_refused_or_harmless(
    make, predictor, prose, rows, kind
):
    from zlib import crc32

    content = prose(2000) if kind == "prose" else rows(320)
    archive = make(content, predictor)
    index = archive.rindex(container.INDEX_SYNC)
    refused = 0
    for at in range(index - 300, index, 7):
        damaged = bytearray(archive)
        damaged[at] ^= 0x40

        def right(header, head, damaged=damaged):
            payload = bytes(damaged[index - head.coded_len : index])
            return header, head.replace(payload_crc=crc32(payload))

        # A coder may have bits that mean nothing.
        try:
            assert decode(rebuilt(bytes(damaged), right)) == content
        except (CorruptError, PredictionMismatch):
            refused += 1
            assert decode.partial == b""
    assert refused > 20
