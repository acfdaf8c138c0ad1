"""`LlmzFile` and `open`: whatever is done to the content's `io.BytesIO` gives the same here."""

from __future__ import annotations

import io
import os
from random import Random

import pytest

import llmzip
from llmzip import LlmzFile, seeking
from llmzip.errors import CorruptError, LimitError, NotAnArchiveError, TruncatedError, UsageError


@pytest.fixture
def three(archive, options):
    """Concatenated archives: of 40 kB, empty, and short; and their content."""
    return archive + llmzip.compress(b"") + llmzip.compress(b"the end", options=options)


@pytest.fixture
def whole(content):
    return content + b"the end"


class Pipe(io.BytesIO):
    """Cannot seek."""

    def seekable(self) -> bool:
        return False

    def seek(self, *args):
        raise io.UnsupportedOperation("seek")

    def tell(self):
        raise io.UnsupportedOperation("tell")


@pytest.mark.parametrize("seed", range(6))
def test_any_pattern_of_reads(three, whole, seed):
    random = Random(seed)
    ours, theirs = LlmzFile(io.BytesIO(three)), io.BytesIO(whole)
    for _ in range(250):
        act = random.randrange(9)
        length = random.choice([0, 1, 13, 700, 4999, 5000, 5001, 20_000])
        if act == 0:
            place = random.randrange(len(whole) + 50)
            assert ours.seek(place) == theirs.seek(place)
        elif act == 1:
            place = max(random.randrange(-9000, 9000), -theirs.tell())
            assert ours.seek(place, os.SEEK_CUR) == theirs.seek(place, os.SEEK_CUR)
        elif act == 2:
            place = -random.randrange(len(whole))
            assert ours.seek(place, os.SEEK_END) == theirs.seek(place, os.SEEK_END)
        elif act == 3:
            buffers = bytearray(length), bytearray(length)
            assert ours.readinto(buffers[0]) == theirs.readinto(buffers[1])
            assert buffers[0] == buffers[1]
        elif act == 4:
            assert ours.readline() == theirs.readline()
        elif act == 5:
            at = theirs.tell()
            peeked = ours.peek(length)
            assert ours.tell() == at
            assert whole[at:].startswith(peeked)
            assert peeked or at >= len(whole)
        elif act == 6:
            got = ours.read1(length)
            assert theirs.read(len(got)) == got
            assert got or not length or theirs.tell() >= len(whole)
        else:
            assert ours.read(length) == theirs.read(length)
        assert ours.tell() == theirs.tell()
    assert ours.read() == theirs.read()


