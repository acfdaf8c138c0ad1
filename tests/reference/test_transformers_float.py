"""Code lengths by transformers in float32: as summed by hand, as our floats and packs have them."""

from __future__ import annotations

import math

import pytest

import synthetic
from llmzip import _native
from llmzip.errors import ModelError
from llmzip.measure.chunks import measure_chunks
from llmzip.measure.tokens import FLOAT, measure_tokens
from llmzip.models import torch_float

torch = pytest.importorskip("torch", reason="torch comes with the extra hf")
transformers = pytest.importorskip("transformers", reason="transformers comes with the extra hf")

TEXT = (synthetic.TEXT + ". Žluťoučký kůň 漢字 🙂, and 12 others!\n").encode() * 9
# Bits for each byte that two sums of the same may be apart.
CLOSE = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(synthetic.folder(tmp_path_factory.mktemp("models") / "tiny"))


def by_hand(folder: str, tokens: list[int], window: int) -> float:
    """Nats by transformers' own logarithms of probabilities, a window at a time."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    first = 0
    assert model.config.bos_token_id == first and tokenizer.bos_token_id in (None, first)
    own = window - 1
    total = 0.0
    for at in range(0, len(tokens), own):
        some = tokens[at : at + own]
        some = [first, *some]
        with torch.inference_mode():
            logs = model(torch.tensor([some])).logits[0].log_softmax(-1)
        total -= sum(float(logs[place, token]) for place, token in enumerate(some[1:]))
    return total


@pytest.mark.parametrize("window", [2, 60, 256])
def test_code_lengths_are_those_summed_by_hand(folder, tmp_path, window):
    path = tmp_path / "text"
    path.write_bytes(TEXT)
    (found,) = measure_tokens([str(path)], floats=[folder], context=window)
    assert found.ok and found.arithmetic == FLOAT and found.characters == len(TEXT.decode())
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(TEXT.decode(), add_special_tokens=False)["input_ids"]
    assert found.tokens == len(tokens)
    bits = by_hand(folder, tokens, window) / math.log(2)
    assert abs(found.entropy_bits - bits) < CLOSE * len(TEXT)
    assert found.entropy_bits < found.token_bits < found.entropy_bits + found.tokens


def test_our_own_floats_are_those_of_transformers(folder, tmp_path):
    from llmzip.models.transformers_float import CausalModel

    model = CausalModel(folder)
    tokens = model.tokens(TEXT)
    assert tokens == _native.Model(synthetic.pack(tmp_path / "tiny.gguf"), 1).tokens(TEXT)
    # Ours give the first token of a window for nothing: windows of all but it are compared.
    own = torch_float.of_source(folder).costs(tokens[:200], 200)
    logits = model._model(torch.tensor([tokens[:200]])).logits[0]
    hand = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(tokens[1:200]))
    assert abs(sum(own) - float(hand.detach()) * 199) / math.log(2) < CLOSE * len(TEXT) / 4


def test_a_pack_costs_about_what_floats_do(folder, tmp_path):
    pack, text = tmp_path / "tiny.lzpack", tmp_path / "text"
    pack.write_bytes(synthetic.pack(tmp_path / "tiny.gguf"))
    text.write_bytes(TEXT)
    exact, near = measure_tokens([str(text)], [str(pack)], [folder], context=100)
    assert exact.tokens == near.tokens and exact.model_bytes == pack.stat().st_size
    assert exact.entropy_bits == pytest.approx(near.entropy_bits, rel=0.01)
    weights = sum(
        math.prod(array.shape) for array in synthetic.weights(len(synthetic.tokens())).values()
    )
    assert near.model_bytes == 2 * weights
    assert near.adjusted_bits == near.entropy_bits + 8 * near.model_bytes


def test_chunks_begin_anew_and_do_not_cut_characters(folder, tmp_path):
    text = tmp_path / "text"
    text.write_bytes(TEXT)
    own, check = measure_chunks([str(text)], "gzip", [folder], chunk=100)[1::2]
    assert own.by_floats and own.ok and own.model_bytes > 0
    pieces, rest = [], TEXT.decode()
    while rest:
        count = next(n for n in range(len(rest), 0, -1) if len(rest[:n].encode()) <= 100)
        pieces.append(rest[:count])
        rest = rest[count:]
    assert own.chunks == len(pieces)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokens = [tokenizer(piece, add_special_tokens=False)["input_ids"] for piece in pieces]
    bits = [by_hand(folder, some, 256) / math.log(2) for some in tokens]
    assert own.coded_bytes == sum(math.ceil(cost / 8 - 1e-9) for cost in bits)
    # Random bytes are no text: a row that says so.
    assert check.check and not check.ok and "UTF-8" in check.status


def test_what_cannot_be_loaded_or_spelt(folder, tmp_path):
    from llmzip.models.transformers_float import CausalModel

    with pytest.raises(ModelError, match="cannot load"):
        CausalModel(str(tmp_path))
    with pytest.raises(ModelError, match="UTF-8"):
        CausalModel(folder).tokens(b"\xff\xfe")
