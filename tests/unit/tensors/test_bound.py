"""No file of tensors ends far above what zstd -3 makes of it, or above its own length."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

import numpy as np
import pytest
import zstandard

import llmzip

Parts = dict[str, tuple[str, np.ndarray]]

# Container, index and footer of a small archive.
_LITTLE = 200


def normal(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.02, count).astype(np.float32)


def bf16(values: np.ndarray) -> np.ndarray:
    return (np.ascontiguousarray(values).view(np.uint32) >> 16).astype(np.uint16)


def codebook(size: int) -> np.ndarray:
    return normal(size)[np.random.default_rng(2).integers(0, size, (300, 1000))]


def near() -> np.ndarray:
    flips = np.random.default_rng(3).random((200, 2000)) < 0.01
    return np.where(flips, bf16(normal(2000)) ^ 1, bf16(normal(2000))).astype(np.uint16)


def some_rows() -> np.ndarray:
    rows = bf16(normal(20 * 512)).reshape(20, 512)
    return rows[np.random.default_rng(4).integers(0, 20, 700)]


CASES: dict[str, Callable[[], Parts]] = {
    "weights": lambda: {"w": ("BF16", bf16(normal(300_000)).reshape(300, 1000))},
    "one row": lambda: {"w": ("BF16", np.tile(bf16(normal(1001)), (600, 1)))},
    "one long row": lambda: {"w": ("BF16", np.tile(bf16(normal(50_001)), (12, 1)))},
    "few rows": lambda: {"w": ("BF16", some_rows())},
    "rows nearly the same": lambda: {"w": ("BF16", near())},
    "no rows": lambda: {"w": ("I16", np.tile(np.arange(-30_000, 30_001, dtype=np.int16), 20))},
    "few values": lambda: {"w": ("BF16", bf16(codebook(8)))},
    "few floats": lambda: {"w": ("F32", codebook(256))},
    "triangle": lambda: {"m": ("BOOL", np.tril(np.ones((1500, 1500), np.uint8)))},
    "positions": lambda: {"p": ("I64", np.tile(np.arange(512), (300, 1)))},
    "ones": lambda: {f"l.{i}": ("F32", np.ones(768, np.float32)) for i in range(100)},
    "tiny": lambda: {f"l.{i}": ("F32", normal(30 + i)[i:]) for i in range(500)},
    "empty": lambda: {f"l.{i}": ("F32", normal(0)) for i in range(300)},
    "scalar": lambda: {"s": ("F32", normal(1).reshape(()))},
    "noise": lambda: {"n": ("U8", np.random.default_rng(5).integers(0, 256, 200_001, np.uint8))},
}


@pytest.mark.parametrize("case", CASES)
def test_is_never_much_larger_than_zstd(case: str):
    header, data = {}, b""
    for name, (kind, values) in CASES[case]().items():
        raw = values.tobytes()
        span = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": span}
        data += raw
    table = json.dumps(header).encode()
    file = struct.pack("<Q", len(table)) + table + data
    archive = llmzip.compress(file)
    most = min(len(zstandard.ZstdCompressor(3).compress(file)), len(file) * 1001 // 1000)
    assert len(archive) <= most + _LITTLE
    assert llmzip.decompress(archive) == file
