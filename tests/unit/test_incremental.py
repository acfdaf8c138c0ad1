"""`Compressor` and `Decompressor`, fed and drained in any pieces."""

from __future__ import annotations

import io

import pytest

import llmzip
from llmzip import Compressor, Decompressor
from llmzip.archive import write_archive
from llmzip.errors import CorruptError, LimitError, UsageError


@pytest.mark.parametrize("step", [1, 13, 4999, 5000, 5001, 1 << 20])
def test_pieces_do_not_matter(content, options, archive, step):
    compressor = Compressor(options=options)
    parts = [compressor.compress(content[at : at + step]) for at in range(0, len(content), step)]
    assert b"".join(parts) + compressor.flush() == archive


def test_the_same_as_a_stream(content):
    sink = io.BytesIO()
    write_archive(io.BytesIO(content), sink, llmzip.Options(level=1))
    assert Compressor(1).compress(content, Compressor.FLUSH_ARCHIVE) == sink.getvalue()
    assert llmzip.compress(content, 1) == sink.getvalue()


def test_flushing_a_segment_lets_all_be_decoded(content, options):
    compressor, decompressor = Compressor(options=options), Decompressor()
    for at in range(0, len(content), 3000):
        piece = content[at : at + 3000]
        coded = compressor.compress(piece, Compressor.FLUSH_SEGMENT)
        assert compressor.last_mode == Compressor.FLUSH_SEGMENT
        assert decompressor.decompress(coded) == piece
    assert compressor.flush(Compressor.FLUSH_SEGMENT) == b""
    assert not decompressor.eof
    assert decompressor.decompress(compressor.flush()) == b""
    assert decompressor.eof


def test_after_the_end_another_archive_begins(options):
    compressor = Compressor(options=options)
    first = compressor.compress(b"one", Compressor.FLUSH_ARCHIVE)
    second = compressor.compress(b"two") + compressor.flush()
    third = compressor.flush()
    assert llmzip.decompress(first) == b"one"
    assert llmzip.decompress(second) == b"two"
    assert llmzip.decompress(third) == b""
    assert llmzip.decompress(first + second + third) == b"onetwo"


def test_wrong_modes_and_options():
    with pytest.raises(ValueError, match="mode"):
        Compressor().compress(b"", 7)
    with pytest.raises(ValueError, match="mode"):
        Compressor().flush(Compressor.CONTINUE)
    with pytest.raises(UsageError):
        Compressor(3, options=llmzip.Options())


@pytest.mark.parametrize("max_length", [-1, 1, 777, 5000])
@pytest.mark.parametrize("step", [1, 1000])
def test_decoding_in_any_pieces(content, archive, step, max_length):
    decompressor = Decompressor()
    rest, out = archive + b"unused", bytearray()
    while not decompressor.eof:
        piece = b""
        if decompressor.needs_input:
            piece, rest = rest[:step], rest[step:]
            assert piece
        got = decompressor.decompress(piece, max_length)
        assert max_length < 0 or len(got) <= max_length
        assert got or decompressor.needs_input or decompressor.eof
        out += got
    assert bytes(out) == content
    assert not decompressor.needs_input
    assert decompressor.unused_data + rest == b"unused"
    with pytest.raises(EOFError):
        decompressor.decompress(b"")


def test_nothing_is_asked_for_while_output_is_left(archive, content):
    decompressor = Decompressor()
    assert decompressor.decompress(archive, 10) == content[:10]
    assert not decompressor.needs_input
    assert decompressor.decompress(b"", 10) == content[10:20]
    assert decompressor.decompress(b"") == content[20:]
    assert decompressor.eof


def test_unused_data_is_empty_before_the_end(archive):
    decompressor = Decompressor()
    decompressor.decompress(archive[:-1])
    assert (decompressor.eof, decompressor.unused_data, decompressor.needs_input) == (
        False,
        b"",
        True,
    )


def test_damage_and_limits(archive, content):
    damaged = bytearray(archive)
    damaged[len(archive) // 2] ^= 1
    decompressor = Decompressor()
    for data in (bytes(damaged), b"", b"more"):
        with pytest.raises(CorruptError):
            decompressor.decompress(data)
        assert not decompressor.eof
    with pytest.raises(LimitError):
        Decompressor(limits=llmzip.Limits(max_output=len(content) - 1)).decompress(archive)
