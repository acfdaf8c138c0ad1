"""The torch backend gives the engine's bits; only where torch is installed (extra `hf`)."""

from __future__ import annotations

import pytest

from llmzip.models.pack import build
from llmzip.models.torch_engine import TorchModel
from reference.test_transformer import LOGITS, RULES, SHAPE, Words, tiny, weights
from reference.transformer import Model

pytest.importorskip("torch", reason="torch comes with the extra hf")


@pytest.mark.parametrize("block", [1, 7, 150])
def test_logits_are_the_engines(block):
    model, word = TorchModel(tiny(), 64), Words(99)
    tokens = [word() % 100 for _ in range(150)]
    digest = 0xCBF29CE484222325
    for at in range(0, 150, block):
        for logit in model.advance(tokens[at : at + block]).flatten().tolist():
            digest = (digest ^ logit % 2**32) * 0x100000001B3 % 2**64
    assert digest == LOGITS


@pytest.mark.parametrize("window", [2, 5, 33])
def test_an_untied_head_and_odd_windows(window):
    pack = build(SHAPE, weights(), RULES)
    model, reference, word = TorchModel(pack, window), Model(pack, window), Words(4)
    tokens = [word() % 100 for _ in range(70)]
    found = model.advance(tokens).tolist()
    assert found == [reference.logits(token).tolist() for token in tokens]
    model.reset()
    assert model.advance(tokens[:5]).tolist() == found[:5]
    assert model.advance([]).shape == (0, 100)


def test_a_token_that_the_vocabulary_lacks_is_refused():
    model = TorchModel(tiny(), 64)
    with pytest.raises(ValueError, match="no such token"):
        model.advance([1, 100])
    assert model.advance([7]).tolist() == TorchModel(tiny(), 64).advance([7]).tolist()
