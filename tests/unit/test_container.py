"""Records: what is built parses back, and what FORMAT.md refuses is refused."""

from __future__ import annotations

import hashlib
import random
from zlib import crc32

import pytest

from llmzip import container
from llmzip._native import Sha256
from llmzip.container import (
    Bounds,
    ChunkHead,
    Footer,
    IndexEntry,
    Metadata,
    ModelRef,
    PredictorRef,
    SegmentHeader,
)
from llmzip.errors import CorruptError, UnsupportedError

METADATA = Metadata(
    (PredictorRef("cm", 1, 1), PredictorRef("store", 1, 0)), 6, Bounds(1 << 25, 1 << 20, 1 << 30)
)


def parse_header(record: bytes) -> container.Header:
    length = container.parse_header_prefix(record[:16], 0)
    assert length == len(record) - 16
    return container.parse_header(record[:16], record[16:], 0)


def header_with(meta: bytes, flags: int = 0, minor: int = 0) -> bytes:
    prefix = container.MAGIC + bytes((1, minor, flags, 0)) + len(meta).to_bytes(2, "little")
    prefix += crc32(prefix).to_bytes(4, "little")[:2]
    return prefix + meta + crc32(meta).to_bytes(4, "little")


def tag(number: int, value: bytes) -> bytes:
    return container.build_varint(number) + container.build_varint(len(value)) + value


PREDICTORS = tag(1, b"\x05store\x01\x00")
LEVEL = tag(3, b"\x06")
BOUNDS = tag(7, b"\x0a\x0a\x00")


@pytest.mark.parametrize(
    "metadata",
    [
        METADATA,
        METADATA.replace(comment="grüße", writer="someone"),
        METADATA.replace(models=(ModelRef(1, bytes(range(32)), 1 << 40, "modèle"),)),
        METADATA.replace(predictors=(PredictorRef("x" * 255, 1 << 40, 255),) * 16),
        METADATA.replace(bounds=Bounds((1 << 63) - 1, 1, (1 << 63) - 1)),
    ],
)
def test_a_header_parses_back(metadata):
    record = container.build_header(metadata)
    header = parse_header(record)
    assert header.metadata == metadata
    assert header.size == len(record)


def test_a_header_is_laid_out_as_the_format_says():
    record = container.build_header(METADATA)
    assert record[:12].hex() == "f64c4d5a0d0a1a0a01000000"
    assert int.from_bytes(record[12:14], "little") == len(record) - 20
    assert record[14:16] == crc32(record[:14]).to_bytes(4, "little")[:2]
    assert record[16:22].hex() == "010d02636d01"
    assert record[-4:] == crc32(record[16:-4]).to_bytes(4, "little")


def test_even_tags_and_higher_minor_versions_are_skipped_over():
    meta = PREDICTORS + LEVEL + tag(4, b"?") + BOUNDS + tag(200, b"later")
    assert parse_header(header_with(meta, minor=9)).metadata.level == 6


@pytest.mark.parametrize(
    "meta",
    [
        PREDICTORS + LEVEL + BOUNDS + tag(9, b""),
        PREDICTORS + LEVEL + BOUNDS + tag(11, b"x"),
        PREDICTORS + LEVEL + tag(5, b"\x05" + bytes(32) + b"\x00\x00") + BOUNDS,
    ],
)
def test_what_a_newer_version_may_write_is_unsupported(meta):
    with pytest.raises(UnsupportedError, match="newer llmzip"):
        parse_header(header_with(meta))


@pytest.mark.parametrize("flag", range(8))
def test_incompatible_flags_are_unsupported(flag):
    with pytest.raises(UnsupportedError, match="flags"):
        parse_header(header_with(PREDICTORS + LEVEL + BOUNDS, flags=1 << flag))


def test_another_major_version_is_named():
    record = bytearray(container.build_header(METADATA))
    record[8] = 2
    with pytest.raises(UnsupportedError, match="format 2"):
        parse_header(bytes(record))