def test_reading_on_after_a_seek_decodes_once(monkeypatch, archive, content):
    decoded = []

    class Counting(seeking.SegmentDecoder):
        def decode(self, chunk):
            decoded.append(chunk.offset)
            return super().decode(chunk)

    monkeypatch.setattr(seeking, "SegmentDecoder", Counting)
    file = LlmzFile(io.BytesIO(archive))
    file.seek(1)
    assert b"".join(iter(lambda: file.read(11), b"")) == content[1:]
    assert len(decoded) == len(set(decoded)) == -(-len(content) // 5000)
    # All of it is still in the cache.
    file.seek(0)
    assert file.read() == content
    assert len(decoded) == len(set(decoded))
    # A single byte at the end of another file object decodes a single segment.
    decoded.clear()
    again = LlmzFile(io.BytesIO(archive))
    again.seek(-1, os.SEEK_END)
    assert again.read() == content[-1:]
    assert len(decoded) == 1


def test_the_cache_is_bounded(monkeypatch, archive, content):
    monkeypatch.setattr(seeking, "_CACHE_BYTES", 12_000)
    access = seeking.RandomAccess(io.BytesIO(archive), 0, llmzip.Limits())
    random = Random(1)
    for _ in range(200):
        place = random.randrange(len(content))
        got = bytes(access.read(place))
        assert got and content[place:].startswith(got)
        assert access._cached_bytes == sum(map(len, access._cache.values())) <= 12_000


def test_many_chunks_in_a_segment(monkeypatch):
    data = b"".join(number.to_bytes(4, "big") for number in range(700_000))
    archive = llmzip.compress(data, level=1)
    decoded = []

    class Counting(seeking.SegmentDecoder):
        def decode(self, chunk):
            decoded.append(chunk.offset)
            return super().decode(chunk)

    monkeypatch.setattr(seeking, "SegmentDecoder", Counting)
    file = LlmzFile(io.BytesIO(archive))
    file.seek(5)
    assert b"".join(iter(lambda: file.read(100_000), b"")) == data[5:]
    assert len(decoded) == 3
    file, plain = LlmzFile(io.BytesIO(archive)), io.BytesIO(data)
    for place in (2_500_000, 10, 1 << 20, (1 << 20) - 3, 2_799_990, 0):
        file.seek(place)
        plain.seek(place)
        assert file.read(1_100_000) == plain.read(1_100_000)


def test_a_pipe_reads_from_front_to_back(three, whole):
    file = LlmzFile(Pipe(three))
    assert not file.seekable()
    assert file.read(10) == whole[:10]
    with pytest.raises(io.UnsupportedOperation):
        file.seek(0)
    assert file.read() == whole[10:]
    assert file.read(1) == b""


def test_sequential_reading_checks_the_content_hash(archive):
    damaged = bytearray(archive)
    at = len(archive) - llmzip.container.FOOTER_LEN + 12
    damaged[at] ^= 1
    footer = damaged[-llmzip.container.FOOTER_LEN :]
    from zlib import crc32

    footer[44:48] = crc32(footer[:44]).to_bytes(4, "little")
    damaged[-llmzip.container.FOOTER_LEN :] = footer
    with pytest.raises(CorruptError, match="content is not what"):
        LlmzFile(io.BytesIO(bytes(damaged))).read()


def test_the_archive_may_begin_anywhere(archive, content):
    source = io.BytesIO(b"before" + archive)
    source.seek(6)
    file = LlmzFile(source)
    assert file.read(100) == content[:100]
    file.seek(-100, os.SEEK_END)
    assert file.read() == content[-100:]


@pytest.mark.parametrize("kind", ["path", "str", "bytes"])
def test_paths(tmp_path, content, options, archive, kind):
    path = tmp_path / "file.llmz"
    file = {"path": path, "str": str(path), "bytes": os.fsencode(path)}[kind]
    with LlmzFile(file, "w", options=options) as out:
        assert out.mode == "wb" and out.writable() and not out.readable() and not out.seekable()
        assert out.write(content[:1000]) == 1000
        assert out.write(memoryview(content)[1000:]) == len(content) - 1000
        assert out.tell() == len(content)
        assert out.fileno() > 0
    assert path.read_bytes() == archive
    with LlmzFile(file) as back:
        assert back.mode == "rb" and back.readable() and not back.writable() and back.seekable()
        assert os.fsdecode(back.name) == str(path)
        assert back.read() == content
    assert back.closed
    with pytest.raises(FileExistsError):
        LlmzFile(file, "x")
    with LlmzFile(file, "ab", options=options) as out:
        out.write(b"more")
    with llmzip.open(file) as back:
        assert back.read() == content + b"more"
        back.seek(len(content) + 1)
        assert back.read() == b"ore"


def test_threads_write_the_same(content, archive):
    sink = io.BytesIO()
    options = llmzip.Options(level=1, segment_size=5000, threads=3)
    with LlmzFile(sink, "w", options=options) as file:
        for at in range(0, len(content), 777):
            file.write(content[at : at + 777])
    assert sink.getvalue() == archive


def test_a_file_object_stays_open(archive):
    source, sink = io.BytesIO(archive), io.BytesIO()
    LlmzFile(source).close()
    assert not source.closed
    with LlmzFile(sink, "w") as file:
        file.write(b"x")
    assert llmzip.decompress(sink.getvalue()) == b"x"


def test_positional_mode_as_joblib_calls_it(archive, content):
    assert LlmzFile(io.BytesIO(archive), "rb").read() == content


@pytest.mark.parametrize("newline", [None, "", "\r\n"])
def test_text(tmp_path, newline):
    path = tmp_path / "text.llmz"
    words = ["první\n", "druhá 漢字\n", "\n", "poslední"]
    with llmzip.open(path, "wt", encoding="utf-8", newline=newline) as file:
        file.writelines(words)
    plain = io.BytesIO()
    text = io.TextIOWrapper(plain, "utf-8", newline=newline)
    text.writelines(words)
    text.flush()
    assert llmzip.decompress(path.read_bytes()) == plain.getvalue()
    with llmzip.open(path, "rt", encoding="utf-8", newline=newline) as file:
        assert "".join(file) == plain.getvalue().decode() if newline == "" else "".join(words)
    with llmzip.open(path, "rt", encoding="ascii", errors="replace") as file:
        assert "�" in file.read()


def test_an_exception_leaves_the_archive_incomplete(tmp_path, content, options):
    path = tmp_path / "file.llmz"
    with pytest.raises(RuntimeError), LlmzFile(path, "w", options=options) as file:
        file.write(content)
        raise RuntimeError
    assert file.closed
    with pytest.raises(TruncatedError):
        llmzip.decompress(path.read_bytes())


def test_a_failed_write_cannot_be_completed(content, options):
    class Full(io.BytesIO):
        full = True

        def write(self, data):
            if self.full:
                raise OSError(28, "No space left on device")
            return super().write(data)

    sink = Full()
    file = LlmzFile(sink, "w", options=options)
    with pytest.raises(OSError, match="No space"):
        file.write(content)
    sink.full = False
    with pytest.raises(UsageError, match="cannot be completed"):
        file.write(content)
    file.close()
    with pytest.raises(TruncatedError):
        llmzip.decompress(sink.getvalue())


def test_a_closed_file():
    file = LlmzFile(io.BytesIO(llmzip.compress(b"abc")))
    file.close()
    file.close()
    for act in (file.read, file.tell, file.readable, file.writable, file.seekable, file.fileno):
        with pytest.raises(ValueError, match="closed"):
            act()
    with pytest.raises(ValueError, match="closed"):
        file.__enter__()


def test_wrong_uses(archive):
    source = io.BytesIO(archive)
    with pytest.raises(TypeError, match="for writing"):
        LlmzFile(source, level=3)
    with pytest.raises(TypeError, match="for writing"):
        llmzip.open(source, options=llmzip.Options())
    with pytest.raises(TypeError, match="for reading"):
        LlmzFile(io.BytesIO(), "w", limits=llmzip.Limits())
    with pytest.raises(UsageError, match="not both"):
        LlmzFile(io.BytesIO(), "w", level=3, options=llmzip.Options())
    with pytest.raises(TypeError, match="path or a binary file"):
        LlmzFile(3)  # type: ignore[arg-type]
    for mode in ("", "rw", "r+", "q", "bb", "rbb", "rt"):
        with pytest.raises(ValueError, match="invalid mode"):
            LlmzFile(source, mode)
    with pytest.raises(ValueError, match="invalid mode"):
        llmzip.open(source, "rbt")
    with pytest.raises(ValueError, match="text mode"):
        llmzip.open(source, "rb", encoding="utf-8")
    with pytest.raises(io.UnsupportedOperation):
        LlmzFile(source).write(b"x")
    with LlmzFile(io.BytesIO(), "w") as file:
        for act in (file.read, file.peek, file.readline, lambda: file.seek(0)):
            with pytest.raises(io.UnsupportedOperation):
                act()
    file = LlmzFile(source)
    with pytest.raises(ValueError, match="negative"):
        file.seek(-1)
    with pytest.raises(ValueError, match="whence"):
        file.seek(0, 9)


def test_a_wrong_mode_leaves_no_file(tmp_path):
    path = tmp_path / "file.llmz"
    with pytest.raises(UsageError):
        LlmzFile(path, "w", level=11)
    assert not path.exists()


def test_errors_while_reading(archive):
    with pytest.raises(NotAnArchiveError):
        LlmzFile(io.BytesIO(b"plain text")).read()
    with pytest.raises(TruncatedError):
        LlmzFile(io.BytesIO(archive[:-1])).read()
    with pytest.raises(TruncatedError):
        LlmzFile(io.BytesIO(archive[:-1])).seek(0, os.SEEK_END)
    limits = llmzip.Limits(decoder_memory=1000)
    with pytest.raises(LimitError):
        LlmzFile(io.BytesIO(archive), limits=limits).read()
    file = LlmzFile(io.BytesIO(archive), limits=limits)
    file.seek(1)
    with pytest.raises(LimitError):
        file.read()


def test_an_error_is_never_taken_for_the_end(archive, content):
    damaged = bytearray(archive)
    damaged[len(archive) // 2] ^= 1
    file = LlmzFile(io.BytesIO(bytes(damaged)))
    got = b""
    for _ in range(50):
        try:
            piece = file.read1(3000)
        except CorruptError:
            continue
        assert piece
        got += piece
    assert content.startswith(got)


def test_an_interrupt_loses_no_content(monkeypatch, archive, content):
    from llmzip import reader

    decode = reader.SegmentDecoder.decode
    calls = []

    def interrupted(self, chunk):
        calls.append(chunk)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return decode(self, chunk)

    monkeypatch.setattr(reader.SegmentDecoder, "decode", interrupted)
    file = LlmzFile(io.BytesIO(archive))
    with pytest.raises(KeyboardInterrupt):
        file.read()
    with pytest.raises(UsageError, match="broken off"):
        file.read(1)
    file.seek(0, os.SEEK_END)
    file.seek(0)
    assert file.read() == content


def test_damage_does_not_spoil_other_segments(archive, content):
    segments = llmzip.info(io.BytesIO(archive)).archives[0].segments
    damaged = bytearray(archive)
    damaged[segments[2].offset + segments[2].length - 1] ^= 1
    file = LlmzFile(io.BytesIO(bytes(damaged)))
    for _ in range(2):
        file.seek(11_000)
        with pytest.raises(CorruptError):
            file.read(1)
        file.seek(20_000)
        assert file.read(3000) == content[20_000:23_000]
