"""`recover`: everything undamaged comes out, what is lost is told."""

from __future__ import annotations

import io
from random import Random

import pytest

import llmzip
from llmzip import container
from llmzip.errors import LimitError, NotAnArchiveError
from llmzip.recovery import Gap, RecoverReport, recover

SIZE = 5000


def run(data: bytes, **kwargs) -> tuple[bytes, RecoverReport]:
    results = []
    for threads in (1, 2):
        sink = io.BytesIO()
        report = recover(io.BytesIO(data), sink, threads=threads, **kwargs)
        assert report.bytes_written == len(sink.getvalue())
        results.append((sink.getvalue(), report))
    assert results[0] == results[1]
    return results[0]


@pytest.fixture
def segments(archive):
    return llmzip.info(io.BytesIO(archive)).archives[0].segments


def without(content: bytes, *numbers: int) -> bytes:
    cuts = [content[at : at + SIZE] for at in range(0, len(content), SIZE)]
    return b"".join(cut for number, cut in enumerate(cuts) if number not in numbers)


def test_an_undamaged_archive(archive, content, segments):
    out, report = run(archive)
    assert out == content
    assert report == RecoverReport(len(segments), len(segments), len(content), ())
    out, report = run(archive * 2 + llmzip.compress(b""))
    assert out == content * 2
    assert report.lost == report.notes == ()


@pytest.mark.parametrize("number", [0, 3, 7])
def test_a_damaged_segment(archive, content, segments, number):
    segment = segments[number]
    damaged = bytearray(archive)
    damaged[segment.offset + segment.length - 1] ^= 1
    out, report = run(bytes(damaged))
    assert out == without(content, number)
    assert report.segments_written == report.segments_found - 1 == len(segments) - 1
    [gap] = report.lost
    assert (gap.archive, gap.first, gap.last, gap.bytes) == (0, number, number, SIZE)
    assert "damaged" in gap.reason
    assert str(gap) == f"segment {number} (5,000 bytes): {gap.reason}"


@pytest.mark.parametrize("numbers", [(0,), (2, 3), (6, 7, 8)])
def test_segments_that_are_cut_out(archive, content, segments, numbers):
    begin, end = segments[numbers[0]], segments[numbers[-1]]
    out, report = run(archive[: begin.offset] + archive[end.offset + end.length :])
    assert out == without(content, *numbers)
    [gap] = report.lost
    size = sum(segments[number].raw_len for number in numbers)
    assert (gap.first, gap.last, gap.bytes) == (numbers[0], numbers[-1], size)


def test_bytes_missing_inside_a_segment(archive, content, segments):
    at = segments[2].offset + 60
    out, report = run(archive[:at] + archive[at + 20 :])
    assert out == without(content, 2)
    assert [(gap.first, gap.last, gap.bytes) for gap in report.lost] == [(2, 2, SIZE)]
    out, report = run(archive[:at] + b"extra" + archive[at:])
    assert out == without(content, 2)


def test_a_damaged_segment_header(archive, content, segments):
    damaged = bytearray(archive)
    damaged[segments[4].offset + 6] ^= 1
    out, report = run(bytes(damaged))
    assert out == without(content, 4)
    assert [(gap.first, gap.bytes) for gap in report.lost] == [(4, SIZE)]


@pytest.mark.parametrize("cut", [4, 40])
def test_a_lost_header_is_made_up_for_by_trial(archive, content, cut):
    out, report = run(archive[cut:])
    assert out == content
    assert report.lost == ()
    assert "header of archive 0 is lost" in report.notes[0]


@pytest.mark.parametrize("predictor", [entry[0] for entry in llmzip._native.predictors()])
def test_trial_finds_every_predictor(content, predictor):
    options = llmzip.Options(level=3, predictor=predictor, segment_size=9000)
    archive = llmzip.compress(content, options=options)
    assert run(archive[20:])[0] == content


