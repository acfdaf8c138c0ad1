"""Archives whose every check is right and whose numbers lie: one line, no allocation, no crash."""

from __future__ import annotations

import io
import subprocess
import sys
from zlib import crc32

import pytest

import llmzip
from llmzip import Limits, container
from llmzip.archive import check_coded, read_archive
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
from llmzip.errors import CorruptError, LlmzError, ModelError, TruncatedError, UnsupportedError

HUGE = (1 << 62) + 12345
METADATA = Metadata((PredictorRef("store", 1, 0),), 6, Bounds(HUGE, 1 << 20, 0))
ZSTD = METADATA.replace(predictors=(PredictorRef("zstd", 1, 0),))


def chunk(kind: int, raw: bytes, payload: bytes) -> bytes:
    from llmzip._native import xxh3_128

    head = ChunkHead(kind, len(raw), len(payload), crc32(payload), xxh3_128(raw)[:8])
    return container.build_chunk_head(head) + payload


def segment(body: bytes, raw_len: int, *, coded_len: int | None = None, **fields) -> bytes:
    given = len(body) if coded_len is None else coded_len
    header = SegmentHeader(0, 0, raw_len, given, 0, b"").replace(**fields)
    return container.build_segment_header(header) + body


def archive(*segments: bytes, raw_lens: tuple[int, ...], metadata: Metadata = METADATA) -> bytes:
    """An archive whose index fits its segments; its content hash is wrong."""
    front = container.build_header(metadata) + b"".join(segments)
    entries = [IndexEntry(len(s), n) for s, n in zip(segments, raw_lens, strict=True)]
    index = container.build_index(entries, len(entries))
    total = len(front) + len(index) + container.FOOTER_LEN
    return front + index + container.build_footer(Footer(len(index), total, bytes(32)))


def refuse(data: bytes, error: type[LlmzError], match: str, *, coded_too: bool = True) -> None:
    for threads in (1, 2):
        with pytest.raises(error, match=match) as caught:
            read_archive(io.BytesIO(data), io.BytesIO(), threads=threads)
        assert "\n" not in str(caught.value)
    if coded_too:
        with pytest.raises(error, match=match):
            check_coded(io.BytesIO(data))


GOOD = chunk(container.STORED, b"abc", b"abc")


def test_a_wrong_content_hash():
    data = archive(segment(GOOD, 3), raw_lens=(3,))
    refuse(data, CorruptError, "content is not what", coded_too=False)
    assert check_coded(io.BytesIO(data)).raw_bytes == 3


def test_lengths_beyond_the_file():
    header = container.build_header(METADATA)
    for raw_len, coded_len in ((HUGE, HUGE), (1, HUGE), (HUGE, 17)):
        data = header + segment(b"", raw_len, coded_len=coded_len)
        refuse(data, TruncatedError, "ends too early")


@pytest.mark.parametrize(
    ("body", "raw_len", "coded_len"),
    [
        (GOOD, 2, None),
        (GOOD, 4, None),
        (GOOD, 3, len(GOOD) + 1),
        (GOOD, 3, len(GOOD) - 1),
        (GOOD, 3, 0),
        (GOOD + GOOD, 3, None),
        (b"", 3, None),
        (GOOD, 3, 10),
    ],
)
def test_chunks_that_do_not_add_up(body, raw_len, coded_len):
    data = archive(segment(body, raw_len, coded_len=coded_len), raw_lens=(raw_len,))
    refuse(data, CorruptError, "chunks do not add up|chunk's head|neither a segment")


def test_a_segment_over_the_headers_bound():
    small = METADATA.replace(bounds=Bounds(2, 1 << 20, 0))
    data = archive(segment(GOOD, 3), raw_lens=(3,), metadata=small)
    refuse(data, CorruptError, "larger than the header allows")
    small = METADATA.replace(bounds=Bounds(3, 2, 0))
    data = archive(segment(GOOD, 3), raw_lens=(3,), metadata=small)
    refuse(data, CorruptError, "a chunk of 3 bytes")


def test_segment_numbers_and_predictors():
    data = archive(segment(GOOD, 3, seq=1), raw_lens=(3,))
    refuse(data, CorruptError, "segment 1 stands where 0 should")
    data = archive(segment(GOOD, 3, predictor=1), raw_lens=(3,))
    refuse(data, CorruptError, "no predictor of the header")


@pytest.mark.parametrize("ref", [("magic", 1, 0), ("zstd", 99, 0), ("zstd", 1, 1)])
def test_unknown_predictors(ref):
    metadata = METADATA.replace(predictors=(PredictorRef(*ref),))
    data = archive(segment(GOOD, 3), raw_lens=(3,), metadata=metadata)
    refuse(data, UnsupportedError, f"predictor '{ref[0]}' version {ref[1]}", coded_too=False)
    assert llmzip.info(io.BytesIO(data)).archives[0].predictors[0].id == ref[0]
    assert check_coded(io.BytesIO(data)).segments == 1


def test_unknown_settings():
    data = archive(segment(GOOD, 3, settings=b"\xff\xff"), raw_lens=(3,), metadata=ZSTD)
    refuse(data, UnsupportedError, "segment 0 needs a newer llmzip", coded_too=False)


