"""Decompressing into a caller's memory: the bytes, the checks, and what a buffer must be."""

from __future__ import annotations

import io
import mmap
from random import Random

import pytest

import llmzip
from llmzip.archive import write_archive
from llmzip.errors import CorruptError, LimitError, NotAnArchiveError, UsageError
from llmzip.limits import Limits
from llmzip.tensors import decompress_into
from llmzip.tensors.content import Content
from unit.tensors.helpers import entry, safetensors

# Weights of one magnitude, as bf16 below: the high bytes are few.
WEIGHTS = bytes(b for value in Random(2).choices(range(256), k=150_000) for b in (value, 0x3C))
FILE = safetensors(
    {
        "rows": entry("BF16", [1000, 100], 0, 200_000),
        "odd": entry("F32", [250], 200_000, 201_000),
        "noise": entry("U8", [98_999], 201_000, 299_999),
        "zeros": entry("F16", [1500], 299_999, 302_999),
    },
    WEIGHTS[:201_000] + Random(3).randbytes(98_999) + bytes(3000),
)


@pytest.fixture(scope="module", params=[1, 6])
def archive(request) -> bytes:
    return llmzip_compress(FILE, request.param)


def llmzip_compress(data: bytes, level: int) -> bytes:
    """As the command line does it, along tensors."""
    sink = io.BytesIO()
    write_archive(io.BytesIO(data), sink, llmzip.Options(level=level, threads=1))
    return sink.getvalue()


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_all_content_into_a_larger_buffer(archive, tmp_path, threads):
    path = tmp_path / "a.llmz"
    path.write_bytes(archive)
    for source in (archive, bytearray(archive), memoryview(archive), path, str(path)):
        buffer = bytearray(b"\xaa" * (len(FILE) + 9))
        assert decompress_into(source, buffer, threads=threads) == len(FILE)
        assert buffer == FILE + b"\xaa" * 9
    assert archive == path.read_bytes()


def test_every_kind_of_buffer(archive):
    numpy = pytest.importorskip("numpy")
    array = numpy.empty(len(FILE) // 4 + 1, numpy.float32)
    decompress_into(archive, array)
    assert array.tobytes()[: len(FILE)] == FILE
    with mmap.mmap(-1, len(FILE)) as memory:
        decompress_into(archive, memory)
        assert memory[:] == FILE


def test_any_range_of_content(archive):
    content = Content(archive)
    assert content.size == len(FILE) and content.packed
    random = Random(5)
    ranges = [(0, 0), (len(FILE), 0), (0, len(FILE)), (9, 1)]
    ranges += [(begin, random.randrange(len(FILE) - begin)) for begin in range(0, len(FILE), 9001)]
    for begin, length in ranges:
        buffer = bytearray(length)
        content.read_into(begin, buffer, threads=2)
        assert buffer == FILE[begin : begin + length]


def test_ranges_within_and_across_chunks():
    data = Random(6).choices(b"abcdefgh", k=3 << 20)
    data = safetensors({"t": entry("I8", [3 << 20], 0, 3 << 20)}, bytes(data))
    content = Content(llmzip_compress(data, 3))
    for begin, length in [
        (0, 5),
        ((1 << 20) - 7, 14),
        ((2 << 20) + 1, 1 << 20),
        (1 << 20, 1 << 20),
    ]:
        buffer = bytearray(length)
        content.read_into(begin, buffer)
        assert buffer == data[begin : begin + length]


@pytest.mark.parametrize("predictor", ["cm", "zstd", "store"])
def test_general_content(predictor):
    text = b"".join(b"line %d\n" % i for i in range(9000))
    options = llmzip.Options(level=3, predictor=predictor, segment_size=30_000, threads=1)
    archive = llmzip.compress(text, options=options)
    buffer = bytearray(2 * len(text))
    # Archives one after the other are one content.
    assert decompress_into(archive + archive, buffer, threads=2) == 2 * len(text)
    assert buffer == text + text


def test_an_empty_archive():
    assert decompress_into(llmzip.compress(b""), bytearray()) == 0


def test_what_is_no_buffer(archive):
    with pytest.raises(UsageError, match="larger one"):
        decompress_into(archive, bytearray(len(FILE) - 1))
    with pytest.raises(UsageError, match="read-only"):
        decompress_into(archive, bytes(len(FILE)))
    with pytest.raises(UsageError, match="gaps"):
        decompress_into(archive, memoryview(bytearray(2 * len(FILE)))[::2])
    with pytest.raises(UsageError, match="ends at byte"):
        Content(archive).read_into(len(FILE) - 1, bytearray(2))


def test_what_is_no_archive(tmp_path):
    for data in (b"", b"something else", FILE):
        (tmp_path / "f").write_bytes(data)
        with pytest.raises((NotAnArchiveError, CorruptError)):
            decompress_into(tmp_path / "f", bytearray(len(FILE)))
    with pytest.raises(FileNotFoundError):
        decompress_into(tmp_path / "missing", bytearray(1))


def test_memory_limit(archive):
    with pytest.raises(LimitError):
        decompress_into(archive, bytearray(len(FILE)), limits=Limits(decoder_memory=1000))


def test_every_damage_is_found(archive):
    """A flipped bit anywhere gives one of our errors, never other bytes."""
    buffer = bytearray(len(FILE))
    random = Random(7)
    places = [*range(0, 200, 3), *random.sample(range(len(archive)), 100), *range(-200, 0, 3)]
    for place in places:
        bad = bytearray(archive)
        bad[place] ^= 1 << random.randrange(8)
        try:
            decompress_into(bad, buffer, threads=1)
        except llmzip.LlmzError:
            continue
        # Only flags that readers must ignore, and what is said of the writer, may change.
        assert buffer == FILE, place


def test_swapped_segments_do_not_pass():
    """Two segments of one length that trade places are intact, but not this content."""
    data = Random(8).randbytes(20_000)
    options = llmzip.Options(level=1, predictor="store", segment_size=10_000, threads=1)
    whole = llmzip.compress(data, options=options)
    other = llmzip.compress(data[10_000:] + data[:10_000], options=options)
    body = llmzip.info(io.BytesIO(whole)).archives[0].segments
    begin, end = body[0].offset, body[-1].offset + body[-1].length
    mixed = whole[:begin] + other[begin:end] + whole[end:]
    with pytest.raises(CorruptError, match="content is not what"):
        decompress_into(mixed, bytearray(20_000))
