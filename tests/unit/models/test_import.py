"""Packs out of GGUF files and Hugging Face folders."""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import pytest

import synthetic
from llmzip.errors import CorruptError, LlmzError, MissingPackageError, UnsupportedError, UsageError
from llmzip.models.importing import VERSIONS, import_model
from llmzip.models.packfile import read_header

# Every version of the importer makes its packs for ever: a change of this is a new version. Of the
# tiny model; of one without tokens for two bytes; of one with weights that scales do not divide.
PACKS = {
    1: (
        "ad5444de4f0b93e1ecb8eab538a46ec39595dd04598883d4c7f231e920e4fc8a",
        "4f54f8a44fc1d854b388f569ea13c124c08e06f3cd9c93340957d920b9944a41",
        "e7a61c123955096010744b26166655aaa6ef1020f55220a8282f646cd13aad72",
    ),
}


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> bytes:
    return synthetic.pack(tmp_path_factory.mktemp("pack") / "tiny.gguf")


def imported(tmp_path, content: bytes) -> bytes:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    return import_model(str(path))


@pytest.mark.parametrize("importer", VERSIONS)
def test_every_importer_makes_the_packs_that_it_always_made(tmp_path, monkeypatch, importer):
    def thirds(kind: str, array: np.ndarray) -> bytes:
        return (array / np.float32(3)).astype("<f4").tobytes()

    made = [synthetic.gguf(), synthetic.gguf(without=b"\xc0\xff")]
    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "encoded", thirds)
        made.append(synthetic.gguf(llama__rope__freq_base=5e5, llama__context_length=4096))
    packs = []
    for content in made:
        (tmp_path / "model.gguf").write_bytes(content)
        packs.append(import_model(str(tmp_path / "model.gguf"), importer=importer))
    assert tuple(hashlib.sha256(own).hexdigest() for own in packs) == PACKS[importer]
    folder = synthetic.folder(tmp_path / "folder")
    assert import_model(str(folder), importer=importer) == packs[0]


def test_there_is_no_other_importer(tmp_path):
    (tmp_path / "model.gguf").write_bytes(synthetic.gguf())
    for importer in (0, max(VERSIONS) + 1):
        with pytest.raises(UsageError, match="versions are"):
            import_model(str(tmp_path / "model.gguf"), importer=importer)


@pytest.mark.parametrize("kind", ["f16", "bf16", "q8_0"])
def test_the_same_weights_give_the_same_pack_from_every_element_type(pack, tmp_path, kind):
    assert imported(tmp_path, synthetic.gguf(kind)) == pack


@pytest.mark.parametrize("shards", [1, 3])
def test_a_folder_gives_the_pack_of_the_gguf_file(pack, tmp_path, shards):
    assert import_model(str(synthetic.folder(tmp_path / "model", shards))) == pack


def test_a_pack_says_what_it_is(pack, tmp_path):
    (tmp_path / "pack").write_bytes(pack)
    header = read_header(str(tmp_path / "pack"))
    assert header["importer"] == 1
    assert header["config"]["vocab"] == len(synthetic.tokens())
    assert header["tokenizer"] == {"kind": "bpe", "pre": "smollm", "bos": 0, "whole": 0}


def test_bytes_that_no_token_spells_get_tokens(pack, tmp_path):
    own = imported(tmp_path, synthetic.gguf(without=b"\xc0\xff"))
    (tmp_path / "pack").write_bytes(own)
    header = read_header(str(tmp_path / "pack"))
    assert header["config"]["vocab"] == len(synthetic.tokens())
    entry = header["tensors"]["vocab.bytes"]
    text = own[entry["offset"] : entry["offset"] + entry["length"]]
    assert text.endswith(b"\xc0\xff")


@pytest.mark.parametrize("part", [0, 3, 9, 100, 0.2, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused(tmp_path, part):
    whole = synthetic.gguf()
    cut = whole[: int(part * len(whole)) if isinstance(part, float) else part]
    with pytest.raises((CorruptError, UsageError)):
        imported(tmp_path, cut)


def test_damage_in_what_stands_before_the_weights_never_ends_in_another_error(tmp_path):
    whole = synthetic.gguf()
    for at in range(8, 1400, 3):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        try:
            imported(tmp_path, bytes(damaged))
        except LlmzError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"general__architecture": "bert"}, "architecture 'bert'"),
        ({"tokenizer__ggml__model": "llama"}, "tokenizer 'llama'"),
        ({"tokenizer__ggml__pre": "default"}, "rule 'default'"),
        ({"tokenizer__ggml__merges": None}, "tokenizer.ggml.merges"),
        ({"llama__rope__scaling__type": "yarn"}, "rope.scaling.type = 'yarn'"),
        ({"llama__expert_count": 8}, "expert_count = 8"),
        ({"llama__embedding_length": 60}, "hidden size 60"),
        ({"tokenizer__ggml__tokens": ["a"] * 297}, "tokens 1 and 2 are the same"),
        ({"tokenizer__ggml__merges": ["q x"]}, "'q' and 'x'"),
        ({"tokenizer__ggml__tokens": ["▁the"] * 297}, "'▁the'"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path, changes, said):
    with pytest.raises(UnsupportedError, match=r"^[^\n]+$") as caught:
        imported(tmp_path, synthetic.gguf(**changes))
    assert said in str(caught.value)


def test_bytes_without_tokens_need_a_special_one(tmp_path):
    words = synthetic.tokens(b"\xff")
    kinds = [1] * len(words)
    with pytest.raises(UnsupportedError, match="1 of 256 bytes"):
        imported(tmp_path, synthetic.gguf(without=b"\xff", tokenizer__ggml__token_type=kinds))


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("config.json", {"model_type": "gpt_neox"}, "model_type 'gpt_neox'"),
        ("config.json", {"rope_scaling": {"rope_type": "yarn"}}, "rotary embedding 'yarn'"),
        ("config.json", {"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
        ("config.json", {"quantization_config": {"bits": 4}}, "quantization_config"),
        ("config.json", {"vocab_size": 200}, "200"),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Metaspace"}}, "Metaspace"),
        ("tokenizer.json", {"model": {"type": "Unigram"}}, "Unigram"),
    ],
)
def test_what_a_folder_has_that_is_not_supported_is_named(tmp_path, file, changes, said):
    path = synthetic.folder(tmp_path / "model") / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UnsupportedError, match=r"^[^\n]+$") as caught:
        import_model(str(path.parent))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", "{}", '{"model": 3}', '{"model_type": "llama"}']
)
@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_damaged_files_of_a_folder_are_refused(tmp_path, file, content):
    path = synthetic.folder(tmp_path / "model") / file
    path.write_text(content)
    with pytest.raises((CorruptError, UnsupportedError), match=r"^[^\n]+$"):
        import_model(str(path.parent))


def test_missing_files_of_a_folder_are_named(tmp_path):
    path = synthetic.folder(tmp_path / "model", 2)
    (path / "model-1.safetensors").unlink()
    with pytest.raises(CorruptError, match=r"model-1.safetensors"):
        import_model(str(path))
    (path / "config.json").unlink()
    with pytest.raises(UsageError, match=r"config.json"):
        import_model(str(path))


def test_without_numpy_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingPackageError, match="pip install"):
        import_model(str(tmp_path))
