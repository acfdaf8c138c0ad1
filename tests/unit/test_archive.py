"""Writing and reading whole archives: streams, threads, progress, interruption, verification."""

from __future__ import annotations

import io
import os
import threading
import time

import pytest

from llmzip import Limits, Options, container, segments, writer
from llmzip.archive import Summary, check_coded, read_archive, write_archive
from llmzip.errors import LimitError, NotAnArchiveError, UsageError, VerifyError
from llmzip.info import info


def written(data: bytes, options: Options, **kwargs) -> tuple[bytes, Summary]:
    sink = io.BytesIO()
    summary = write_archive(io.BytesIO(data), sink, options, **kwargs)
    return sink.getvalue(), summary


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("llmzip")]


class Pipe(io.RawIOBase):
    """Cannot seek, and gives a few bytes at a time."""

    def __init__(self, data: bytes = b"", step: int = 100) -> None:
        self.rest = data
        self.step = step
        self.taken = bytearray()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        length = min(len(buffer), self.step, len(self.rest))
        buffer[:length], self.rest = self.rest[:length], self.rest[length:]
        return length

    def write(self, data) -> int:
        length = min(len(data), self.step)
        self.taken += data[:length]
        return length


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_pipes_on_all_sides(content, options, archive, threads):
    sink = Pipe()
    write_archive(Pipe(content), sink, Options(level=1, segment_size=5000, threads=threads))
    assert bytes(sink.taken) == archive
    back = Pipe()
    read_archive(Pipe(archive), back, threads=threads)
    assert bytes(back.taken) == content