def test_a_lost_end(archive, content, segments):
    out, report = run(archive[: segments[5].offset + 30])
    assert out == without(content, 5, 6, 7, 8)
    assert [(gap.first, gap.last, gap.bytes) for gap in report.lost] == [
        (5, 5, SIZE),
        (6, None, None),
    ]
    assert "any segments from 6 on" in str(report.lost[1])
    # Where the index began, nothing else followed.
    out, report = run(archive[:-60])
    assert out == content
    assert report.lost == ()


def test_the_intact_chunks_of_a_damaged_segment():
    data = b"".join(number.to_bytes(4, "big") for number in range(700_000))
    archive = bytearray(llmzip.compress(data, level=1))
    archive[-100] ^= 1
    out, report = run(bytes(archive))
    assert out == data[: 2 << 20]
    assert report.segments_written == 0
    assert report.lost[0].bytes == len(data) - (2 << 20)


def test_archives_in_an_archive_are_content(archive, content):
    # Stored bytes that look like segments, in a segment that is damaged behind them.
    options = llmzip.Options(predictor="store")
    outer = bytearray(llmzip.compress(archive + content, options=options))
    out, report = run(bytes(outer))
    assert out == archive + content
    outer[-200] ^= 1
    out, report = run(bytes(outer))
    assert out == b""
    assert [gap.bytes for gap in report.lost] == [len(archive + content)]


def test_a_segment_too_large_to_hold():
    data = bytes(70 << 20) + b"end" * 1000
    archive = llmzip.compress(data, options=llmzip.Options(level=1, segment_size=80 << 20))
    assert run(archive)[0] == data


def test_any_damage_gives_right_content_or_less(archive, content):
    cuts = [content[at : at + SIZE] for at in range(0, len(content), SIZE)]
    random = Random(7)
    for _ in range(60):
        damaged = bytearray(archive)
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(damaged))
            act = random.randrange(3)
            if act == 0:
                damaged[at] ^= 1 << random.randrange(8)
            elif act == 1:
                del damaged[at : at + random.randrange(1, 3000)]
            else:
                damaged[at:at] = random.randbytes(random.randrange(1, 50))
        sink = io.BytesIO()
        try:
            report = recover(io.BytesIO(bytes(damaged)), sink, threads=1)
        except NotAnArchiveError:
            continue
        # Segments here have one chunk: each is all there or not at all, and in order.
        rest = sink.getvalue()
        for cut in cuts:
            rest = rest.removeprefix(cut)
        assert rest == b""
        assert report.segments_written < len(cuts) or not report.lost


def test_nothing_to_recover():
    with pytest.raises(NotAnArchiveError, match="no segment"):
        run(b"hello")
    with pytest.raises(NotAnArchiveError):
        run(b"")


def test_limits_hold(archive):
    with pytest.raises(LimitError):
        run(archive, limits=llmzip.Limits(decoder_memory=1000))


def test_a_predictor_that_is_not_here(archive, content):
    unknown = container.build_header(
        container.Metadata(
            (container.PredictorRef("magic", 1, 0),), 6, container.Bounds(1 << 20, 1 << 20, 0)
        )
    )
    start = llmzip.info(io.BytesIO(archive)).archives[0].segments[0].offset
    out, report = run(unknown + archive[start:])
    assert out == b""
    assert len(report.lost) == 9
    assert "newer llmzip" in report.lost[0].reason


def test_progress(archive, content):
    seen = []
    recover(io.BytesIO(archive), io.BytesIO(), threads=1, progress=seen.append)
    assert (seen[-1].phase, seen[-1].done, seen[-1].total) == (
        "decompress",
        len(content),
        len(content),
    )


def test_a_gap_says_what_it_knows():
    assert str(Gap(0, 1, 3, None, "why")) == "segments 1 to 3 (bytes unknown): why"
    assert str(Gap(2, 1, 1, 10, "why")) == "segment 1 of archive 2 (10 bytes): why"
