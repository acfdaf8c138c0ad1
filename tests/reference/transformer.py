"""The exact transformer of FORMAT.md, section 10, position by position, in 64-bit integers."""

from __future__ import annotations

import json
from math import isqrt
from pathlib import Path

import numpy as np

LIMIT = 1 << 46
TABLES = Path(__file__).parents[2] / "predictors" / "tables"
SQUASH = np.array((TABLES / "squash.csv").read_text().split(), np.int64)
QUARTER = 1811004864519280711


def scaled(x: np.ndarray, s: int) -> np.ndarray:
    if s > 62:
        return np.zeros_like(x)
    if s > 0:
        return np.clip((x + (1 << (s - 1))) >> s, -LIMIT, LIMIT)
    left = min(-s, 62)
    return np.clip(x, -(LIMIT >> left), LIMIT >> left) << left


def quantise(v: np.ndarray, fraction: int, width: int) -> tuple[np.ndarray, int]:
    n = int(np.abs(v).max()).bit_length()
    s = n - width if n else 0
    most = (1 << width) - 1
    return np.clip(scaled(v, s), -most, most), fraction - s


def narrow(v: np.ndarray) -> np.ndarray:
    return np.clip(v, -(1 << 30), 1 << 30)


def bytes_of(data: bytes, panels: int, inputs: int) -> np.ndarray:
    count = panels * 64 * inputs
    weights = np.frombuffer(data[:count], np.int8).reshape(panels, inputs // 4, 64, 4)
    scales = np.frombuffer(data[count:], "<u2").reshape(panels, inputs // 64, 64)
    weights = weights.transpose(0, 2, 1, 3).reshape(-1, inputs).astype(np.int64)
    scales = scales.transpose(0, 2, 1).reshape(-1, inputs // 64).astype(np.int64)
    return weights * scales.repeat(64, axis=1)


def nibbles_of(data: bytes, panels: int, inputs: int) -> np.ndarray:
    runs = np.frombuffer(data, np.uint8).reshape(panels, inputs // 32, 1280)
    both = runs[:, :, :1024].reshape(panels, inputs // 32, 4, 1, 64, 4)
    weights = np.concatenate([both & 15, both >> 4], axis=3).astype(np.int64)
    weights = weights.transpose(0, 4, 1, 2, 3, 5).reshape(-1, inputs)
    lines = runs[:, :, 1024:].copy().view("<i2").reshape(panels, inputs // 32, 64, 2)
    lines = lines.transpose(3, 0, 2, 1).reshape(2, -1, inputs // 32).astype(np.int64)
    step, base = lines.repeat(32, axis=2)
    return weights * step + base


class Matrix:
    """Rows of integer weights, and their exponent."""

    def __init__(self, kind: str, data: bytes, shape: list[int], exponent: int) -> None:
        rows, inputs = shape
        panels = -(-rows // 64)
        weights = {"q8": bytes_of, "q4": nibbles_of}[kind](data, panels, inputs)
        self.weights = weights[:rows]
        self.exponent = exponent

    def product(self, x: tuple[np.ndarray, int], fraction: int) -> np.ndarray:
        values, has = x
        return scaled(self.weights @ values, self.exponent + has - fraction)


class Pack:
    """The tensors of a pack."""

    def __init__(self, data: bytes) -> None:
        if data[:8] != b"\x8bLZPACK\n" or int.from_bytes(data[8:12], "little") != 1:
            raise ValueError("not a pack of version 1")
        size = int.from_bytes(data[12:20], "little")
        header = json.loads(data[20 : 20 + size])
        self.config = header["config"]
        self.tokenizer = header["tokenizer"]
        self.entries = header["tensors"]
        self.data = data

    def bytes(self, name: str) -> bytes:
        entry = self.entries[name]
        return self.data[entry["offset"] : entry["offset"] + entry["length"]]

    def matrix(self, name: str) -> Matrix:
        entry = self.entries[name]
        return Matrix(entry["kind"], self.bytes(name), entry["shape"], entry["exponent"])

    def gains(self, name: str) -> tuple[np.ndarray, int]:
        values = np.frombuffer(self.bytes(name), "<i4").astype(np.int64)
        return values, self.entries[name]["exponent"]

    def bias(self, name: str) -> np.ndarray | int:
        if name not in self.entries:
            return 0
        return np.frombuffer(self.bytes(name), "<i4").astype(np.int64)


def norm(v: np.ndarray, gains: tuple[np.ndarray, int], norm_eps: int) -> tuple[np.ndarray, int]:
    n = int(np.abs(v).max()).bit_length()
    s = n - 24 if n else 0
    x = scaled(v, s)
    eps = norm_eps >> 2 * s if s >= 0 else norm_eps << -2 * s
    m = max(int((x * x).sum()) // len(x) + eps, 1)
    h = (64 - m.bit_length()) // 2
    r = 2**62 // isqrt(m << 2 * h if h >= 0 else m >> -2 * h)
    values, exponent = gains
    return quantise(((x * values + 2**15) >> 16) * r, 46 + exponent - h, 15)


def series(t: int, n: int, y: int) -> int:
    total = t
    while t:
        product = -((t * y) >> 60)
        t = abs(product) // (n * (n + 1)) * (1 if product > 0 else -1)
        total += t
        n += 2
    return (total + 2**29) >> 30


def turn(angle: int) -> tuple[int, int]:
    """Cosine and sine."""
    x = (angle % 2**62 * QUARTER) >> 62
    y = (x * x) >> 60
    c, s = series(2**60, 1, y), series(x, 2, y)
    return [(c, s), (-s, c), (-c, -s), (s, -c)][angle >> 62]


def rotate(head: np.ndarray, position: int, rotary: list[int]) -> np.ndarray:
    turns = np.array([turn(position * f % 2**64) for f in rotary], np.int64)
    cos, sin = turns[:, 0], turns[:, 1]
    a, b = np.split(head, 2)
    low, high = a * cos - b * sin, b * cos + a * sin
    return (np.concatenate([low, high]) + 2**29) >> 30


def power(f: int) -> int:
    a = 60404 - (10234 * f >> 12)
    b = 181241 - (a * f >> 12)
    return 262144 - (b * f >> 12)


def score(d: int, s: int) -> int:
    most = 1 << 28
    if s > 0:
        return max(-most, min(most, ((d >> (min(s, 32) - 1)) + 1) >> 1))
    left = min(-s, 28)
    return max(-(most >> left), min(most >> left, d)) << left


def attend(
    query: tuple[np.ndarray, int],
    keys: list[tuple[np.ndarray, int]],
    values: list[tuple[np.ndarray, int]],
) -> np.ndarray:
    scores = [score(int(query[0] @ key), query[1] + has - 12) for key, has in keys]
    top = (max(scores) + 4095) >> 12
    total = sum((power(-t % 4096) << 10) >> min((4096 * top - t) >> 12, 31) for t in scores)
    blocks = []
    for first in range(0, len(scores), 32):
        block = list(zip(scores, values, strict=True))[first : first + 32]
        high = (max(t - 4096 * has for t, (_, has) in block) + 4095) >> 12
        part = np.zeros_like(query[0])
        for t, (value, has) in block:
            k = min((4096 * (high + has) - t) >> 12, 16)
            part += ((power(-t % 4096) + 2 ** (3 + k)) >> (4 + k)) * value
        blocks.append((high, part))
    most = max(high for high, _ in blocks)
    mixed = np.zeros_like(query[0])
    for high, part in blocks:
        mixed += ((part >> (min(10 + most - high, 31) - 1)) + 1) >> 1
    n = total.bit_length()
    return scaled(mixed * (2 ** (n + 30) // total), n - 24 - (most - top))


class Adapter:
    """What is learnt of a document: 10.8."""

    def __init__(self, head: Matrix, gains: tuple[np.ndarray, int]) -> None:
        self.head, self.exponent = head, gains[1]
        vocab, hidden = head.weights.shape
        self.shift = np.zeros(vocab, np.int64)
        self.errors = np.zeros(vocab, np.int64)
        self.tokens, self.token_squares = [0] * vocab, [0] * vocab
        self.state, self.state_squares = [0] * hidden, [0] * hidden
        self.rate = isqrt(sum(int(gain) ** 2 for gain in gains[0]) // hidden) * 1966 >> 8
        self.learnt = 0

    def adapt(self, logits: np.ndarray) -> np.ndarray:
        return narrow(logits + self.shift)

    def learn(self, logits: np.ndarray, token: int) -> None:
        below = (np.minimum(logits.max() - logits, 20 * 2**16 - 1) >> 4) * 5909 >> 12
        powers = np.array([power(f) for f in (below & 4095).tolist()], np.int64)
        powers = (powers << 10) >> (below >> 12)
        self.errors += (powers * (2**56 // int(powers.sum()))) >> 32
        self.errors[token] -= 2**24
        self.learnt += 1
        if self.learnt % 64 == 0:
            self._step()

    def _step(self) -> None:
        errors = self.errors >> 8
        self.errors[:] = 0
        for token in np.flatnonzero(errors).tolist():
            error = int(errors[token])
            self.token_squares[token] = min(self.token_squares[token] + error**2, 2**64 - 1)
            root = isqrt(min(self.token_squares[token] + 2**32, 2**64 - 1))
            moved = self.tokens[token] - 5033165 * error // root
            self.tokens[token] = min(max(moved, -(2**29)), 2**29)
        sums = (errors @ self.head.weights) >> 16
        for value in np.flatnonzero(sums).tolist():
            gradient = int(sums[value])
            self.state_squares[value] = min(self.state_squares[value] + gradient**2, 2**64 - 1)
            moved = self.state[value] - gradient * self.rate // isqrt(self.state_squares[value])
            self.state[value] = min(max(moved, -(2**40)), 2**40)
        x = quantise(np.array(self.state, np.int64), self.exponent + 8, 15)
        tokens = np.array(self.tokens, np.int64)
        self.shift = narrow(narrow(self.head.product(x, 16)) + ((tokens + 2**7) >> 8))


class Layer:
    def __init__(self, pack: Pack, number: int) -> None:
        at = f"layers.{number}."
        self.norms = [
            pack.gains(f"{at}{name}_layernorm.weight") for name in ("input", "post_attention")
        ]
        self.q, self.k, self.v = (
            (pack.matrix(f"{at}{x}_proj.weight"), pack.bias(f"{at}{x}_proj.bias"))
            for x in ("self_attn.q", "self_attn.k", "self_attn.v")
        )
        self.o = pack.matrix(at + "self_attn.o_proj.weight")
        self.gate, self.up, self.down = (
            pack.matrix(f"{at}mlp.{x}_proj.weight") for x in ("gate", "up", "down")
        )
        self.keys: list[list[tuple[np.ndarray, int]]] = []
        self.values: list[list[tuple[np.ndarray, int]]] = []
        # Keys of the first positions before they are rotated.
        self.plain: list[list[np.ndarray]] = []


class Model:
    """Evaluates tokens one by one, within a window."""

    def __init__(self, data: bytes, window: int) -> None:
        pack = Pack(data)
        self.config, self.window = pack.config, window
        self.layers = [Layer(pack, n) for n in range(self.config["layers"])]
        self.embedding = pack.matrix("embed_tokens.weight")
        untied = "lm_head.weight" in pack.entries
        self.head = pack.matrix("lm_head.weight") if untied else self.embedding
        self.norm = pack.gains("norm.weight")
        self.rotary = [int(f) for f in np.frombuffer(pack.bytes("rotary"), "<u8")]
        self.filled = self.dropped = 0

    def logits(self, token: int) -> np.ndarray:
        """Feeds a token; the logits of the one after it, in units of 2^-16 nats."""
        return self.head_of(self.state(token))

    def head_of(self, state: tuple[np.ndarray, int]) -> np.ndarray:
        return narrow(self.head.product(state, 16))

    def state(self, token: int) -> tuple[np.ndarray, int]:
        """Feeds a token; what the head multiplies, and its fraction bits."""
        if self.filled == self.window:
            self._make_room()
        return norm(self._advance(token), self.norm, self.config["norm_eps"])

    def _make_room(self) -> None:
        kept, count = 2 * min(2, self.window // 8), 2 * max(1, self.window // 32)
        self.dropped += count
        self.filled -= count
        for layer in self.layers:
            del layer.keys[kept : kept + count], layer.values[kept : kept + count]
            for position in range(kept):
                layer.keys[position] = self._turned(layer.plain[position], position)

    def _turned(self, heads: list[np.ndarray], position: int) -> list[tuple[np.ndarray, int]]:
        turn = self.dropped + position
        return [quantise(rotate(head, turn, self.rotary), 16, 12) for head in heads]

    def _heads(
        self, x: tuple[np.ndarray, int], of: tuple[Matrix, np.ndarray | int]
    ) -> list[np.ndarray]:
        values = narrow(narrow(of[0].product(x, 16)) + of[1])
        return np.split(values, len(values) // self.config["head_size"])

    def _advance(self, token: int) -> np.ndarray:
        position, eps = self.filled, self.config["norm_eps"]
        shared = self.config["heads"] // self.config["kv_heads"]
        self.filled += 1
        stream = scaled(self.embedding.weights[token], self.embedding.exponent - 24)
        for layer in self.layers:
            x = norm(stream, layer.norms[0], eps)
            plain = self._heads(x, layer.k)
            queries = self._turned(self._heads(x, layer.q), position)
            values = [quantise(h, 16, 12) for h in self._heads(x, layer.v)]
            del layer.keys[position:], layer.values[position:], layer.plain[position:]
            layer.keys.append(self._turned(plain, position))
            if position < 4:
                layer.plain.append(plain)
            layer.values.append(values)
            mixed = [
                attend(
                    q,
                    [heads[i // shared] for heads in layer.keys],
                    [heads[i // shared] for heads in layer.values],
                )
                for i, q in enumerate(queries)
            ]
            added = layer.o.product(quantise(np.concatenate(mixed), 30, 15), 24)
            stream = np.clip(stream + added, -LIMIT, LIMIT)

            x = norm(stream, layer.norms[1], eps)
            g, u = (narrow(matrix.product(x, 16)) for matrix in (layer.gate, layer.up))
            t = np.clip(np.clip(g, -(2**20), 2**20) + 2**20 - 256, 0, 4095 * 512 - 1)
            low, high = SQUASH[t >> 9], SQUASH[(t >> 9) + 1]
            sigma = low + (((high - low) * (t & 511)) >> 9)
            x = quantise(((g * sigma + 2**31) >> 32) * u, 32, 15)
            stream = np.clip(stream + layer.down.product(x, 24), -LIMIT, LIMIT)
        return stream
