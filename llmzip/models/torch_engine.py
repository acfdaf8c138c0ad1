"""The exact transformer of FORMAT.md, section 10, in torch: the engine's bits, on a CPU or a GPU.

Products are made in doubles, in which every sum here is an exact integer, so that no order of
additions matters; all else is 64-bit integers. Needs the extra `hf`. Archives never need this: it
is a second opinion on the engine, and a way to evaluate many positions on a GPU.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from llmzip import _native
from llmzip.errors import MissingPackageError, UnsupportedError
from llmzip.models import matrices

if TYPE_CHECKING:
    from collections.abc import Sequence

    # torch has no part in type checks: they run without it.
    Tensor = Any

LIMIT = 1 << 46
LIMIT32 = 1 << 30
GROUP = PANEL = 64
BLOCK = 32
# Doubles hold every integer up to 2**53, and products are below 2**38: so many inputs at a time.
EXACT_INPUTS = 1 << 14
# Below every score and every exponent, for positions that a query does not see.
NEVER = -(1 << 40)


def _torch() -> Any:
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise MissingPackageError(
            "evaluating a model with PyTorch needs torch: pip install 'llmzip[hf]'"
        ) from error
    return torch


def _scaled(x: Tensor, shift: Tensor) -> Tensor:
    """`x * 2**-shift`, halves up, within 2**46; `shift` goes along with `x`."""
    torch = _torch()
    right, left = shift.clamp(1, 62), (-shift).clamp(0, 62)
    smaller = ((x + (1 << (right - 1))) >> right).clamp(-LIMIT, LIMIT)
    most = LIMIT >> left
    larger = torch.minimum(torch.maximum(x, -most), most) << left
    return torch.where(shift > 0, torch.where(shift > 62, 0, smaller), larger)


def _bits(x: Tensor) -> Tensor:
    """Bits of the greatest magnitude along the last dimension, which is kept."""
    torch = _torch()
    powers = torch.tensor([1 << k for k in range(63)], device=x.device)
    return (x.abs().amax(-1, keepdim=True).unsqueeze(-1) >= powers).sum(-1)


def _quantise(x: Tensor, fraction: Tensor | int, width: int) -> tuple[Tensor, Tensor]:
    """Integers below `2**width`, and their fraction bits."""
    torch = _torch()
    bits = _bits(x)
    shift = torch.where(bits == 0, 0, bits - width)
    most = (1 << width) - 1
    return _scaled(x, shift).clamp(-most, most), fraction - shift


def _power(part: Tensor) -> Tensor:
    a = 60404 - (10234 * part >> 12)
    b = 181241 - (a * part >> 12)
    return 262144 - (b * part >> 12)


def _turn(angle: int) -> tuple[int, int]:
    """Cosine and sine of an angle in units of 2**-64 turns, in units of 2**-30."""

    def series(term: int, n: int, square: int) -> int:
        total = term
        while term:
            product = -((term * square) >> 60)
            term = abs(product) // (n * (n + 1)) * (1 if product > 0 else -1)
            total += term
            n += 2
        return (total + (1 << 29)) >> 30

    x = ((angle & ((1 << 62) - 1)) * 1811004864519280711) >> 62
    square = (x * x) >> 60
    c, s = series(1 << 60, 1, square), series(x, 2, square)
    return [(c, s), (-s, c), (-c, -s), (s, -c)][angle >> 62]


class _Matrix:
    """A matrix of a pack as exact doubles."""

    def __init__(self, weights: Tensor, exponent: int) -> None:
        self.weights = weights
        self.exponent = exponent

    def product(self, x: tuple[Tensor, Tensor], fraction: int) -> Tensor:
        """Products with rows of activations, with `fraction` fraction bits."""
        torch = _torch()
        values, has = x
        total = torch.zeros((), dtype=torch.int64, device=values.device)
        pieces = zip(
            values.double().split(EXACT_INPUTS, 1), self.weights.split(EXACT_INPUTS, 1), strict=True
        )
        for some, weights in pieces:
            total = total + (some @ weights.T).long()
        return _scaled(total, self.exponent + has - fraction)

    def narrow(self, x: tuple[Tensor, Tensor]) -> Tensor:
        return self.product(x, 16).clamp(-LIMIT32, LIMIT32)


class TorchModel:
    """A pack, and one sequence that it evaluates, with the engine's logits.

    Args:
        pack: the bytes of a model pack, which `_native.check_pack` has found whole.
        window: positions seen at most; kept within 2 and what the model takes.
        device: torch's name of where to work; it must have doubles.

    Raises:
        MissingPackageError: torch is not installed.
        UnsupportedError: the device has no doubles.
    """

    def __init__(self, pack: bytes | memoryview, window: int, device: str = "cpu") -> None:
        torch = _torch()
        self._data = memoryview(pack)
        size = int.from_bytes(self._data[12:20], "little")
        header = json.loads(bytes(self._data[20 : 20 + size]))
        self.config: dict[str, int] = header["config"]
        self._entries: dict[str, Any] = header["tensors"]
        self._device = torch.device(device)
        try:
            torch.zeros(1, dtype=torch.float64, device=self._device)
        except (RuntimeError, TypeError) as error:
            raise UnsupportedError(f"model: {device} has no doubles; use cpu or cuda") from error
        self.window = max(2, min(window, self.config["context"], 1 << 15))
        self._embedding = self._matrix("embed_tokens.weight")
        tied = "lm_head.weight" not in self._entries
        self._head = self._embedding if tied else self._matrix("lm_head.weight")
        self._layers = [self._layer(number) for number in range(self.config["layers"])]
        self._norm = self._gains("norm.weight")
        self._squash = self._numbers(_native.squash_table(), "<u4")
        self._rotary = [
            int.from_bytes(self._bytes("rotary")[at : at + 8], "little")
            for at in range(0, self._entries["rotary"]["length"], 8)
        ]
        self._turns: dict[int, list[tuple[int, int]]] = {}
        self.reset()

    def reset(self) -> None:
        """Forgets every token."""
        self._filled = self._dropped = 0
        self._cache: list[tuple[Tensor, ...] | None] = [None] * self.config["layers"]
        # Keys of the first positions before they are rotated.
        self._plain: list[Tensor | None] = [None] * self.config["layers"]

    def advance(self, tokens: Sequence[int]) -> Tensor:
        """Feeds tokens; for each the logits of the token after it.

        Returns:
            int64, `len(tokens)` x vocabulary, in units of 2**-16 nats.

        Raises:
            ValueError: a token that the vocabulary does not have; then none was fed.
        """
        torch = _torch()
        if not all(0 <= token < self.config["vocab"] for token in tokens):
            raise ValueError("the model has no such token")
        states: list[tuple[Tensor, Tensor]] = []
        tokens = list(tokens)
        while tokens:
            if self._filled == self.window:
                self._make_room()
            room = self.window - self._filled
            now, tokens = tokens[:room], tokens[room:]
            states.append(self._evaluate(now))
        if not states:
            return torch.zeros((0, self.config["vocab"]), dtype=torch.int64, device=self._device)
        return torch.cat([self._head.narrow(x) for x in states])

    # Tensors of the pack.

    def _bytes(self, name: str) -> memoryview:
        entry = self._entries[name]
        return self._data[entry["offset"] : entry["offset"] + entry["length"]]

    def _numbers(self, data: bytes | memoryview, kind: str) -> Tensor:
        import numpy as np

        return _torch().tensor(np.frombuffer(data, kind).astype(np.int64), device=self._device)

    def _matrix(self, name: str) -> _Matrix:
        entry = self._entries[name]
        weights = matrices.integers(entry["kind"], self._bytes(name), *entry["shape"])
        tensor = _torch().from_numpy(weights).to(self._device)
        return _Matrix(tensor, self._entries[name]["exponent"])

    def _gains(self, name: str) -> tuple[Tensor, int]:
        return self._numbers(self._bytes(name), "<i4"), self._entries[name]["exponent"]

    def _layer(self, number: int) -> dict[str, Any]:
        at = f"layers.{number}."
        layer: dict[str, Any] = {
            name: self._gains(f"{at}{name}_layernorm.weight")
            for name in ("input", "post_attention")
        }
        for name in ("q", "k", "v"):
            bias = f"{at}self_attn.{name}_proj.bias"
            has = bias in self._entries
            layer[name] = (
                self._matrix(f"{at}self_attn.{name}_proj.weight"),
                self._numbers(self._bytes(bias), "<i4") if has else 0,
            )
        layer["o"] = self._matrix(at + "self_attn.o_proj.weight")
        for name in ("gate", "up", "down"):
            layer[name] = self._matrix(f"{at}mlp.{name}_proj.weight")
        return layer

    # Layers.

    def _normalised(self, x: Tensor, gains: tuple[Tensor, int]) -> tuple[Tensor, Tensor]:
        torch = _torch()
        bits = _bits(x)
        shift = torch.where(bits == 0, 0, bits - 24)
        x = _scaled(x, shift)
        squares = (x * x).sum(-1).tolist()
        inverses, halves = [], []
        # Of 128 bits: one number a row, which Python's integers have.
        for square, s in zip(squares, shift[:, 0].tolist(), strict=True):
            eps = self.config["norm_eps"]
            mean = max(square // x.shape[-1] + (eps >> 2 * s if s >= 0 else eps << -2 * s), 1)
            half = (64 - mean.bit_length()) // 2
            root = math.isqrt(mean << 2 * half if half >= 0 else mean >> -2 * half)
            inverses.append((1 << 62) // root)
            halves.append(half)
        column = self._column
        values, exponent = gains
        x = ((x * values + (1 << 15)) >> 16) * column(inverses)
        return _quantise(x, 46 + exponent - column(halves), 15)

    def _column(self, values: list[int]) -> Tensor:
        return _torch().tensor(values, device=self._device)[:, None]

    def _rotated(self, heads: Tensor, first: int) -> Tensor:
        torch = _torch()
        count = heads.shape[0]
        first += self._dropped
        for position in range(first, first + count):
            if position not in self._turns:
                angles = [position * f % (1 << 64) for f in self._rotary]
                self._turns[position] = [_turn(angle) for angle in angles]
        own = [self._turns[position] for position in range(first, first + count)]
        turns = torch.tensor(own, device=self._device)
        cos, sin = turns[:, None, :, 0], turns[:, None, :, 1]
        a, b = heads.chunk(2, -1)
        both = torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
        return (both + (1 << 29)) >> 30

    def _heads(self, x: tuple[Tensor, Tensor], of: tuple[_Matrix, Tensor | int]) -> Tensor:
        values = (of[0].narrow(x) + of[1]).clamp(-LIMIT32, LIMIT32)
        return values.unflatten(-1, (-1, self.config["head_size"]))

    def _keep(self, number: int, plain: Tensor) -> None:
        """Keeps those of a layer's keys that belong to first positions."""
        before, kept = self._plain[number], _sinks(self.window)
        joined = plain if before is None else _torch().cat([before, plain[:kept]])
        self._plain[number] = joined[:kept].clone()

    def _make_room(self) -> None:
        """Drops the oldest positions but the very first, whose keys are rotated anew."""
        torch = _torch()
        kept, count = _sinks(self.window), 2 * max(1, self.window // 32)
        self._dropped += count
        self._filled -= count
        for position in [position for position in self._turns if position < self._dropped]:
            del self._turns[position]
        for number, (cache, plain) in enumerate(zip(self._cache, self._plain, strict=True)):
            assert cache is not None and plain is not None
            first = tuple(part[:kept] for part in cache)
            if kept:
                first = (*_quantise(self._rotated(plain, 0), 16, 12), *first[2:])
            self._cache[number] = tuple(
                torch.cat([start, part[kept + count :]])
                for start, part in zip(first, cache, strict=True)
            )

    def _evaluate(self, tokens: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Rows of states after the last norm, and their fraction bits."""
        torch = _torch()
        first = self._filled
        self._filled += len(tokens)
        chosen = torch.tensor(list(tokens), device=self._device)
        stream = self._embedding.weights[chosen].long()
        stream = _scaled(stream, torch.tensor(self._embedding.exponent - 24, device=self._device))
        for number, layer in enumerate(self._layers):
            x = self._normalised(stream, layer["input"])
            queries = _quantise(self._rotated(self._heads(x, layer["q"]), first), 16, 12)
            plain = self._heads(x, layer["k"])
            keys = _quantise(self._rotated(plain, first), 16, 12)
            self._keep(number, plain)
            new = (*keys, *_quantise(self._heads(x, layer["v"]), 16, 12))
            before = self._cache[number]
            if before is not None:
                new = tuple(torch.cat(both) for both in zip(before, new, strict=True))
            self._cache[number] = new
            mixed = self._attend(queries, new, first)
            self._add(mixed.flatten(1), 30, layer["o"], stream)

            x = self._normalised(stream, layer["post_attention"])
            gates, up = layer["gate"].narrow(x), layer["up"].narrow(x)
            self._add(self._gated(gates, up), 32, layer["down"], stream)
        return self._normalised(stream, self._norm)

    def _add(self, x: Tensor, fraction: int, matrix: _Matrix, stream: Tensor) -> None:
        stream += matrix.product(_quantise(x, fraction, 15), 24)
        stream.clamp_(-LIMIT, LIMIT)

    def _gated(self, gates: Tensor, up: Tensor) -> Tensor:
        place = gates.clamp(-(1 << 20), 1 << 20) + (1 << 20) - 256
        place = place.clamp(0, 4095 * 512 - 1)
        low, high = self._squash[place >> 9], self._squash[(place >> 9) + 1]
        sigma = low + (((high - low) * (place & 511)) >> 9)
        return ((gates * sigma + (1 << 31)) >> 32) * up

    def _attend(
        self, queries: tuple[Tensor, Tensor], cache: tuple[Tensor, ...], first: int
    ) -> Tensor:
        """Rows x heads x values, with 30 fraction bits."""
        torch = _torch()
        keys, key_bits, values, value_bits = cache
        rows, positions = queries[0].shape[0], keys.shape[0]
        seen = torch.arange(positions, device=self._device)
        seen = seen[None] <= torch.arange(first, first + rows, device=self._device)[:, None]
        pad = -positions % BLOCK
        out = []
        shared = self.config["heads"] // self.config["kv_heads"]
        for head in range(self.config["heads"]):
            of = head // shared
            q, q_bits = queries[0][:, head], queries[1][:, head]
            dots = (q.double() @ keys[:, of].double().T).long()
            scores = _scores(dots, q_bits + key_bits[:, of, 0] - 12)
            scores = torch.where(seen, scores, NEVER)
            top = (scores.amax(1, keepdim=True) + 4095) >> 12
            powers = torch.where(seen, _power(-scores & 4095), 0)
            total = ((powers << 10) >> ((4096 * top - scores) >> 12).clamp(max=31)).sum(1)

            def blocks(x: Tensor, value: int) -> Tensor:
                return torch.nn.functional.pad(x, (0, pad), value=value).unflatten(-1, (-1, BLOCK))

            v_bits = value_bits[:, of, 0]
            relative = torch.where(seen, scores - 4096 * v_bits, NEVER)
            high = (blocks(relative, NEVER).amax(-1, keepdim=True) + 4095) >> 12
            below = (4096 * (high + blocks(v_bits, 0)) - blocks(scores, NEVER)) >> 12
            below = below.clamp(0, 16)
            weights = (blocks(powers, 0) + (1 << (3 + below))) >> (4 + below)
            weights = torch.where(blocks(seen, False), weights, 0)
            vectors = torch.nn.functional.pad(values[:, of], (0, 0, 0, pad))
            vectors = vectors.unflatten(0, (-1, BLOCK)).double()
            sums = torch.einsum("rbi,bid->rbd", weights.double(), vectors).long()
            most = high.amax(1, keepdim=True)
            shift = (10 + most - high).clamp(max=31)
            mixed = (((sums >> (shift - 1)) + 1) >> 1).sum(1)
            out.append(_mean(mixed, total[:, None], most[:, 0] - top))
        return torch.stack(out, 1)


def _sinks(window: int) -> int:
    """First positions of a window so long that stay."""
    return 2 * min(2, window // 8)


def _scores(dots: Tensor, shift: Tensor) -> Tensor:
    torch = _torch()
    most = 1 << 28
    left = (-shift).clamp(0, 28)
    limit = most >> left
    larger = torch.minimum(torch.maximum(dots, -limit), limit) << left
    smaller = (((dots >> (shift.clamp(1, 32) - 1)) + 1) >> 1).clamp(-most, most)
    return torch.where(shift > 0, smaller, larger)


def _mean(mixed: Tensor, total: Tensor, exponent: Tensor) -> Tensor:
    """Sums of weighted values over the sum of weights, which is below 2**43."""
    bits = _bits(total)
    # floor(2**(bits + 30) / total), of which every step fits 64 bits.
    quotient, rest = (1 << bits) // total, (1 << bits) % total
    for _ in range(2):
        quotient = (quotient << 15) + (rest << 15) // total
        rest = (rest << 15) % total
    return _scaled(mixed * quotient, bits - 24 - exponent)
