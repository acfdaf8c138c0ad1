"""Tensors that repeat themselves, near or far, are not larger than general tools make them."""

from __future__ import annotations

import random
import struct

import pytest

import llmzip
from llmzip import _native
from unit.tensors.helpers import entry, safetensors


def weights(count: int) -> bytes:
    """bf16, nearly normal."""
    source = random.Random(7)
    values = (struct.pack("<f", source.gauss(0, 0.02))[2:] for _ in range(count))
    return b"".join(values)


@pytest.mark.parametrize(
    ("rows", "columns", "distinct"), [(600, 1001, 1), (12, 50_001, 1), (600, 1000, 300)]
)
def test_rows_that_repeat_are_stored_about_once(rows: int, columns: int, distinct: int):
    content = weights(distinct * columns) * (rows // distinct)
    file = safetensors({"w": entry("BF16", [rows, columns], 0, len(content))}, content)
    archive = llmzip.compress(file)
    # No general tool codes the exponents by themselves.
    assert len(archive) < 0.72 * len(content) * distinct / rows + 500
    assert llmzip.decompress(archive) == file


def test_weights_do_not_look_as_if_they_repeat():
    content = weights(100_000)
    settings = _native.tensor_settings(6, "bf16", 500, None)
    assert not _native.may_repeat(settings, content)
    assert not _native.rows_repeat(settings, content)
    assert _native.may_repeat(settings, content[:2002] * 90)
    assert _native.rows_repeat(settings, content + content)


@pytest.mark.parametrize(("count", "most"), [(3, 0.21), (16, 0.51), (256, 1.01)])
def test_few_values_take_what_their_numbers_take(count: int, most: float):
    """In bytes of an element, whose four say nothing more."""
    source = random.Random(8)
    values = [struct.pack("<f", source.gauss(0, 0.02)) for _ in range(count)]
    content = b"".join(source.choices(values, k=100_000))
    file = safetensors({"w": entry("F32", [100, 1000], 0, len(content))}, content)
    archive = llmzip.compress(file)
    assert len(archive) < most * 100_000 + 4 * count + 300
    assert llmzip.decompress(archive) == file


def test_many_values_are_not_numbered():
    settings = _native.tensor_settings(6, "f32", 0, None)
    few = b"".join(struct.pack("<I", n) for n in range(256))
    assert _native.tensor_with_values(settings, few * 3)
    assert _native.tensor_with_values(settings, few + struct.pack("<I", 256)) is None
    assert _native.tensor_with_values(settings, b"") is None
    assert _native.tensor_with_values(_native.tensor_settings(6, "u8", 0, None), few) is None
    assert _native.tensor_with_values(_native.tensor_settings(6, "q8_0", 0, None), few) is None
    assert _native.tensor_with_values(_native.tensor_settings(6, "f32", 0, 0), few) is None