def test_a_missing_model():
    model = ModelRef(1, bytes(range(32)), 1 << 30, "gpt\x1b[2J")
    data = archive(segment(GOOD, 3), raw_lens=(3,), metadata=METADATA.replace(models=(model,)))
    refuse(data, ModelError, "000102030405", coded_too=False)
    with pytest.raises(ModelError) as caught:
        read_archive(io.BytesIO(data), None)
    assert "\x1b" not in str(caught.value)
    assert llmzip.info(io.BytesIO(data)).archives[0].models[0].name == model.name


def test_index_and_footer_that_do_not_match():
    front = container.build_header(METADATA) + segment(GOOD, 3)
    length = len(segment(GOOD, 3))
    for entries in (
        [],
        [IndexEntry(length, 3), IndexEntry(length, 3)],
        [IndexEntry(length + 1, 3)],
        [IndexEntry(length, 4)],
    ):
        index = container.build_index(entries, len(entries))
        total = len(front) + len(index) + container.FOOTER_LEN
        data = front + index + container.build_footer(Footer(len(index), total, bytes(32)))
        refuse(data, CorruptError, "index")
        with pytest.raises(CorruptError):
            llmzip.info(io.BytesIO(data))
    index = container.build_index([IndexEntry(length, 3)], 1)
    total = len(front) + len(index) + container.FOOTER_LEN
    for footer in (
        Footer(len(index) + 1, total, bytes(32)),
        Footer(len(index), total - 1, bytes(32)),
    ):
        data = front + index + container.build_footer(footer)
        refuse(data, CorruptError, "archive's end")
        with pytest.raises(CorruptError):
            llmzip.info(io.BytesIO(data))


@pytest.mark.parametrize("index_len", [0, 10, 1 << 31, (1 << 32) - 1])
@pytest.mark.parametrize("archive_len", [0, 52, 1 << 40, (1 << 64) - 1])
def test_footers_that_point_anywhere(index_len, archive_len):
    data = archive(segment(GOOD, 3), raw_lens=(3,))[: -container.FOOTER_LEN]
    data += container.build_footer(Footer(index_len, archive_len, bytes(32)))
    for read in (llmzip.info, lambda f: llmzip.LlmzFile(f).seek(0, 2)):
        with pytest.raises(CorruptError):
            read(io.BytesIO(data))


def test_an_index_that_points_between_segments():
    body = segment(GOOD, 3)
    second = segment(GOOD, 3, seq=1)
    front = container.build_header(METADATA) + body + second
    index = container.build_index([IndexEntry(len(body) + 1, 3), IndexEntry(len(second) - 1, 3)], 2)
    total = len(front) + len(index) + container.FOOTER_LEN
    data = front + index + container.build_footer(Footer(len(index), total, bytes(32)))
    with llmzip.LlmzFile(io.BytesIO(data)) as file:
        file.seek(4)
        with pytest.raises(CorruptError):
            file.read()


PROGRAM = """
import io, resource, sys
import llmzip
from llmzip.archive import check_coded, read_archive
from llmzip.errors import LlmzError
from llmzip.recovery import recover
data = sys.stdin.buffer.read()
try:
    llmzip.info(io.BytesIO(data))
except LlmzError:
    pass
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for attempt in (
    lambda: read_archive(io.BytesIO(data), io.BytesIO(), threads=1),
    lambda: read_archive(io.BytesIO(data), io.BytesIO(), threads=2),
    lambda: check_coded(io.BytesIO(data)),
    lambda: llmzip.LlmzFile(io.BytesIO(data)).seek(0, 2),
    lambda: recover(io.BytesIO(data), io.BytesIO()),
):
    try:
        attempt()
    except LlmzError as error:
        print(type(error).__name__, error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("predictor", llmzip._native.predictors(), ids=lambda entry: entry[0])
def test_absurd_lengths_take_no_memory(predictor):
    ref = PredictorRef(*predictor)
    metadata = METADATA.replace(predictors=(ref,), bounds=Bounds((1 << 63) - 1, 1 << 20, 0))
    settings = llmzip._native.settings(ref.id, ref.version, 3, b"")
    data = container.build_header(metadata) + segment(
        b"", (1 << 63) - 1, coded_len=(1 << 63) - 1, settings=settings
    )
    command = [sys.executable, "-P", "-c", PROGRAM]
    done = subprocess.run(command, input=data, check=True, capture_output=True, timeout=60)
    *errors, grown = done.stdout.decode().splitlines()
    assert all(line.split()[0] in ("TruncatedError", "LimitError") for line in errors), errors
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(grown) * unit < 32 << 20


def test_an_absurd_memory_need_is_a_limit_error():
    # Whatever a predictor says it needs is held against the limits before it is made.
    data = llmzip.compress(b"some text" * 1000, options=llmzip.Options(predictor="zstd"))
    with pytest.raises(llmzip.errors.LimitError, match="memory to decode a segment"):
        llmzip.decompress(data, limits=Limits(decoder_memory=1000))