@pytest.mark.parametrize(
    "meta",
    [
        b"",
        PREDICTORS + LEVEL,
        PREDICTORS + BOUNDS,
        LEVEL + BOUNDS,
        PREDICTORS + PREDICTORS + LEVEL + BOUNDS,
        LEVEL + PREDICTORS + BOUNDS,
        tag(1, b"") + LEVEL + BOUNDS,
        tag(1, b"\x00\x01\x00") + LEVEL + BOUNDS,
        tag(1, b"\x02a\x1b\x01\x00") + LEVEL + BOUNDS,
        tag(1, b"\x01\xe9\x01\x00") + LEVEL + BOUNDS,
        tag(1, b"\x05sto") + LEVEL + BOUNDS,
        tag(1, b"\x01a\x01\x00" * 17) + LEVEL + BOUNDS,
        PREDICTORS + tag(2, b"x" * 256) + LEVEL + BOUNDS,
        PREDICTORS + tag(3, b"\x00") + BOUNDS,
        PREDICTORS + tag(3, b"\x0a") + BOUNDS,
        PREDICTORS + tag(3, b"\x06\x00") + BOUNDS,
        PREDICTORS + LEVEL + tag(5, b"\x01" + bytes(10)) + BOUNDS,
        PREDICTORS + LEVEL + tag(7, b"\x0a\x0a"),
        PREDICTORS + LEVEL + tag(7, b"\x0a\x0a\x00\x00"),
        PREDICTORS + LEVEL + tag(7, b"\x0a\x81\x80\x40\x00"),
        PREDICTORS + LEVEL + BOUNDS + tag(8, b"\xff"),
        PREDICTORS + LEVEL + BOUNDS + tag(8, b"x" * 10_001),
        PREDICTORS + LEVEL + BOUNDS + b"\x0a",
        PREDICTORS + LEVEL + BOUNDS + b"\x0a\x05abcd",
        PREDICTORS + LEVEL + BOUNDS + b"\x8a\x00\x00",
        PREDICTORS + LEVEL + BOUNDS + b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        PREDICTORS + LEVEL + BOUNDS + b"\x0a" + b"\xff" * 10 + b"\x01",
    ],
)
def test_bad_metadata_is_corrupt(meta):
    with pytest.raises(CorruptError) as caught:
        parse_header(header_with(meta))
    assert caught.value.offset is not None
    assert 16 <= caught.value.offset <= 16 + len(meta)


@pytest.mark.parametrize(
    ("value", "coded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), ((1 << 63) - 1, "ff" * 8 + "7f")],
)
def test_varints(value, coded):
    assert container.build_varint(value).hex() == coded
    header = SegmentHeader(value, 0, 1, 0, 0, b"")
    assert container.parse_segment_header(container.build_segment_header(header), 0) == header


HEADER = SegmentHeader(3, 1, 5000, 4000, 0xDEADBEEF, b"\x01\x02")


def segment_record(body: bytes) -> bytes:
    record = container.SEGMENT_SYNC + bytes([len(body)]) + body
    return record + crc32(record).to_bytes(4, "little")


def test_a_segment_header_parses_back():
    record = container.build_segment_header(HEADER)
    assert container.parse_segment_header(record, 0) == HEADER


def test_settings_that_do_not_fit_are_a_bug_of_the_predictor():
    with pytest.raises(ValueError, match="too long"):
        container.build_segment_header(HEADER.replace(settings=bytes(250)))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("0000080a0a00000000", UnsupportedError),
        ("0000040a0a00000000", CorruptError),
        ("0100050a0a00000000", CorruptError),
        ("0000030a0a000000000000", CorruptError),
        ("0000020a0a000000000000", CorruptError),
        ("0100020a0a0000000000", CorruptError),
        ("0101020a0a000000000000", CorruptError),
        ("0100020a0a010000000000", CorruptError),
        ("0100020a0a000000000001", CorruptError),
        ("0100020a0a00000000000000", CorruptError),
        ("000000000a00000000", CorruptError),
        ("0000000a0a000000", CorruptError),
        ("00", CorruptError),
        ("", CorruptError),
        ("800000000a0a00000000", CorruptError),
    ],
)
def test_bad_segment_headers(body, error):
    with pytest.raises(error):
        container.parse_segment_header(segment_record(bytes.fromhex(body)), 0)


def head_record(kind: int, raw_len: int, coded_len: int, rest: bytes = bytes(12)) -> bytes:
    varint = container.build_varint
    record = bytes([kind]) + varint(raw_len) + varint(coded_len) + rest
    return record + crc32(record).to_bytes(4, "little")[:2]


@pytest.mark.parametrize(
    "head",
    [
        ChunkHead(0, 1, 1, 7, b"12345678"),
        ChunkHead(1, 1 << 20, (1 << 20) - 1, 0xFFFFFFFF, b"12345678"),
        ChunkHead(1, 200, 0, 0, b"12345678"),
        ChunkHead(2, 1 << 20, 1, 0, b"12345678"),
        ChunkHead(3, 128, 128, 0, b"12345678"),
    ],
)
def test_a_chunk_head_parses_back(head):
    record = container.build_chunk_head(head)
    assert container.chunk_head_len(record[: container.MIN_CHUNK_HEAD], 0) == len(record)
    assert container.parse_chunk_head(record, 1 << 20, 0) == head