def test_summaries_agree(content, options, archive):
    _, summary = written(content, options)
    assert summary.raw_bytes == len(content)
    assert summary.archive_bytes == len(archive)
    assert summary.segments == -(-len(content) // 5000)
    assert summary.archives == 1
    assert summary.bits_per_byte == pytest.approx(8 * len(archive) / len(content))
    assert check_coded(io.BytesIO(archive)) == summary
    for threads in (1, 2):
        assert read_archive(io.BytesIO(archive), None, threads=threads) == summary
    twice = read_archive(io.BytesIO(archive * 2), None)
    assert (twice.archives, twice.raw_bytes) == (2, 2 * len(content))
    assert written(b"", options)[1].bits_per_byte == 0


def test_one_segment_names_only_what_it_uses():
    data, _ = written(b"some text", Options(level=6))
    [archive] = info(io.BytesIO(data)).archives
    assert len(archive.predictors) == 1
    assert archive.max_segment_raw == archive.max_chunk_raw == 9


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_adds_up(content, options, archive, threads):
    reports = []
    here = threading.get_ident()

    def progress(report):
        assert threading.get_ident() == here
        reports.append((report.phase, report.done, report.total, report.coded))

    options = Options(level=1, segment_size=5000, threads=threads)
    written(content, options, total=len(content), progress=progress)
    last = {phase: rest for phase, *rest in reports}
    assert last["compress"][:2] == [len(content), len(content)]
    assert last["verify"][:2] == [len(content), len(content)]
    assert 0.9 * len(archive) < last["compress"][2] <= len(archive)
    for phase in ("compress", "verify"):
        done = [report[1] for report in reports if report[0] == phase]
        assert done == sorted(done)
    reports.clear()
    read_archive(io.BytesIO(archive), None, threads=threads, progress=progress)
    assert reports[-1][:3] == ("decompress", len(content), len(content))
    reports.clear()
    read_archive(Pipe(archive), None, threads=threads, progress=progress)
    assert reports[-1][:3] == ("decompress", len(content), None)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("direction", ["write", "read"])
def test_an_interrupt_ends_everything(threads, direction):
    data = os.urandom(1 << 20) * 16
    options = Options(level=2, segment_size=1 << 20, threads=threads, predictor="zstd")
    archive, _ = written(data, Options(level=1, segment_size=1 << 20))

    def progress(report):
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        if direction == "write":
            written(data, options, progress=progress)
        else:
            read_archive(io.BytesIO(archive), io.BytesIO(), threads=threads, progress=progress)
    assert time.monotonic() - began < 5
    assert not workers()


class Full(io.RawIOBase):
    """A disk that is full after `room` bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return len(data)


@pytest.mark.parametrize("threads", [1, 2])
def test_errors_of_files_pass_through(content, archive, threads):
    options = Options(level=1, segment_size=5000, threads=threads)
    with pytest.raises(OSError, match="No space"):
        write_archive(io.BytesIO(content), Full(2000), options)
    with pytest.raises(OSError, match="No space"):
        read_archive(io.BytesIO(archive), Full(20000), threads=threads)
    assert not workers()


class NonBlocking(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def read(self, size: int = -1):
        return None


def test_a_source_without_data_is_not_an_end():
    with pytest.raises(BlockingIOError):
        write_archive(NonBlocking(), io.BytesIO())
    with pytest.raises(BlockingIOError):
        read_archive(NonBlocking(), io.BytesIO())


@pytest.mark.parametrize("threads", [1, 2])
def test_what_does_not_decode_is_not_reported_as_written(monkeypatch, content, threads):
    coded = segments.encode

    def wrong(data, choice, seq, *rest, **more):
        if seq == 3:
            data = data[:-1] + b"?"
        return coded(data, choice, seq, *rest, **more)

    monkeypatch.setattr(writer, "encode", wrong)
    options = Options(level=1, segment_size=5000, threads=threads)
    with pytest.raises(VerifyError, match="nothing was kept"):
        written(content, options)
    assert not workers()
    unverified, _ = written(content, Options(level=1, segment_size=5000, verify=False))
    assert unverified


def test_what_stands_around_segments_is_verified_too(monkeypatch, content, options):
    build = container.build_index
    monkeypatch.setattr(container, "build_index", lambda entries, n: build(entries[:-1], n - 1))
    with pytest.raises(VerifyError, match="cannot be read back"):
        written(content, options)


def test_few_segments_are_in_memory(monkeypatch):
    # The source must not be read ahead of the slowest segment without bound.
    threads = 3
    done = threading.Semaphore(0)
    coded = segments.encode
    read = 0

    def slow(data, choice, seq, *rest, **more):
        if seq == 0:
            done.acquire(timeout=1)
        return coded(data, choice, seq, *rest, **more)

    class Counting(io.BytesIO):
        def read(self, size=-1):
            nonlocal read
            data = super().read(size)
            read += len(data)
            return data

    seen = []

    class Sink(io.BytesIO):
        def write(self, data):
            seen.append(read)
            return super().write(data)

    monkeypatch.setattr(writer, "encode", slow)
    options = Options(level=1, segment_size=1000, threads=threads)
    write_archive(Counting(bytes(range(250)) * 200), Sink(), options)
    # The header comes with the first segment; the second write is the first segment itself.
    assert seen[1] <= (threads + 2) * 1001


def test_threads_are_cut_to_fit_memory(content):
    notices = []
    options = Options(level=1, segment_size=5000, threads=4, memory=40 << 20)
    archive, _ = written(content, options, notice=notices.append)
    assert len(notices) == 1 and "of 4 threads" in notices[0]
    assert archive == written(content, Options(level=1, segment_size=5000, threads=4))[0]
    notices.clear()
    limits = Limits(decoder_memory=40 << 20)
    read_archive(io.BytesIO(archive), None, threads=4, limits=limits, notice=notices.append)
    assert len(notices) == 1 and "of 4 threads" in notices[0]


def test_too_little_memory_for_one_segment(content, archive):
    sink = io.BytesIO()
    with pytest.raises(LimitError, match="-M") as caught:
        write_archive(io.BytesIO(content), sink, Options(level=1, memory=1 << 20))
    assert caught.value.allowed == 1 << 20
    assert sink.getvalue() == b""
    for threads in (1, 2):
        with pytest.raises(LimitError, match="-M"):
            read_archive(
                io.BytesIO(archive), None, threads=threads, limits=Limits(decoder_memory=1 << 20)
            )


@pytest.mark.parametrize("threads", [1, 2])
def test_max_output(content, archive, threads):
    exact = Limits(max_output=len(content))
    read_archive(io.BytesIO(archive), None, threads=threads, limits=exact)
    sink = io.BytesIO()
    with pytest.raises(LimitError, match="max_output"):
        read_archive(
            io.BytesIO(archive), sink, threads=threads, limits=Limits(max_output=len(content) - 1)
        )
    assert len(sink.getvalue()) < len(content)


@pytest.mark.parametrize("threads", [1, 2])
def test_constant_content_streams(threads):
    # 200 MiB of content from a few kilobytes: never held whole.
    class Count(io.RawIOBase):
        total = largest = 0

        def write(self, data):
            self.total += len(data)
            self.largest = max(self.largest, len(data))
            return len(data)

    archive, _ = written(bytes(200 << 20), Options(level=1, segment_size=200 << 20, verify=False))
    assert len(archive) < 10_000
    sink = Count()
    read_archive(io.BytesIO(archive), sink, threads=threads)
    assert (sink.total, sink.largest) == (200 << 20, 1 << 20)


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\xfd7zXZ\x00\x00", "xz"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd"),
        (b"PK\x03\x04", "zip"),
        (b"name".ljust(257, b"\0") + b"ustar\x0000", "plain tar"),
        (b"\xf6LMZ\n\x1a\n\x01\x00", "text mode"),
        (b"hello, this is text", "not a .llmz archive"),
        (b"\x00", "not a .llmz archive"),
    ],
)
def test_other_files_are_named(start, what):
    for read in (lambda f: read_archive(f, None), check_coded, info):
        with pytest.raises(NotAnArchiveError, match=what):
            read(io.BytesIO(start + bytes(600)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": 0},
        {"level": 10},
        {"threads": -1},
        {"segment_size": 0},
        {"memory": 0},
        {"comment": "x" * 10_001},
        {"comment": "\ud800"},
    ],
)
def test_options_are_checked(wrong):
    with pytest.raises(UsageError):
        Options(**wrong)


def test_an_unknown_predictor_is_a_usage_error():
    with pytest.raises(UsageError, match=r"there are: .*zstd"):
        written(b"x", Options(predictor="magic"))


def test_the_comment_is_kept():
    data, _ = written(b"x", Options(comment="žluťoučký"))
    assert info(io.BytesIO(data)).archives[0].comment == "žluťoučký"
