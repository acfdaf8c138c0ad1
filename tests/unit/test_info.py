"""`info`: what an archive says, without decoding."""

from __future__ import annotations

import io
import json

import pytest

import llmzip
from llmzip.errors import CorruptError, NotAnArchiveError, TruncatedError
from llmzip.info import ChunkCounts, Info, info


class Pipe(io.BytesIO):
    """Cannot seek."""

    def seekable(self) -> bool:
        return False


def test_it_says_what_was_written(content, archive):
    [found] = info(io.BytesIO(archive)).archives
    assert (found.offset, found.format, found.level) == (0, "1.0", 1)
    assert [(ref.id, ref.version, ref.coder) for ref in found.predictors] == [("zstd", 1, 0)]
    assert (found.max_segment_raw, found.max_chunk_raw) == (5000, 5000)
    assert (found.raw_bytes, found.archive_bytes) == (len(content), len(archive))
    assert len(found.content_hash) == 64
    assert [segment.seq for segment in found.segments] == list(range(9))
    assert sum(segment.raw_len for segment in found.segments) == len(content)
    for before, after in zip(found.segments, found.segments[1:], strict=False):
        assert before.offset + before.length == after.offset
    assert found.segments[0].chunks == ChunkCounts(0, 1, 0, 0)
    assert found.segments[5].chunks == ChunkCounts(0, 0, 0, 1)
    assert found.segments[7].chunks == ChunkCounts(0, 0, 1, 0)
    assert found.segments[8].chunks == ChunkCounts(0, 1, 0, 0)


def test_a_path_a_file_and_a_pipe_say_the_same(tmp_path, archive):
    data = archive + llmzip.compress(b"") + archive
    path = tmp_path / "x.llmz"
    path.write_bytes(data)
    found = info(path)
    assert found == info(str(path)) == info(io.BytesIO(data)) == info(Pipe(data))
    assert [one.offset for one in found.archives] == [0, len(archive), len(data) - len(archive)]
    assert found.archive_bytes == len(data)


def test_a_file_is_read_from_where_it_is(archive):
    source = io.BytesIO(b"front" + archive)
    source.seek(5)
    assert info(source).archives[0].offset == 5


def test_it_becomes_json(archive):
    plain = json.loads(json.dumps(info(io.BytesIO(archive)).as_dict()))
    assert plain["archives"][0]["segments"][0]["chunks"]["coded"] == 1
    assert isinstance(info(io.BytesIO(archive)), Info)


def test_little_is_read(monkeypatch):
    data = llmzip.compress(bytes(range(256)) * 20_000, options=llmzip.Options(predictor="store"))
    read = 0

    class Counting(io.BytesIO):
        def read(self, size=-1):
            nonlocal read
            out = super().read(size)
            read += len(out)
            return out

    info(Counting(data))
    assert len(data) > 5_000_000
    assert read < 3000


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 15, 16, 40, 100, -100, -53, -52, -51, -1])
def test_what_is_cut_off_is_truncated(archive, keep):
    with pytest.raises(TruncatedError):
        info(io.BytesIO(archive[:keep]))
    with pytest.raises(TruncatedError):
        info(Pipe(archive[:keep]))


def test_other_files(archive):
    with pytest.raises(NotAnArchiveError, match="gzip"):
        info(io.BytesIO(b"\x1f\x8b" + bytes(100)))
    with pytest.raises(NotAnArchiveError):
        info(Pipe(b"\x1f\x8b" + bytes(100)))
    with pytest.raises(CorruptError):
        info(io.BytesIO(archive + b"x"))
    with pytest.raises(CorruptError):
        info(io.BytesIO(llmzip.container.MAGIC + archive[8:40] + archive))


def test_damage_never_passes_as_another_error(archive):
    whole = info(io.BytesIO(archive))
    for at in range(len(archive)):
        damaged = bytearray(archive)
        damaged[at] ^= 4
        try:
            # Payloads are not read: what is said does not depend on them.
            assert info(io.BytesIO(bytes(damaged))) == whole
        except llmzip.errors.LlmzError as error:
            assert "\n" not in str(error)
