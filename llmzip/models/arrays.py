"""Weights as float32, out of the element types and block types of checkpoints.

Block types are GGUF's (ggml, `ggml-quants.c`). Every product of a scale and a weight is exact in
float32, a sum is rounded once, so the values are the same on any machine.
"""

from __future__ import annotations

from llmzip.record import Record
from llmzip.tensors.kinds import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy import float32, uint8
    from numpy.typing import NDArray

    Floats = NDArray[float32]
    Bytes = NDArray[uint8]


class Nibbles(Record):
    """Rows of weights of four bits: `bits * step + base`, with a step and a base for each 32 of a row.

    bits: uint8 from 0 to 15, as the weights are shaped. steps, bases: floats, a 32nd of it.
    """

    bits: Bytes
    steps: NDArray[Any]
    bases: NDArray[Any]

    def floats(self) -> Floats:
        """The weights: products are exact, and the sum is rounded once."""
        import numpy as np

        steps, bases = (v.astype(np.float32).repeat(32, axis=-1) for v in (self.steps, self.bases))
        return self.bits.astype(np.float32) * steps + bases

    def of(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Nibbles:
        """The same with its rows changed, alike in all three."""
        return Nibbles(change(self.bits), change(self.steps), change(self.bases))


def weights(kind: str, data: bytes, shape: tuple[int, ...]) -> Floats | Nibbles:
    """As `floats`; as nibbles where the type has four bits with one step and base."""
    import numpy as np

    if kind not in ("q4_0", "q4_1") or len(shape) != 2:
        return floats(kind, data, shape)
    blocks = np.frombuffer(data, np.uint8).reshape(-1, KINDS[kind][1])
    rows = shape[0], -1
    steps = _half(blocks, 0)
    bases = steps * -8 if kind == "q4_0" else _half(blocks, 2)
    bits = _nibbles(blocks[:, 2 if kind == "q4_0" else 4 :]).astype(np.uint8)
    return Nibbles(bits.reshape(shape), steps.reshape(rows), bases.reshape(rows))


def floats(kind: str, data: bytes, shape: tuple[int, ...]) -> Floats:
    """An array of `shape` out of `data`, elements of one of the types in `READABLE`.

    `data` is as long as the type and shape say, and a row is whole blocks.
    """
    import numpy as np

    if kind in _PLAIN:
        return np.frombuffer(data, _PLAIN[kind]).astype(np.float32).reshape(shape)
    if kind == "bf16":
        words = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return words.view(np.float32).reshape(shape)
    blocks = np.frombuffer(data, np.uint8).reshape(-1, KINDS[kind][1])
    return _BLOCKS[kind](blocks).reshape(shape)


def _half(blocks: Bytes, at: int) -> Floats:
    """The float16 at byte `at` of every block, as a column."""
    import numpy as np

    return blocks[:, at : at + 2].copy().view("<f2").astype(np.float32)


def _nibbles(data: Bytes) -> Floats:
    """Low halves of the bytes of a row, then high ones."""
    import numpy as np

    return np.concatenate([data & 15, data >> 4], axis=-1).astype(np.float32)


def _fifth(blocks: Bytes, at: int) -> Floats:
    """16 for every one of the 32 bits at byte `at`."""
    import numpy as np

    bits = np.unpackbits(blocks[:, at : at + 4], axis=1, bitorder="little")
    return bits.astype(np.float32) * np.float32(16)


def _q4_0(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * (_nibbles(blocks[:, 2:]) - 8)


def _q4_1(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * _nibbles(blocks[:, 4:]) + _half(blocks, 2)


def _q5_0(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * (_nibbles(blocks[:, 6:]) + _fifth(blocks, 2) - 16)


def _q5_1(blocks: Bytes) -> Floats:
    return _half(blocks, 0) * (_nibbles(blocks[:, 8:]) + _fifth(blocks, 4)) + _half(blocks, 2)


def _q8_0(blocks: Bytes) -> Floats:
    import numpy as np

    return _half(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _scales(blocks: Bytes) -> tuple[Floats, Floats]:
    """Scale and offset of each of a block's eight parts, in six bits each."""
    import numpy as np

    low, middle, high = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    scales = np.concatenate([low & 63, (high & 15) | (low >> 6) << 4], axis=1)
    offsets = np.concatenate([middle & 63, (high >> 4) | (middle >> 6) << 4], axis=1)
    factors = _half(blocks, 0) * scales.astype(np.float32)
    return factors[:, :, None], (_half(blocks, 2) * offsets.astype(np.float32))[:, :, None]


def _q4_k(blocks: Bytes) -> Floats:
    scales, offsets = _scales(blocks)
    weights = _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    return scales * weights - offsets


def _q5_k(blocks: Bytes) -> Floats:
    import numpy as np

    scales, offsets = _scales(blocks)
    weights = _nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    bits = blocks[:, None, 16:48] >> np.arange(8, dtype=np.uint8)[:, None] & 1
    return scales * (weights + bits.astype(np.float32) * 16) - offsets


def _q6_k(blocks: Bytes) -> Floats:
    import numpy as np

    low = blocks[:, :128].reshape(-1, 2, 1, 64) >> np.array([[0], [4]], np.uint8) & 15
    high = blocks[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([[0], [2], [4], [6]], np.uint8) & 3
    weights = (low.reshape(-1, 16, 16) | high.reshape(-1, 16, 16) << 4).astype(np.float32) - 32
    scales = _half(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return scales[:, :, None] * weights


_PLAIN = {"f64": "<f8", "f32": "<f4", "f16": "<f2"}
_BLOCKS: dict[str, Callable[[Bytes], Floats]] = {
    "q4_0": _q4_0,
    "q4_1": _q4_1,
    "q5_0": _q5_0,
    "q5_1": _q5_1,
    "q8_0": _q8_0,
    "q4_k": _q4_k,
    "q5_k": _q5_k,
    "q6_k": _q6_k,
}
READABLE = frozenset({*_PLAIN, "bf16", *_BLOCKS})
