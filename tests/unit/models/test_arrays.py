"""Block types against loops over their elements, written from the layout alone."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from llmzip.models.arrays import READABLE, floats
from llmzip.tensors.kinds import KINDS


def half(block: bytes, at: int) -> np.float32:
    return np.float32(np.frombuffer(block[at : at + 2], "<f2")[0])


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def nibble(data: bytes, at: int) -> int:
    """Element `at` of 16 bytes that hold 32: low halves first."""
    return data[at] & 15 if at < 16 else data[at - 16] >> 4


def bit(data: bytes, at: int) -> int:
    return data[at // 8] >> at % 8 & 1


def part(block: bytes, number: int) -> tuple[int, int]:
    """Six bits of scale and six of offset out of twelve bytes."""
    q = block[4:16]
    if number < 4:
        return q[number] & 63, q[number + 4] & 63
    scale = q[number + 4] & 15 | (q[number - 4] >> 6) << 4
    return scale, q[number + 4] >> 4 | (q[number] >> 6) << 4


def of_parts(block: bytes, at: int, weight: int) -> np.float32:
    scale, offset = part(block, at // 32)
    return half(block, 0) * np.float32(scale) * np.float32(weight) - half(block, 2) * np.float32(
        offset
    )


def element(kind: str, block: bytes, at: int) -> np.float32:
    f = np.float32
    match kind:
        case "q4_0":
            return half(block, 0) * f(nibble(block[2:], at) - 8)
        case "q4_1":
            return half(block, 0) * f(nibble(block[4:], at)) + half(block, 2)
        case "q5_0":
            return half(block, 0) * f(nibble(block[6:], at) + 16 * bit(block[2:], at) - 16)
        case "q5_1":
            value = nibble(block[8:], at) + 16 * bit(block[4:], at)
            return half(block, 0) * f(value) + half(block, 2)
        case "q8_0":
            return half(block, 0) * f(signed(block[2 + at]))
        case "q4_k":
            byte = block[16 + at // 64 * 32 + at % 32]
            return of_parts(block, at, byte >> 4 if at % 64 >= 32 else byte & 15)
        case "q5_k":
            byte = block[48 + at // 64 * 32 + at % 32]
            low = byte >> 4 if at % 64 >= 32 else byte & 15
            return of_parts(block, at, low + 16 * (block[16 + at % 32] >> at // 32 & 1))
        case "q6_k":
            start, inner = at // 128, at % 128
            byte = block[64 * start + inner % 64]
            low = byte >> 4 if inner >= 64 else byte & 15
            high = block[128 + 32 * start + inner % 32] >> 2 * (inner // 32) & 3
            scale = half(block, 208) * f(signed(block[192 + at // 16]))
            return scale * f(low + 16 * high - 32)
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", sorted(READABLE - {"f64", "f32", "f16", "bf16"}))
def test_block_types(kind):
    draw = random.Random(kind)
    elements, width = KINDS[kind]
    blocks = []
    for _ in range(6):
        block = bytearray(draw.randbytes(width))
        for at in (208,) if kind == "q6_k" else (0, 2):
            if kind not in ("q4_0", "q5_0", "q8_0") or at == 0:
                block[at : at + 2] = np.array([draw.uniform(-2, 2)], "<f2").tobytes()
        blocks.append(bytes(block))
    expected = [element(kind, block, at) for block in blocks for at in range(elements)]
    found = floats(kind, b"".join(blocks), (2, 3 * elements))
    assert found.dtype == np.float32
    assert found.shape == (2, 3 * elements)
    assert found.ravel().tolist() == [float(value) for value in expected]


def test_plain_types():
    values = [0.0, -1.5, 65504.0, 2.0**-24]
    for kind, letter in (("f64", "d"), ("f32", "f"), ("f16", "e")):
        data = struct.pack(f"<4{letter}", *values)
        assert floats(kind, data, (4,)).tolist() == values
    words = [struct.unpack("<I", struct.pack("<f", value))[0] >> 16 for value in (1.0, -0.375)]
    assert floats("bf16", struct.pack("<2H", *words), (2, 1)).tolist() == [[1.0], [-0.375]]
