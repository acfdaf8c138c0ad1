"""A tiny language model, the same on every machine: a GGUF file, a Hugging Face folder, a pack.

Two layers of 64 values, two heads of 32 that share keys, a vocabulary of bytes and some merges. Its
weights are small integers over 64, which every element type here holds exactly: whatever form the
model has, the pack is the same. `python -m synthetic FILE` in tests/ writes the pack.
"""

from __future__ import annotations

import hashlib
import json
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np

LAYERS, HIDDEN, HEADS, KV_HEADS, FFN, CONTEXT = 2, 64, 2, 1, 128, 256
SIZE = HIDDEN // HEADS
EPSILON = 2.0**-17
SPECIAL = "<|endoftext|>"
TEXT = (
    "the model that reads the text that the other model wrote predicts the next token of the text"
)


def signs() -> list[str]:
    """The characters that stand for bytes, in the order of the bytes."""
    plain = [b for b in range(256) if 33 <= b < 127 or 161 <= b < 173 or b >= 174]
    rest = [b for b in range(256) if b not in plain]
    return [chr(b) if b in plain else chr(256 + rest.index(b)) for b in range(256)]


def merges() -> list[tuple[str, str]]:
    """Forty merges that byte-pair encoding learns from `TEXT`."""
    space = signs()[32]
    words = [list(space + word) for word in TEXT.split()]
    found = []
    for _ in range(40):
        pairs = [pair for word in words for pair in pairwise(word)]
        best = max(dict.fromkeys(pairs), key=pairs.count)
        found.append(best)
        for word in words:
            for at in range(len(word) - 1, 0, -1):
                if (word[at - 1], word[at]) == best:
                    word[at - 1 : at + 1] = ["".join(best)]
    return found


def tokens(without: bytes = b"") -> list[str]:
    """The special token, those of all bytes but `without`, the merged ones."""
    single = [sign for byte, sign in enumerate(signs()) if byte not in without]
    return [SPECIAL, *single, *("".join(pair) for pair in merges())]


def shapes(vocab: int) -> dict[str, tuple[int, ...]]:
    """Tensors by Hugging Face's names."""
    narrow = KV_HEADS * SIZE
    layer = {
        "input_layernorm": (HIDDEN,),
        "self_attn.q_proj": (HIDDEN, HIDDEN),
        "self_attn.k_proj": (narrow, HIDDEN),
        "self_attn.v_proj": (narrow, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HIDDEN),
        "post_attention_layernorm": (HIDDEN,),
        "mlp.gate_proj": (FFN, HIDDEN),
        "mlp.up_proj": (FFN, HIDDEN),
        "mlp.down_proj": (HIDDEN, FFN),
    }
    all_of = {"model.embed_tokens.weight": (vocab, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for number in range(LAYERS):
        all_of |= {f"model.layers.{number}.{name}.weight": layer[name] for name in layer}
    return all_of


def integers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights times 64, from -8 to 7; gains of norms are near 64."""
    drawn = np.frombuffer(hashlib.shake_256(name.encode()).digest(int(np.prod(shape))), np.uint8)
    return (drawn % 16).astype(np.int64).reshape(shape) - 8 + 64 * (len(shape) == 1)


def weights(vocab: int) -> dict[str, np.ndarray]:
    return {name: integers(name, shape) for name, shape in shapes(vocab).items()}


def encoded(kind: str, array: np.ndarray) -> bytes:
    """Integers over 64 as elements of `kind`."""
    values = (array / 64).astype(np.float32)
    if kind == "f32":
        return values.astype("<f4").tobytes()
    if kind == "f16":
        return values.astype("<f2").tobytes()
    if kind == "bf16":
        return (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    blocks = array.reshape(-1, 32)
    unit = np.array([1 / 64], "<f2").tobytes()
    if kind == "q8_0":
        return b"".join(unit + block.astype(np.int8).tobytes() for block in blocks)
    halves = (blocks[:, :16] + 8 | (blocks[:, 16:] + 8) << 4).astype(np.uint8)
    least = {"q4_0": b"", "q4_1": np.array([-8 / 64], "<f2").tobytes()}[kind]
    return b"".join(unit + least + half.tobytes() for half in halves)


_GGUF_NAMES = {
    "embed_tokens": "token_embd",
    "norm": "output_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q8_0": 8, "bf16": 30}


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: object) -> bytes:
    """A value of GGUF's metadata with its type."""
    if isinstance(value, list):
        inner = [_value(item) for item in value]
        return (
            struct.pack("<I", 9)
            + inner[0][:4]
            + struct.pack("<Q", len(value))
            + b"".join(item[4:] for item in inner)
        )
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    return (
        struct.pack("<If", 6, value) if isinstance(value, float) else struct.pack("<Ii", 5, value)
    )


def metadata(words: list[str]) -> dict[str, object]:
    """What the GGUF file says of the model."""
    return {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": HIDDEN,
        "llama.feed_forward_length": FFN,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.attention.layer_norm_rms_epsilon": EPSILON,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.tokens": words,
        "tokenizer.ggml.token_type": [3 if word == SPECIAL else 1 for word in words],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in merges()],
    }


def gguf(kind: str = "f32", without: bytes = b"", **changes: object) -> bytes:
    """The model as a GGUF file, matrices of `kind`.

    changes: metadata, with "__" for dots; None leaves a key out.
    """
    words = tokens(without)
    facts = metadata(words) | {key.replace("__", "."): value for key, value in changes.items()}
    facts = {key: value for key, value in facts.items() if value is not None}
    table, data = b"", b""
    arrays = weights(len(words))
    for name, array in arrays.items():
        parts = name.removeprefix("model.").removesuffix(".weight").split(".", 2)
        layer = f"blk.{parts[1]}." if parts[0] == "layers" else ""
        short = _GGUF_NAMES[parts[-1]]
        heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(short)
        if heads:
            array = array.reshape(heads, 2, -1, HIDDEN).swapaxes(1, 2).reshape(array.shape)
        own = kind if array.ndim == 2 else "f32"
        table += _text(f"{layer}{short}.weight") + struct.pack("<I", array.ndim)
        table += b"".join(struct.pack("<Q", side) for side in array.shape[::-1])
        table += struct.pack("<IQ", _TYPES[own], len(data))
        data += encoded(own, array)
        data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(arrays), len(facts))
    head += b"".join(_text(key) + _value(value) for key, value in facts.items()) + table
    return head + bytes(-len(head) % 32) + data


