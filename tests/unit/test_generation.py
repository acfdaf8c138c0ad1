"""Text from a compressor: the same for a seed, and like what was learnt."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

import llmzip
import synthetic
from llmzip import _native
from llmzip.errors import ModelError, UsageError
from llmzip.generation import Drawing, stream

TINY_SAID = "bf677eb29c2c7a71fe51adf7f60a431114964a14989f1a3af0e614038499d7f0"
LINE = b"the cat sat on the mat, and the dog lay on the rug; "


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a pack of the tiny language model."""
    folder = tmp_path_factory.mktemp("pack")
    path = folder / "tiny.lzpack"
    path.write_bytes(synthetic.pack(folder / "tiny.gguf"))
    return str(path)


def test_what_was_learnt_goes_on() -> None:
    said = llmzip.generate("the cat", temperature=0, length=2 * len(LINE), prime=LINE * 60, level=3)
    assert said == (LINE * 3)[7 : 7 + 2 * len(LINE)]
    words = Counter(llmzip.generate("", length=2000, prime=LINE * 60, level=3).split())
    assert sum(words[word] for word in set(LINE.split())) > 0.9 * words.total()


def test_a_seed_gives_the_same_everywhere() -> None:
    def say(**more: object) -> bytes:
        return llmzip.generate("An Act to", length=300, level=3, **more)  # type: ignore[arg-type]

    first = say(seed=1)
    assert len(first) == 300 and say(seed=1) == first
    assert say(seed=2) != first
    assert say(seed=1, temperature=0.7) != first
    assert b"".join(stream("An Act to", "cm", Drawing(length=300, seed=1, level=3))) == first
    # Shorter texts are the beginning of longer ones.
    assert llmzip.generate("An Act to", length=100, seed=1, level=3) == first[:100]
    # On any machine; changes with the primer, and with what cm predicts at level 3.
    digest = hashlib.sha256(first + say(seed=1, temperature=0.7)).hexdigest()
    assert digest == "e132651a845159a4bfa4476ca94d549f58c591547a5e98f1f567dc5c6704847e"


def test_a_draw_follows_the_probabilities() -> None:
    mixer = _native.ContextMixer(_native.settings("cm", 1, 3, LINE * 20), 5000)
    mixer.read((b"ab" + b"ac" + b"ab" + b"ad") * 200 + b"a")
    expected = dict(mixer.likeliest(256))
    draws = 4096
    found = Counter(mixer.pick(1000, (step << 52) + (1 << 51)) for step in range(draws))
    for byte, chance in expected.items():
        assert abs(found[byte] / draws - chance) < 0.002, byte
    assert mixer.pick(0, 0) == max(expected, key=lambda byte: expected[byte])
    hot = Counter(mixer.pick(100_000, (step << 52) + (1 << 51)) for step in range(draws))
    assert len(hot) == 256 and max(hot.values()) < 30
    cold = Counter(mixer.pick(500, (step << 52) + (1 << 51)) for step in range(draws))
    squares = {byte: chance**2 for byte, chance in expected.items()}
    for byte, square in squares.items():
        assert abs(cold[byte] / draws - square / sum(squares.values())) < 0.002, byte


def test_a_language_model_goes_on(tiny: str) -> None:
    said = llmzip.generate("the model", tiny, length=60, seed=3, prime="text ")
    assert len(said) == 60
    warm = llmzip.generate("the model", tiny, length=60, seed=3, temperature=1.7)
    assert hashlib.sha256(said + warm).hexdigest() == TINY_SAID
    assert llmzip.generate("the model", tiny, length=60, seed=3, prime="text ", threads=2) == said
    assert llmzip.generate("the model", tiny, length=60, seed=4, prime="text ") != said
    model = _native.Model(open(tiny, "rb").read(), 1)
    session = _native.Session(model, 64)
    tokens = model.tokens(b"text the model")
    session.advance(tokens)
    # At 0 the token that reports call the likeliest; the last row is of the token before.
    token, spelt = session.pick(0, 12345)
    session.advance([token])
    rows = model.tell([*tokens, token], 64, 3)
    best = next(token for token, _ in rows[-1][2] if model.spelling(token) is not None)
    assert (token, spelt) == (best, model.spelling(best))
    with pytest.raises(ValueError):
        session.advance([1 << 20])


def test_windows_slide(tiny: str) -> None:
    """More than the model can look back on."""
    assert len(llmzip.generate("x" * 700, tiny, length=400, seed=1)) == 400


def test_what_makes_no_sense_is_refused() -> None:
    for more in ({"length": -1}, {"temperature": -0.1}, {"temperature": 101}, {"level": 2}):
        with pytest.raises(UsageError):
            llmzip.generate("x", **more)
    with pytest.raises(ModelError):
        llmzip.generate("x", "no such model")
    assert llmzip.generate("x", length=0, level=3) == b""
