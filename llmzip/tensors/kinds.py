"""Element kinds: how many elements stand together, and how many bytes those take."""

from __future__ import annotations

from math import prod

# Elements of a block, bytes of a block. The names with q are GGUF's block types.
KINDS = {
    "f64": (1, 8),
    "f32": (1, 4),
    "f16": (1, 2),
    "bf16": (1, 2),
    "f8e4m3": (1, 1),
    "f8e5m2": (1, 1),
    "i64": (1, 8),
    "u64": (1, 8),
    "i32": (1, 4),
    "u32": (1, 4),
    "i16": (1, 2),
    "u16": (1, 2),
    "i8": (1, 1),
    "u8": (1, 1),
    "bool": (1, 1),
    "u4": (2, 1),
    "q4_0": (32, 18),
    "q4_1": (32, 20),
    "q5_0": (32, 22),
    "q5_1": (32, 24),
    "q8_0": (32, 34),
    "q2_k": (256, 84),
    "q3_k": (256, 110),
    "q4_k": (256, 144),
    "q5_k": (256, 176),
    "q6_k": (256, 210),
    "q8_k": (256, 292),
}

# No format in use has more; products of shapes stay small numbers.
MAX_DIMENSIONS = 64


def byte_length(kind: str, shape: tuple[int, ...]) -> int:
    """Bytes that a tensor of `kind` (one of `KINDS`) and `shape` (in elements) takes.

    A last pair or block that is not full takes all of its bytes.
    """
    elements, length = KINDS[kind]
    return -(-prod(shape) // elements) * length
