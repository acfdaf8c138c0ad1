"""An archive that brings its model, through the Python API."""

from __future__ import annotations

import io
import tracemalloc
from hashlib import sha256

import pytest

import llmzip
import synthetic
from golden import bad
from golden.parts import STORED, Archive, Chunk, Segment, varint
from llmzip.archive import read_archive
from llmzip.errors import CorruptError, LimitError, LlmzError, UsageError
from llmzip.options import Options

PROSE = (synthetic.TEXT + ".\n").encode() * 20


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    path = folder / "tiny.lzpack"
    path.write_bytes(synthetic.pack(folder / "tiny.gguf"))
    options = Options(model=str(path), embed_model=True, segment_size=500)
    return llmzip.compress(PROSE, options=options)


@pytest.fixture(autouse=True)
def no_store(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMZIP_MODELS", str(tmp_path))


def test_it_is_read_in_every_way(archive):
    assert llmzip.decompress(archive) == PROSE
    with llmzip.open(io.BytesIO(archive)) as file:
        assert file.read() == PROSE
        file.seek(700)
        assert file.read(40) == PROSE[700:740]
    decompressor = llmzip.Decompressor()
    pieces = [archive[at : at + 999] for at in range(0, len(archive), 999)]
    assert b"".join(decompressor.decompress(piece) for piece in pieces) == PROSE
    assert decompressor.eof
    assert llmzip.info(io.BytesIO(archive)).archives[0].models[0].embedded


def test_options_without_a_model_are_refused():
    with pytest.raises(UsageError):
        Options(embed_model=True)


def test_a_claimed_length_takes_no_memory():
    hostile = bad.good()
    for length in (1 << 31, 1 << 40, (1 << 63) - 1):
        hostile.records[5] = b"\2" + bytes(32) + varint(length) + b"\0"
        tracemalloc.start()
        try:
            with pytest.raises(LlmzError) as caught:
                read_archive(io.BytesIO(hostile.build()), io.BytesIO())
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()
        assert isinstance(caught.value, LimitError) == (length > 1 << 31)


def test_every_prefix_and_many_flipped_bits_are_refused(archive):
    for at in range(0, len(archive), 97):
        with pytest.raises(LlmzError):
            read_archive(io.BytesIO(archive[:at]), None, threads=1)
        flipped = bytearray(archive)
        flipped[at] ^= 1 << at % 8
        with pytest.raises(LlmzError):
            read_archive(io.BytesIO(flipped), None, threads=1)


def test_a_model_is_checked_where_no_segment_asks_for_it():
    pack = b"any bytes"
    ones = [Chunk(STORED, pack[at : at + 1], pack[at : at + 1]) for at in range(len(pack))]
    parts = [Segment(0, b"", [chunk]) for chunk in ones]
    whole = Archive([bad.STORE], [], model=parts, decoder_memory=0)
    for named, good in ((pack, True), (b"no bytes!", False)):
        whole.records[5] = b"\2" + sha256(named).digest() + varint(len(pack)) + b"\0"
        if good:
            read_archive(io.BytesIO(whole.build()), None)
            continue
        with pytest.raises(CorruptError, match="not the one that the archive names"):
            read_archive(io.BytesIO(whole.build()), None)
