"""Every predictor gives back every kind of content, at every level and every edge."""

from __future__ import annotations

import io

import pytest

import llmzip
from llmzip import _native, route
from llmzip.archive import check_coded, read_archive
from llmzip.container import PredictorRef

CHUNK = 1 << 20


def decoded(archive: bytes, threads: int = 1) -> bytes:
    sink = io.BytesIO()
    read_archive(io.BytesIO(archive), sink, threads=threads)
    return sink.getvalue()


@pytest.mark.parametrize("level", [1, 3, 6, 9])
def test_every_sample_at_every_kind_of_level(make, predictor, sample, level):
    archive = make(sample, predictor, level)
    assert decoded(archive) == sample
    assert check_coded(io.BytesIO(archive)).raw_bytes == len(sample)


def test_many_segments(make, predictor, mixed):
    archive = make(mixed, predictor, segment_size=1000)
    assert decoded(archive) == mixed
    assert decoded(archive, threads=2) == mixed


def test_concatenation(make, predictor, mixed):
    archive = make(mixed, predictor) + make(b"", predictor) + make(b"end", predictor)
    assert decoded(archive) == mixed + b"end"


@pytest.mark.parametrize("length", [CHUNK - 1, CHUNK, CHUNK + 1])
def test_edges_of_a_chunk(make, predictor, prose, length):
    # Mostly one byte, so that slow predictors see little; the edge itself is coded.
    data = bytes(length - 3000) + prose(3000)
    archive = make(data, predictor)
    assert decoded(archive) == data


def test_a_few_mebibytes(make, predictor, prose):
    # Coded, constant and noisy chunks in one segment, so that the predictor's state carries over.
    noise = bytes(range(256)) * 16
    data = prose(150_000) + bytes(2 * CHUNK) + noise + prose(CHUNK // 2)
    archive = make(data, predictor)
    assert decoded(archive) == data


def test_noise_hardly_grows(make, predictor):
    from random import Random

    noise = Random(5).randbytes(300_000)
    assert len(make(noise, predictor)) <= len(noise) + 250


def test_the_newest_version_is_the_one_forced_by_name(predictor, options, mixed):
    newest = route.newest(predictor.id)
    assert newest is not None
    archive = llmzip.compress(mixed, options=llmzip.Options(level=3, **options))
    written = llmzip.info(io.BytesIO(archive)).archives[0].predictors
    found = [(ref.id, ref.version, ref.coder) for ref in written]
    assert found == [(newest.id, newest.version, newest.coder)]


@pytest.mark.parametrize("level", range(1, 10))
def test_memory_is_known_before_the_content(predictor, sample, level):
    # The header's bound is written before later segments are seen.
    ref: PredictorRef = predictor
    for length in (1, 1 << 16, 1 << 26):
        blind = _native.settings(ref.id, ref.version, level, b"")
        seeing = _native.settings(ref.id, ref.version, level, sample)
        bound = _native.memory(ref.id, ref.version, blind, length)
        assert _native.memory(ref.id, ref.version, seeing, length) <= bound
        assert _native.memory(ref.id, ref.version, blind, max(length // 2, 1)) <= bound


@pytest.mark.parametrize("level", range(1, 10))
def test_every_level_decodes_within_the_default_limits(predictor, level):
    ref: PredictorRef = predictor
    settings = _native.settings(ref.id, ref.version, level, b"")
    need = _native.memory(ref.id, ref.version, settings, route.segment_size(level))
    assert need <= llmzip.Limits().decoder_memory
