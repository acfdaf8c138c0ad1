"""`--base` at both ends."""

from __future__ import annotations

import json
import struct


def checkpoint(seed: int) -> bytes:
    """A safetensors file with one tensor; seeds that are near give near weights."""
    table = {"w": {"dtype": "F32", "shape": [64, 64], "data_offsets": [0, 16384]}}
    text = json.dumps(table).encode()
    floats = (1 / (1 + (i * 2654435761) % 4096) + seed * 1e-9 for i in range(4096))
    return struct.pack("<Q", len(text)) + text + struct.pack("<4096f", *floats)


def test_a_change_is_smaller_and_needs_its_base(llmzip):
    llmzip.write("old/model.st", checkpoint(0))
    llmzip.write("new/model.st", checkpoint(1))
    llmzip("new/model.st", "-o", "alone.llmz")
    llmzip("--base", "old", "new/model.st", "-o", "change.llmz")
    alone, change = (
        (llmzip.folder / name).stat().st_size for name in ("alone.llmz", "change.llmz")
    )
    assert change * 2 < alone
    line = llmzip.fails("-d", "change.llmz", "-o", "back", code=3)
    assert "model.st" in line and "--base" in line
    assert "is another" in llmzip.fails("-d", "--base", "new", "change.llmz", "-o", "back", code=3)
    assert not (llmzip.folder / "back").exists()
    llmzip("-d", "--base", "old", "change.llmz", "-o", "back")
    assert (llmzip.folder / "back").read_bytes() == checkpoint(1)
    llmzip("test", "--base", "old/model.st", "change.llmz")
    assert "nothing" in llmzip.fails("-d", "--base", "nothing", "change.llmz", "-o", "x", code=2)


def test_a_base_that_is_not_there(llmzip):
    llmzip.write("model.st", checkpoint(0))
    assert "nothing" in llmzip.fails("--base", "nothing", "model.st", "-o", "x.llmz", code=2)
    assert llmzip.names() == ["model.st"]
