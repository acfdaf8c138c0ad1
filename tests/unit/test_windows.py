"""Windows of equal information: exact, each alone, the same wherever they are made."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from llmzip import windows
from llmzip.errors import UsageError

SAMPLE = Path(__file__).parents[2] / "corpora/samples/us-constitution.txt"
TEXT = SAMPLE.read_bytes()[20_000:32_000]


@pytest.fixture(scope="module")
def model() -> windows.Model:
    return windows.Model(SAMPLE.read_bytes()[:20_000], level=3)


@pytest.mark.parametrize("bits", [8, 9, 12, 16, 17, 24, 32])
def test_text_comes_back_and_each_window_decodes_alone(model: windows.Model, bits: int) -> None:
    for text in (TEXT, bytes(range(256)), b"\0" * 9000, b"x", b""):
        symbols = model.encode(text, bits)
        assert symbols.dtype.itemsize == (1 if bits == 8 else 2 if bits <= 16 else 4)
        assert symbols.ndim == 1 and model.decode(symbols, bits) == text
    symbols = model.encode(TEXT, bits)
    pieces = [model.decode(symbol, bits) for symbol in symbols]
    assert b"".join(pieces) == TEXT and all(pieces)
    # Nothing is learnt on the way, and order does not matter.
    assert model.decode(symbols[::-1], bits) == b"".join(reversed(pieces))
    assert np.array_equal(model.encode(TEXT, bits), symbols)


def test_any_symbol_decodes(model: windows.Model) -> None:
    symbols = np.random.default_rng(1).integers(0, 1 << 16, 3000, np.uint16)
    text = model.decode(symbols)
    assert len(text) >= len(symbols)
    assert model.decode(model.encode(text)) == text


def test_a_prime_of_the_kind_helps(model: windows.Model) -> None:
    other = windows.Model(bytes(reversed(SAMPLE.read_bytes()[:20_000])), level=3)
    assert len(model.encode(TEXT)) < 0.8 * len(other.encode(TEXT))
    # In the window of the paper, 16 bits, a byte takes less than its eight.
    assert len(model.encode(TEXT)) * 16 < 5.5 * len(TEXT)


def test_models_are_pickled_and_told_apart(model: windows.Model) -> None:
    same = pickle.loads(pickle.dumps(model))
    assert same.fingerprint == model.fingerprint
    assert np.array_equal(same.encode(TEXT), model.encode(TEXT))
    prime = SAMPLE.read_bytes()[:20_000]
    for level, piece in ((4, 16), (3, 32)):
        assert windows.Model(prime, level, piece).fingerprint != model.fingerprint
    assert windows.Model(prime[1:], 3).fingerprint != model.fingerprint


def test_functions_take_a_model_a_path_or_nothing(model: windows.Model, tmp_path: Path) -> None:
    path = tmp_path / "prime.txt"
    path.write_bytes(SAMPLE.read_bytes()[:20_000])
    by_path = windows.encode(TEXT, model=path)
    assert np.array_equal(by_path, windows.Model(path.read_bytes()).encode(TEXT))
    assert windows.decode(by_path, model=str(path)) == TEXT
    assert np.array_equal(windows.encode(TEXT, 24, model), model.encode(TEXT, 24))
    # Another text under the same name is another model.
    path.write_bytes(b"quite another text " * 500)
    assert not np.array_equal(windows.encode(TEXT, model=path), by_path)
    alone = windows.encode("Großmutter")
    assert windows.decode(alone) == "Großmutter".encode()
    with pytest.raises(FileNotFoundError):
        windows.encode(TEXT, model=tmp_path / "none")


def test_what_makes_no_sense_is_refused(model: windows.Model) -> None:
    for bits in (7, 33, -1):
        with pytest.raises(UsageError, match="8 to 32"):
            model.encode(b"x", bits)
        with pytest.raises(UsageError, match="8 to 32"):
            model.decode([1], bits)
    wrong = ([[1]], [0.5], [-1], [1 << 16], ["a"], np.array([1 << 40], np.uint64))
    for symbols in wrong:
        with pytest.raises(UsageError):
            model.decode(symbols)
    for level, piece in ((2, 16), (7, 16), (5, 0)):
        with pytest.raises(UsageError):
            windows.Model(b"x", level, piece)