def settings(vocab: int) -> dict[str, object]:
    """The folder's config.json."""
    return {
        "model_type": "llama",
        "num_hidden_layers": LAYERS,
        "hidden_size": HIDDEN,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "intermediate_size": FFN,
        "vocab_size": vocab,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": EPSILON,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "bos_token_id": 0,
        "tie_word_embeddings": True,
    }


def tokenizer(words: list[str]) -> dict[str, object]:
    """The folder's tokenizer.json."""
    cut = [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ]
    # As transformers reads them, too: with every field.
    special = {"id": 0, "content": SPECIAL, "special": True, "normalized": False}
    special |= dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
    return {
        "version": "1.0",
        "added_tokens": [special],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": cut},
        "decoder": cut[1],
        "model": {
            "type": "BPE",
            "vocab": {word: number for number, word in enumerate(words)},
            "merges": [" ".join(pair) for pair in merges()],
        },
    }


def safetensors(arrays: dict[str, np.ndarray]) -> bytes:
    """Arrays as BF16."""
    table, data = {}, b""
    for name, array in arrays.items():
        begin = len(data)
        data += encoded("bf16", array)
        table[name] = {"dtype": "BF16", "shape": array.shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text + data


def folder(path: Path, shards: int = 1) -> Path:
    """The model as a Hugging Face folder, which is made."""
    path.mkdir()
    words = tokens()
    (path / "config.json").write_text(json.dumps(settings(len(words))))
    (path / "tokenizer.json").write_text(json.dumps(tokenizer(words)))
    arrays = weights(len(words))
    if shards == 1:
        (path / "model.safetensors").write_bytes(safetensors(arrays))
        return path
    places = {name: f"model-{number % shards}.safetensors" for number, name in enumerate(arrays)}
    for place in set(places.values()):
        own = {name: arrays[name] for name in arrays if places[name] == place}
        (path / place).write_bytes(safetensors(own))
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return path


def pack(path: Path) -> bytes:
    """The model as a pack; `path` is a name for a file on the way."""
    from llmzip.models.importing import import_model

    path.write_bytes(gguf())
    try:
        return import_model(str(path))
    finally:
        path.unlink()
