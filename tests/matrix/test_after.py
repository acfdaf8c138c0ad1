"""Segments that go on from segment 0: damage is refused, and threads and memory change nothing."""

from __future__ import annotations

import io

import pytest

import llmzip
from llmzip import container, route
from llmzip.archive import read_archive
from llmzip.errors import CorruptError, LimitError, LlmzError, TruncatedError
from llmzip.limits import Limits
from llmzip.options import Options

SEGMENTS = 4


@pytest.fixture
def content(unlike, prose) -> bytes:
    """Text in which the tiny model is asked."""
    return unlike[:150] + prose(250) + unlike[150:200] + prose(150)


@pytest.fixture
def archive(content, model) -> bytes:
    """`content` in several segments."""
    options = Options(level=3, model="tiny", segments=SEGMENTS)
    return llmzip.compress(content, options=options)


def decode(archive: bytes, threads: int = 1, **limits: int) -> bytes:
    sink = io.BytesIO()
    try:
        read_archive(io.BytesIO(archive), sink, threads=threads, limits=Limits(**limits))
    finally:
        decode.partial = sink.getvalue()
    return sink.getvalue()


def starts(archive: bytes) -> list[int]:
    """Where each segment begins."""
    return [segment.offset for segment in llmzip.info(io.BytesIO(archive)).archives[0].segments]


def test_threads_and_verification_change_nothing(content, archive):
    for threads in (1, 2, 5):
        for verify in (True, False):
            options = Options(
                level=3, model="tiny", segments=SEGMENTS, threads=threads, verify=verify
            )
            assert llmzip.compress(content, options=options) == archive
        assert decode(archive, threads) == content
    assert len(starts(archive)) == SEGMENTS


def test_memory_says_how_many_are_decoded_together(content, archive):
    need = llmzip.info(io.BytesIO(archive)).archives[0].decoder_memory
    for more in (0, 100_000_000, 1 << 30):
        assert decode(archive, 2, decoder_memory=need + more) == content
    with pytest.raises(LimitError, match="raise it with -M"):
        decode(archive, 2, decoder_memory=need - 1)
    assert content.startswith(decode.partial)


def test_it_is_read_in_other_ways_too(content, archive):
    with llmzip.LlmzFile(io.BytesIO(archive)) as file:
        assert file.read() == content
    with llmzip.LlmzFile(io.BytesIO(archive)) as file:
        for at in (len(content) - 40, 20, len(content) // 2, len(content) - 200, 0):
            file.seek(at)
            assert file.read(60) == content[at : at + 60]
    pieces = llmzip.Decompressor()
    assert b"".join(
        pieces.decompress(archive[at : at + 7]) for at in range(0, len(archive), 7)
    ) == (content)
    assert pieces.eof
    # Beside others.
    plain = llmzip.compress(content, level=3)
    assert decode(plain + archive + archive + plain, 2) == content * 4


def test_every_prefix_is_truncated(content, archive):
    for length in range(len(archive)):
        with pytest.raises(TruncatedError) as caught:
            decode(archive[:length], 1 + length % 2)
        assert content.startswith(decode.partial)
        assert "\n" not in str(caught.value)


def test_flipped_bits_are_refused(content, archive):
    headers = {at + n for at in starts(archive) for n in range(30)}
    for at in range(len(archive)):
        for bit in range(8) if at in headers else (at % 8,):
            damaged = bytearray(archive)
            damaged[at] ^= 1 << bit
            with pytest.raises(LlmzError) as caught:
                decode(bytes(damaged), 1 + at % 2)
            assert content.startswith(decode.partial)
            assert "\n" not in str(caught.value)


def changed(archive: bytes, number: int, **fields) -> bytes:
    """`archive` with another header of a segment, as long, under a right check."""
    at = starts(archive)[number]
    size = archive[at + 4] + 9
    header = container.parse_segment_header(archive[at : at + size], at)
    made = container.build_segment_header(header.replace(**fields))
    assert len(made) == size
    return archive[:at] + made + archive[at + size :]


def test_a_segment_fits_the_first_one_or_is_refused(content, archive):
    at = starts(archive)[0]
    settings = container.parse_segment_header(archive[at : at + archive[at + 4] + 9], at).settings
    longer, shorter = settings[:-1] + b"\x03", settings[:-2] + b"\x81\x01"
    assert len(shorter) == len(settings)
    for threads in (1, 2):
        for bad in (longer, shorter):
            with pytest.raises(CorruptError, match="does not fit"):
                decode(changed(archive, 2, settings=bad), threads)
        # One that says nothing of others to come; what it says is not enough for them.
        with pytest.raises(CorruptError, match=r"does not fit|makes room for|content"):
            decode(changed(archive, 0, flags=container.KEPT), threads)
        both = archive
        for number in range(SEGMENTS):
            both = changed(both, number, settings=shorter)
        with pytest.raises(CorruptError, match="longer than the first one makes room for"):
            decode(both, threads)
        with pytest.raises(LlmzError):
            decode(changed(archive, 1, flags=0), threads)


def test_segments_are_cut_where_lines_or_words_end():
    from llmzip.group import split

    text = (b"some words of a line\n" * 9 + b"\n") * 40
    for parts in (1, 2, 3, 8, 64):
        cut = split(text, parts)
        assert b"".join(cut) == text and len(cut) == parts
        assert parts > 8 or all(bytes(part).endswith(b"\n") for part in cut)
        if parts < 4:
            assert all(bytes(part).endswith(b"\n\n") for part in cut[:-1])
    words = b"words " * 4000
    assert all(bytes(part).endswith(b" ") for part in split(words, 7))
    # The first is half as long.
    assert [len(part) for part in split(bytes(18), 5)] == [2, 4, 4, 4, 4]
    assert [len(part) for part in split(b"ab", 5)] == [1, 1]


def test_how_many_segments_a_text_gets(model):
    from llmzip import _native
    from llmzip.group import count

    def auto(length: int, level: int = 6, asked: int = 0) -> int:
        ref = route.newest("llm")
        settings = _native.settings("llm", ref.version, level, b"")
        return count(length, asked, route.Choice(ref, settings), model)

    assert [auto(n << 10) for n in (1, 63, 64, 100, 130)] == [1, 1, 2, 3, 4]
    assert auto(1 << 20, level=7) == 1
    assert auto(1 << 20, level=7, asked=5) == 5
    assert auto(3, asked=5) == 3
