"""The exact transformer of FORMAT.md, section 10: near floats, and the engine's own bits."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from llmzip.errors import UnsupportedError
from llmzip.models.pack import Config, TokenizerRules, build
from reference.transformer import Adapter, Model, Pack, turn

SHAPE = Config(
    layers=2,
    hidden=64,
    heads=6,
    kv_heads=2,
    head_size=32,
    ffn=192,
    vocab=100,
    context=300,
    norm_eps=1e-5,
    rope_theta=10000.0,
)
RULES = TokenizerRules({"kind": "bpe"}, [bytes([n]) for n in range(100)], [(1, 2)])


def weights() -> dict[str, np.ndarray]:
    """Random weights of SHAPE, in sixteenths, so that any machine has the same."""
    c = SHAPE
    random = np.random.RandomState(5)

    def some(*shape: int) -> np.ndarray:
        return (random.randint(-16, 17, shape) / 16).astype(np.float32)

    width, narrow = c.heads * c.head_size, c.kv_heads * c.head_size
    out = {
        "embed_tokens.weight": some(c.vocab, c.hidden),
        "lm_head.weight": some(c.vocab, c.hidden),
    }
    out["norm.weight"] = some(c.hidden) + 1
    for layer in range(c.layers):
        at = f"layers.{layer}."
        for name in ("input", "post_attention"):
            out[f"{at}{name}_layernorm.weight"] = some(c.hidden) + 1
        for name, rows in (("q", width), ("k", narrow), ("v", narrow)):
            out[f"{at}self_attn.{name}_proj.weight"] = some(rows, c.hidden) / 4
            out[f"{at}self_attn.{name}_proj.bias"] = some(rows)
        out[at + "self_attn.o_proj.weight"] = some(c.hidden, width) / 4
        for name in ("gate", "up"):
            out[f"{at}mlp.{name}_proj.weight"] = some(c.ffn, c.hidden) / 4
        out[at + "mlp.down_proj.weight"] = some(c.hidden, c.ffn) / 4
    return out


def floats(w: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """Logits after each token, in doubles."""
    c, n = SHAPE, len(tokens)

    def norm(x: np.ndarray, gains: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + c.norm_eps) * gains

    half = c.head_size // 2
    angles = np.outer(np.arange(n), c.rope_theta ** (-np.arange(half) / half))

    def heads(x: np.ndarray, at: str, rotated: bool) -> np.ndarray:
        y = x @ w[at + ".weight"].T.astype(float) + w[at + ".bias"]
        y = y.reshape(n, -1, c.head_size).swapaxes(0, 1)
        if rotated:
            a, b = y[..., :half], y[..., half:]
            cos, sin = np.cos(angles), np.sin(angles)
            y = np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)
        return y

    x = w["embed_tokens.weight"][tokens].astype(float)
    for layer in range(c.layers):
        at = f"layers.{layer}."
        y = norm(x, w[at + "input_layernorm.weight"])
        q, k, v = (heads(y, f"{at}self_attn.{p}_proj", p != "v") for p in "qkv")
        k, v = (part.repeat(c.heads // c.kv_heads, axis=0) for part in (k, v))
        scores = q @ k.swapaxes(1, 2) / np.sqrt(c.head_size)
        scores[:, np.triu(np.ones((n, n), bool), 1)] = -np.inf
        p = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (p / p.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(n, -1)
        x = x + mixed @ w[at + "self_attn.o_proj.weight"].T
        y = norm(x, w[at + "post_attention_layernorm.weight"])
        g, u = (y @ w[f"{at}mlp.{p}_proj.weight"].T for p in ("gate", "up"))
        x = x + (g / (1 + np.exp(-g)) * u) @ w[at + "mlp.down_proj.weight"].T
    return norm(x, w["norm.weight"]) @ w["lm_head.weight"].T


def test_logits_are_near_those_of_floats():
    w = weights()
    tokens = [(7 * n * n + n) % 100 for n in range(80)]
    model = Model(build(SHAPE, w, RULES), 300)
    found = np.array([model.logits(token) for token in tokens]) / 65536
    expected = floats(w, tokens)
    # Bytes for weights leave errors of a hundredth of what logits differ by.
    error = np.sqrt(((found - expected) ** 2).mean()) / expected.std()
    assert error < 0.02


def test_a_pack_is_the_same_on_any_machine():
    pack = build(SHAPE, weights(), RULES)
    assert hashlib.sha256(pack).hexdigest() == PACK
    entries = Pack(pack).entries
    assert all(entry["offset"] % 64 == 0 for entry in entries.values())
    assert Pack(pack).bytes("vocab.ends") == b"".join(
        n.to_bytes(4, "little") for n in range(1, 101)
    )


PACK = "c4fc2cb7508e085615885618a0f2cc9ab034db9c9fb067c7f932f7c1e7a9fe2f"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"hidden": 60}, "60"),
        ({"kv_heads": 4}, "heads"),
        ({"head_size": 256, "hidden": 64}, "256"),
        ({"vocab": 101}, "vocabulary"),
        ({"ffn": 128}, "gate_proj"),
        ({"layers": 1}, "no place"),
        ({"layers": 3}, "missing"),
    ],
)
def test_what_the_engine_lacks_is_named(change, word):
    config = Config(**{name: change.get(name, getattr(SHAPE, name)) for name in Config._fields})
    with pytest.raises(UnsupportedError, match=word):
        build(config, weights(), RULES)


def test_values_that_are_not_finite_are_refused():
    w = weights()
    w["norm.weight"][3] = np.nan
    with pytest.raises(UnsupportedError, match="finite"):
        build(SHAPE, w, RULES)


def test_rotations_are_sines_and_cosines():
    for angle in [0, 1, 2**61, 2**62 - 1, 2**62, 2**63 + 12345, 2**64 - 1, *range(7, 2**64, 2**59)]:
        cosine, sine = turn(angle)
        radians = angle / 2**64 * 2 * np.pi
        assert abs(cosine / 2**30 - np.cos(radians)) < 2e-9
        assert abs(sine / 2**30 - np.sin(radians)) < 2e-9


class Words:
    """splitmix64, as predictors/src/transformer/tests.rs has it."""

    def __init__(self, state: int) -> None:
        self.state = state

    def __call__(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)


def tiny() -> bytes:
    """The pack of the engine's own tests."""
    word, entries, data = Words(7), {}, bytearray()
    hidden, heads, kv_heads, size, ffn, vocab = 64, 12, 4, 16, 128, 100

    def add(name: str, kind: str, shape: list[int], exponent: int, content: bytes) -> None:
        entries[name] = {
            "kind": kind,
            "shape": shape,
            "exponent": exponent,
            "offset": len(data) + 65536,
            "length": len(content),
        }
        data.extend(content)
        data.extend(bytes(-len(data) % 64))

    def matrix(name: str, rows: int, inputs: int) -> None:
        count = -(-rows // 64) * 64 * inputs
        content = bytearray((word() % 255 + 127) % 256 for _ in range(count))
        content = content.replace(b"\x80", b"\0")
        for _ in range(count // 64):
            content += ((word() % 65535) + 1).to_bytes(2, "little")
        add(name, "q8", [rows, inputs], 25, bytes(content))

    def nibbles(name: str, rows: int, inputs: int) -> None:
        content = bytearray()
        for _ in range(-(-rows // 64) * inputs // 32):
            content += b"".join(word().to_bytes(8, "little") for _ in range(128))
            for _ in range(64):
                step = word() % 4001 - 2000
                base = word() % 2001 - 1000 - 7 * step
                content += step.to_bytes(2, "little", signed=True)
                content += base.to_bytes(2, "little", signed=True)
        add(name, "q4", [rows, inputs], 17, bytes(content))

    def words(name: str, kind: str, exponent: int, count: int) -> None:
        content = b"".join((word() % 2**20).to_bytes(4, "little") for _ in range(count))
        add(name, kind, [count], exponent, content)

    nibbles("embed_tokens.weight", vocab, hidden)
    for layer, of in enumerate([matrix, nibbles]):
        at = f"layers.{layer}."
        words(at + "input_layernorm.weight", "gain", 19, hidden)
        words(at + "post_attention_layernorm.weight", "gain", 19, hidden)
        for part, rows in (("q", heads * size), ("k", kv_heads * size), ("v", kv_heads * size)):
            of(f"{at}self_attn.{part}_proj.weight", rows, hidden)
            words(f"{at}self_attn.{part}_proj.bias", "bias", 16, rows)
        of(at + "self_attn.o_proj.weight", hidden, heads * size)
        of(at + "mlp.gate_proj.weight", ffn, hidden)
        of(at + "mlp.up_proj.weight", ffn, hidden)
        of(at + "mlp.down_proj.weight", hidden, ffn)
    words("norm.weight", "gain", 19, hidden)
    turns = b"".join(((2**64 - 1) // 7 >> 2 * i).to_bytes(8, "little") for i in range(size // 2))
    add("rotary", "u64", [size // 2], 0, turns)
    config = {"layers": 2, "hidden": hidden, "heads": heads, "kv_heads": kv_heads, "vocab": vocab}
    config |= {"head_size": size, "ffn": ffn, "context": 150, "norm_eps": 2**30}
    header = {"architecture": "llama", "config": config, "tensors": entries, "tokenizer": {}}
    text = json.dumps(header).encode()
    head = b"\x8bLZPACK\n" + (1).to_bytes(4, "little") + len(text).to_bytes(8, "little") + text
    return head.ljust(65536, b"\0") + bytes(data)


def test_the_engine_gives_the_same_logits():
    """`a_reference_gives_the_same_logits` of the engine's own tests has the same hash."""
    model, word = Model(tiny(), 64), Words(99)
    digest = 0xCBF29CE484222325
    for _ in range(150):
        for logit in model.logits(word() % 100).tolist():
            digest = (digest ^ logit % 2**32) * 0x100000001B3 % 2**64
    assert digest == LOGITS


LOGITS = 0x4024B09C906571EE


def test_the_engine_adapts_the_same():
    """`a_reference_adapts_the_same` of the engine's own tests has the same hash."""
    model, word = Model(tiny(), 64), Words(99)
    adapter = Adapter(model.head, model.norm)
    tokens = [word() % 100 for _ in range(600)]
    digest = 0xCBF29CE484222325
    for token, after in zip(tokens, [*tokens[1:], 3], strict=True):
        state = model.state(token)
        logits = adapter.adapt(model.head_of(state))
        for logit in logits.tolist():
            digest = (digest ^ logit % 2**32) * 0x100000001B3 % 2**64
        # As there, some are said not to be tokens.
        if after % 16 != 3:
            adapter.learn(logits, after)
    assert digest == ADAPTED


ADAPTED = 0xD31E744E1E75AF7E
