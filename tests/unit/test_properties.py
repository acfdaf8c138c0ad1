"""Properties that hold for any content, options and damage."""

from __future__ import annotations

import io

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

import llmzip
from llmzip import container
from llmzip.archive import check_coded, read_archive
from llmzip.errors import LlmzError
from llmzip.recovery import recover

PREDICTORS = sorted({entry[0] for entry in llmzip._native.predictors()})

# Bytes with runs and repeats, which plain random bytes lack.
contents = st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.builds(
            lambda piece, times: piece * times,
            st.binary(min_size=1, max_size=9),
            st.integers(1, 90),
        ),
    ),
    max_size=8,
).map(b"".join)
options = st.builds(
    llmzip.Options,
    level=st.integers(1, 4),
    predictor=st.sampled_from([None, *PREDICTORS]),
    threads=st.integers(1, 3),
    verify=st.booleans(),
    segment_size=st.one_of(st.none(), st.integers(20, 2000)),
    comment=st.text(max_size=20).filter(lambda text: text.isprintable()),
)

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(contents, options)
def test_round_trip(data, chosen):
    archive = llmzip.compress(data, options=chosen)
    assert llmzip.decompress(archive) == data
    summary = check_coded(io.BytesIO(archive))
    assert (summary.raw_bytes, summary.archive_bytes) == (len(data), len(archive))
    found = llmzip.info(io.BytesIO(archive)).archives[0]
    assert (found.raw_bytes, found.level, found.comment) == (
        len(data),
        chosen.level,
        chosen.comment,
    )
    assert found.decoder_memory <= llmzip.Limits().decoder_memory
    with llmzip.LlmzFile(io.BytesIO(archive)) as file:
        assert file.seek(0, 2) == len(data)
        file.seek(len(data) // 2)
        assert file.read() == data[len(data) // 2 :]


@quick
@given(contents, st.integers(20, 400), st.data())
def test_damage_is_refused(data, segment_size, draw):
    chosen = llmzip.Options(level=1, segment_size=segment_size, verify=False)
    archive = llmzip.compress(data, options=chosen)
    begin = draw.draw(st.integers(0, len(archive) - 1))
    end = draw.draw(st.integers(begin, min(begin + 40, len(archive))))
    damaged = archive[:begin] + draw.draw(st.binary(max_size=40)) + archive[end:]
    sink = io.BytesIO()
    try:
        read_archive(io.BytesIO(damaged), sink, threads=1)
        assert sink.getvalue() == data
        assert damaged == archive
    except LlmzError:
        assert data.startswith(sink.getvalue())
    for act in (check_coded, llmzip.info, lambda source: recover(source, io.BytesIO(), threads=1)):
        try:
            act(io.BytesIO(damaged))
        except LlmzError as error:
            assert "\n" not in str(error)


@quick
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data):
    for start in (b"", container.MAGIC, container.MAGIC + b"\x01\x00\x00\x00"):
        for act in (llmzip.decompress, lambda data: llmzip.info(io.BytesIO(data))):
            try:
                act(start + data)
            except LlmzError:
                continue
            raise AssertionError("not refused")
