"""Rows of archives of several segments: only those that have them are decoded."""

from __future__ import annotations

import io

import pytest

import llmzip
from llmzip import pc
from llmzip.archive import write_archive
from llmzip.errors import CorruptError, UsageError
from llmzip.options import Options
from llmzip.table import read_rows

SEGMENT = 20_000


def lines(count: int, seed: int = 1) -> list[bytes]:
    """A table whose columns depend on each other."""
    made, state = [], seed
    for row in range(count):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        kind = (state >> 40) % 5
        made.append(b"%d,kind %d,%s,%d\n" % (row, kind, b"abcde"[kind:3] + b"z", state >> 52))
    return made


@pytest.fixture(scope="module")
def circuit(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("circuit") / "c.pc"
    pc.train(b"".join(lines(6000)), states=4, passes=1).save(path)
    return str(path)


@pytest.mark.parametrize("predictor", ["pc", "circuit"])
def test_other_segments_are_not_decoded(tmp_path, circuit, predictor):
    rows = lines(6000)
    content = b"".join(rows)
    options = {"model": circuit} if predictor == "circuit" else {}
    sink = io.BytesIO()
    write_archive(
        io.BytesIO(content),
        sink,
        Options(predictor=predictor, level=3, segment_size=SEGMENT, threads=1, **options),
    )
    path = tmp_path / "a.llmz"
    archive = bytearray(sink.getvalue())
    path.write_bytes(archive)
    segments = llmzip.info(path).archives[0].segments
    assert len(segments) >= 5
    model = options.get("model")
    for start, stop in ((0, 3), (2999, 3010), (5990, 7000), (10, 10), (7000, None)):
        assert read_rows(path, start, stop, model=model) == rows[start:stop]
    assert read_rows(path, model=model) == rows
    # Of all other segments the coded bytes are damaged; their headers are not.
    at = content.index(rows[3000])
    own = at // SEGMENT
    assert (at + len(b"".join(rows[3000:3003]))) // SEGMENT == own
    for segment in segments:
        if segment.seq != own:
            archive[segment.offset + segment.length - 5] ^= 0x55
    path.write_bytes(archive)
    assert read_rows(path, 3000, 3003, model=model) == rows[3000:3003]
    with pytest.raises(CorruptError):
        read_rows(path, 0, 1, model=model)


def test_lines_across_segments_and_without_an_end(tmp_path):
    rows = [b"%d " % n * 900 + b"\n" for n in range(60)] + [b"no end"]
    sink = io.BytesIO()
    write_archive(io.BytesIO(b"".join(rows)), sink, Options(level=3, segment_size=7000))
    path = tmp_path / "a.llmz"
    path.write_bytes(sink.getvalue())
    for start, stop in ((0, 1), (7, 12), (59, 61), (60, None), (0, None)):
        assert read_rows(path, start, stop) == rows[start:stop]
    for start, stop in ((-1, 2), (3, 2)):
        with pytest.raises(UsageError):
            read_rows(path, start, stop)
