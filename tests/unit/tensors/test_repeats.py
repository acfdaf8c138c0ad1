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
    assert len(archive) < 1.02 * len(content) * distinct / rows + 400
    assert llmzip.decompress(archive) == file


def test_weights_do_not_look_as_if_they_repeat():
    content = weights(100_000)
    settings = _native.tensor_settings(6, "bf16", 500, None)
    assert not _native.may_repeat(settings, content)
    assert not _native.rows_repeat(settings, content)
    assert _native.may_repeat(settings, content[:2002] * 90)
    assert _native.rows_repeat(settings, content + content)
