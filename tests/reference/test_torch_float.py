"""Models in float32 with torch, and how near the engine is to them; where torch is installed."""

from __future__ import annotations

import numpy as np
import pytest

import synthetic
from llmzip import _native
from llmzip.models import torch_float
from llmzip.models.pack import build
from reference.test_transformer import RULES, SHAPE, Words, floats, weights

pytest.importorskip("torch", reason="torch comes with the extra hf")


def error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(((found - expected) ** 2).mean()) / expected.std())


def test_a_pack_in_floats_is_near_what_it_was_made_of():
    word = Words(5)
    tokens = [word() % 100 for _ in range(90)]
    found = torch_float.of_pack(build(SHAPE, weights(), RULES)).logits(tokens).numpy()
    # As near as bytes for weights allow.
    assert error(found, floats(weights(), tokens)) < 0.02


def test_the_engine_is_near_its_pack_in_floats(tmp_path):
    pack = synthetic.pack(tmp_path / "tiny.gguf")
    model = _native.Model(pack, 1)
    tokens = model.tokens((synthetic.TEXT + " and other models.").encode() * 4)
    for window in (50, 256):
        exact, near = model.costs(tokens, window), torch_float.of_pack(pack).costs(tokens, window)
        assert len(exact) == len(near) == len(tokens)
        assert [cost == 0 for cost in exact] == [at % window == 0 for at in range(len(tokens))]
        assert exact == pytest.approx(near, abs=2e-3)
        assert sum(exact) == pytest.approx(sum(near), rel=2e-4)


def test_a_source_in_floats_is_near_its_pack_in_floats(tmp_path):
    pack = synthetic.pack(tmp_path / "tiny.gguf")
    tokens = list(range(40, 120))
    expected = torch_float.of_pack(pack).logits(tokens).numpy()
    (tmp_path / "q8.gguf").write_bytes(synthetic.gguf("q8_0"))
    found = [
        torch_float.of_source(str(path)).logits(tokens).numpy()
        for path in (tmp_path / "q8.gguf", synthetic.folder(tmp_path / "folder"))
    ]
    assert np.array_equal(*found)
    assert 0 < error(found[0], expected) < 0.02
