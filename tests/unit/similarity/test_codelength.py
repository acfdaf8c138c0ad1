"""Code lengths with a context: they add up, and leave the state as it was."""

from __future__ import annotations

import gzip
import random

import pytest

import synthetic
from llmzip.errors import ModelError, UsageError
from llmzip.similarity.codelength import CodeLength, code_length, in_threads

ONE = b"the cat sat on the mat and looked at the other cat\n" * 8
TWO = b"a mat is what a cat sits on, and looks from at others\n" * 5
NOISE = random.Random(1).randbytes(400)


@pytest.fixture(params=["cm", "gzip", "zstd", "llm"])
def way(request, tmp_path) -> CodeLength:
    if request.param == "llm":
        path = tmp_path / "tiny.lzpack"
        path.write_bytes(synthetic.pack(tmp_path / "tiny.gguf"))
        return code_length(model=str(path), threads=2)
    return code_length(request.param, level=3, samples=[ONE, TWO], threads=2)


def test_what_is_read_in_steps_takes_what_it_takes_at_once(way):
    start = way.start(4000)
    steps, whole = start.after(ONE).after(TWO), start.after(ONE + TWO)
    if way.name.startswith("llm"):
        # Tokens do not go across the border, and the context is cut.
        assert steps.bits == pytest.approx(whole.bits, rel=0.05)
    else:
        assert steps.bits == pytest.approx(whole.bits)
    assert start.costs([ONE]) == pytest.approx([start.after(ONE).bits])


def test_costs_are_differences_and_do_not_change_the_state(way):
    state = way.start(4000).after(ONE)
    first = state.costs([TWO, NOISE, ONE])
    assert state.costs([TWO, NOISE, ONE]) == first
    assert first[0] == pytest.approx(state.after(TWO).bits - state.bits)
    assert way.start(4000).costs([]) == []


@pytest.mark.parametrize("predictor", ["cm", "gzip", "zstd"])
def test_what_is_known_takes_little_and_noise_takes_itself(predictor):
    way = code_length(predictor, samples=[ONE, NOISE])
    start = way.start(4000)
    (alone,), (again,) = start.costs([NOISE]), start.after(NOISE).costs([NOISE])
    assert 8 * len(NOISE) <= alone < 8.6 * len(NOISE)
    assert again < 0.2 * alone


def test_gzip_sizes_are_those_of_gzip():
    way = code_length("gzip")
    text = bytes(random.Random(2).choices(b"abcde fg", k=90_000))
    for cut in (1, 5000, 40_000):
        state = way.start(0).after(text[:cut])
        before, whole = (len(gzip.compress(data, mtime=0)) for data in (text[:cut], text))
        assert state.bits == 8 * before
        assert state.costs([text[cut:]]) == [8 * (whole - before)]


def test_one_class_of_content_for_all():
    text = code_length("cm", samples=[ONE, TWO]).start(4000)
    other = code_length("cm", samples=[NOISE * 4]).start(4000)
    assert text.costs([ONE]) != other.costs([ONE])


def test_no_room_is_an_error():
    with pytest.raises(ValueError, match="room"):
        code_length("cm", level=3).start(10).costs([ONE])


def test_documents_longer_than_the_window_of_a_model(tmp_path):
    path = tmp_path / "tiny.lzpack"
    path.write_bytes(synthetic.pack(tmp_path / "tiny.gguf"))
    way = code_length(model=str(path))
    long = (synthetic.TEXT + "\n").encode() * 40
    (short_cost, long_cost) = way.start(0).costs([long[: len(long) // 4], long])
    assert long_cost == pytest.approx(4 * short_cost, rel=0.1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"predictor": "pc"}, "cm, llm, gzip, zstd"),
        ({"predictor": "llm"}, "-m"),
        ({"predictor": "cm", "model": "x"}, "no model"),
        ({"level": 2}, "-p zstd"),
        ({"level": 10}, "1 to 9"),
    ],
)
def test_what_there_is_not_is_refused(options, said):
    with pytest.raises(UsageError, match=said):
        code_length(**options)


def test_a_model_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMZIP_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="nosuch"):
        code_length(model="nosuch")


def test_in_threads_keeps_the_order_and_raises():
    assert in_threads(lambda n: n * n, range(100), 4) == [n * n for n in range(100)]
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda n: 1 // (n - 50), range(100), 4)