@pytest.mark.parametrize(
    ("kind", "raw_len", "coded_len", "error"),
    [
        (0, 10, 9, CorruptError),
        (1, 10, 10, CorruptError),
        (2, 10, 2, CorruptError),
        (2, 10, 0, CorruptError),
        (3, 10, 11, CorruptError),
        (1, 0, 0, CorruptError),
        (1, 1001, 5, CorruptError),
        (4, 10, 0, CorruptError),
        (5, 10, 10, UnsupportedError),
        (255, 10, 10, UnsupportedError),
    ],
)
def test_bad_chunk_heads(kind, raw_len, coded_len, error):
    with pytest.raises(error):
        container.parse_chunk_head(head_record(kind, raw_len, coded_len), 1000, 0)


def test_chunks_of_copies():
    head = container.parse_chunk_head(head_record(4, 10, 0), 1000, 0, copied=True)
    assert (head.type, head.raw_len, head.coded_len) == (4, 10, 0)
    for kind, coded_len, error in (
        (4, 1, CorruptError),
        (0, 10, CorruptError),
        (1, 0, CorruptError),
    ):
        with pytest.raises(error):
            container.parse_chunk_head(head_record(kind, 10, coded_len), 1000, 0, copied=True)


def test_headers_of_copies():
    header = HEADER.replace(
        seq=7, predictor=0, canary=0, flags=container.COPY, settings=bytes([0, 6])
    )
    assert container.parse_segment_header(container.build_segment_header(header), 0) == header
    assert header.copy_of == container.CopyOf(0, 6)
    far = container.CopyOf(3, 1 << 40)
    header = header.replace(settings=container.build_copy_of(far))
    assert header.copy_of == far


def test_a_chunk_head_with_endless_numbers_is_corrupt():
    with pytest.raises(CorruptError):
        container.chunk_head_len(b"\x01" + b"\xff" * 16, 0)
    with pytest.raises(CorruptError):
        container.parse_chunk_head(head_record(0, 1, 1, bytes(13)), 1000, 0)


ENTRIES = [IndexEntry(100, 200), IndexEntry(1 << 40, 1 << 50, "layer.0.wéight")]


def index_record(body: bytes) -> bytes:
    record = container.INDEX_SYNC + body
    return record + crc32(record).to_bytes(4, "little")


def test_an_index_parses_back():
    record = container.build_index(ENTRIES, 2)
    assert container.parse_index(record, 0) == ENTRIES
    assert container.index_len(record + b"more", 0) == len(record)
    assert container.parse_index(container.build_index([], 0), 0) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01",
        b"\x02\x05\x05\x00",
        b"\x01\x05\x05\x00\x00",
        b"\x01\x05\x05\x02a",
        b"\x01\x05\x05\x01\xff",
        b"\x01\x05\x05\x81\x20" + b"a" * 4097,
        b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ],
)
def test_bad_indexes(body):
    with pytest.raises(CorruptError):
        container.parse_index(index_record(body), 0)


def test_a_footer_parses_back():
    footer = Footer(1234, 1 << 40, bytes(range(32)))
    record = container.build_footer(footer)
    assert len(record) == container.FOOTER_LEN
    assert container.parse_footer(record, 0) == footer


@pytest.mark.parametrize("build", ["header", "segment", "chunk", "index", "footer"])
def test_no_flipped_bit_passes(build):
    record, parse = {
        "header": (container.build_header(METADATA), parse_header),
        "segment": (
            container.build_segment_header(HEADER),
            lambda record: container.parse_segment_header(record, 0),
        ),
        "chunk": (
            container.build_chunk_head(ChunkHead(1, 300, 200, 5, b"12345678")),
            lambda record: container.parse_chunk_head(record, 1 << 20, 0),
        ),
        "index": (
            container.build_index(ENTRIES, 2),
            lambda record: container.parse_index(record, 0),
        ),
        "footer": (
            container.build_footer(Footer(5, 500, bytes(32))),
            lambda record: container.parse_footer(record, 0),
        ),
    }[build]
    parse(record)
    for bit in range(8 * len(record)):
        damaged = bytearray(record)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((CorruptError, UnsupportedError)):
            parse(bytes(damaged))


def test_sha256_grows_as_in_the_standard_library():
    ours, theirs = Sha256(), hashlib.sha256()
    for length in (0, 1, 55, 56, 64, 1000):
        part = random.Random(length).randbytes(length)
        ours.update(part)
        theirs.update(part)
        assert ours.digest() == theirs.digest()
