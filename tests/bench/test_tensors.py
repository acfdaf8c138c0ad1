"""bench/tensors.py: llmzip's own rows on a small file, and tables of what was measured."""

from __future__ import annotations

import importlib
import json
import struct
import sys
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tensors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module("tensors")


def test_a_file_is_measured_and_its_tables_are_made(
    tensors: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numpy")
    path, results, readme = (tmp_path / name for name in ("x_bf16.safetensors", "r.csv", "t.md"))
    data = b"".join(struct.pack("<e", Random(1).gauss(0, 1)) for _ in range(3000))
    table = json.dumps({"x": {"dtype": "BF16", "shape": [3000], "data_offsets": [0, 6000]}})
    path.write_bytes(struct.pack("<Q", len(table)) + table.encode() + data)
    readme.write_text("a\n<!-- bench: tensors -->\nold\n<!-- end bench -->\nb\n")
    arguments = [str(path), "--turns", "2", "--output", str(results), "--readme", str(readme)]
    monkeypatch.setattr(sys, "argv", ["tensors.py", *arguments])
    # Peers are not what is tested, and may take long to import.
    for package in ("zipnn", "lmz", "openzl", "blosc2", "pcodec", "zstandard"):
        monkeypatch.setitem(sys.modules, package, None)
    tensors.main()
    rows = tensors.load(results)
    turns = {row["tool"]: row["turns"] for row in rows}
    assert turns["llmzip -6, into a warm buffer"] == "2"
    assert turns["llmzip -8, into a warm buffer"] == "1"
    assert {int(row["bytes"]) for row in rows} == {path.stat().st_size}
    assert all(0 < float(row["percent"]) < 120 for row in rows)
    text = readme.read_text()
    assert text.startswith("a\n<!-- bench: tensors -->\nPercent") and text.endswith("-->\nb\n")
    assert "old" not in text and rows[0]["percent"] in text
    assert tensors.fill(text, rows) == text


def test_the_tables_in_the_readme_are_those_of_tensors_csv(tensors: ModuleType) -> None:
    text = (ROOT / "bench" / "README.md").read_text()
    assert tensors.PLACE.search(text)
    assert tensors.fill(text, tensors.load(tensors.RESULTS)) == text
