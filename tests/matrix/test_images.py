"""Images by a circuit that joins in the contexts of pixels: another form of predictor `circuit`."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

import llmzip
from llmzip import _native, route
from llmzip.archive import check_coded, read_archive
from llmzip.errors import LlmzError, TruncatedError
from llmzip.models import loaded

LEVELS = (6, 8)
CIRCUIT = route.newest("circuit")


@pytest.fixture
def stack(images) -> bytes:
    """Images like those that the circuit was trained on."""
    return images(40, 2)


@pytest.fixture(params=LEVELS)
def settings(request, stack, pictures) -> bytes:
    """Settings for the stack at a level."""
    joined = loaded.named(pictures, 0).native.joined(request.param, stack)
    return b"\0" + joined


def decode(archive: bytes, sink: io.BytesIO | None = None, threads: int = 1) -> bytes:
    """The content; what is right of it stands in `sink`, whatever happens."""
    sink = sink or io.BytesIO()
    read_archive(io.BytesIO(archive), sink, threads=threads)
    return sink.getvalue()


def test_every_sample_comes_back(make, sample, settings):
    archive = make(sample, CIRCUIT, settings=settings)
    assert decode(archive) == sample
    assert check_coded(io.BytesIO(archive)).raw_bytes == len(sample)


@pytest.mark.parametrize("size", [700, 72 * 20, 72 * 20 + 16])
def test_segments_that_cut_images(make, stack, settings, size):
    archive = make(stack, CIRCUIT, segment_size=size, settings=settings)
    assert decode(archive) == stack
    assert decode(archive, threads=2) == stack


@pytest.mark.parametrize("settings", LEVELS[:1], indirect=True)
def test_chunks_of_one_byte_are_passed_through(make, stack, settings, prose):
    # The second mebibyte is all zeros: images after it are where they would be.
    content = bytes(2 << 20) + stack[16 : 16 + 72 * 20] + prose(500)
    assert decode(make(content, CIRCUIT, settings=settings)) == content


@pytest.mark.parametrize("settings", LEVELS[:1], indirect=True)
def test_damage_is_refused(make, images, settings):
    content = images(7, 3)
    archive = make(content, CIRCUIT, settings=settings)
    for length in range(len(archive)):
        sink = io.BytesIO()
        with pytest.raises(TruncatedError):
            decode(archive[:length], sink)
        assert content.startswith(sink.getvalue())
    for bit in range(8 * len(archive)):
        damaged = bytearray(archive)
        damaged[bit // 8] ^= 1 << bit % 8
        sink = io.BytesIO()
        with pytest.raises(LlmzError):
            decode(bytes(damaged), sink)
        assert content.startswith(sink.getvalue())


def options(level: int, pictures: str) -> llmzip.Options:
    return llmzip.Options(level=level, predictor="circuit", model=pictures)


@pytest.mark.parametrize("level", LEVELS)
def test_threads_change_nothing(stack, pictures, level):
    own = options(level, pictures).replace(segment_size=72 * 15)
    made = {
        llmzip.compress(stack, options=own.replace(threads=threads, verify=verify))
        for threads in (1, 2, 5)
        for verify in (True, False)
    }
    assert len(made) == 1
    header = llmzip.info(io.BytesIO(made.pop())).archives[0]
    assert [ref.id for ref in header.predictors] == ["circuit"]


PROGRAM = """
import hashlib, json, sys
from llmzip import Options, compress
data, (levels, model) = sys.stdin.buffer.read(), json.loads(sys.argv[1])
for level in levels:
    options = Options(level=level, threads=1, predictor="circuit", model=model)
    print(hashlib.sha256(compress(data, options=options)).hexdigest())
"""


def hashes(stack: bytes, pictures: str, simd: str | None) -> bytes:
    env = {key: value for key, value in os.environ.items() if key != "LLMZIP_SIMD"}
    command = [sys.executable, "-P", "-c", PROGRAM, json.dumps([LEVELS, pictures])]
    env |= {"LLMZIP_SIMD": simd} if simd else {}
    return subprocess.run(command, input=stack, env=env, check=True, capture_output=True).stdout


def test_instruction_sets_change_nothing(stack, pictures, simd):
    own, forced = (hashes(stack, pictures, name) for name in (None, simd))
    assert own == forced and len(set(own.splitlines())) == len(LEVELS)


@pytest.mark.parametrize("level", range(6, 10))
def test_memory_is_known_before_the_content(stack, pictures, level):
    circuit = loaded.named(pictures, 0)
    choice = route.choose(stack, level, "circuit", circuit)
    assert len(choice.settings) > 10
    for length in (1, 1 << 16, 1 << 26):
        most = route.most_memory((CIRCUIT,), level, length, circuit)
        assert route.memory(choice, length, circuit) <= most


def test_another_circuit_is_refused(stack, settings):
    # One of another form of rows is no use, whatever an archive's metadata says.
    decoder = _native.Decoder("circuit", 1, settings, len(stack))
    with pytest.raises(_native.CorruptData):
        decoder.set_circuit(loaded.named("rows", 0).native)
