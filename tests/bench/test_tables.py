"""bench/tables.py: real tools on a small table, and what the README shows of their rows."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("tables")


@pytest.mark.skipif(shutil.which("xz") is None, reason="xz is not installed")
def test_archives_are_decoded_and_compared(tables: ModuleType, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(b"a,1,x\nb,2,y\n" * 500)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (xz,) = [tool for tool in tables.general([6], None) if tool.program == "xz"]
    row = tables.measure(xz, table, scratch)
    assert 0 < int(row["size"]) < 500 and row["note"] == ""
    lossy = tables.Tool("lossy", "xz", xz.compress, ("--version",))
    with pytest.raises(tables.Failed, match="other bytes"):
        tables.measure(lossy, table, scratch)
    assert not list(scratch.iterdir())


def test_rows_are_kept_one_a_tool_and_shown(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, readme = tmp_path / "tables.csv", tmp_path / "README.md"
    row = dict.fromkeys(tables.FIELDS, "") | {
        **{"file": "t.csv", "bytes": "4000", "date": "2026-11-30", "machine": "m"},
        **{"compress_s": "1.50", "decompress_s": "0.25"},
    }
    tables.put(results, row | {"tool": "xz -9e", "size": "900", "model": "0"})
    tables.put(results, row | {"tool": "circuit", "size": "300", "model": "500", "train_s": "2.0"})
    tables.put(results, row | {"tool": "xz -9e", "size": "1000", "model": "0"})
    assert len(tables.load(results)) == 2
    readme.write_text("a\n<!-- bench: tables -->\nold\n<!-- end bench -->\nb\n")
    words = ["tables.py", "readme", str(readme), "--results", str(results)]
    monkeypatch.setattr(sys, "argv", words)
    tables.main()
    made = readme.read_text()
    assert made.startswith("a\n<!-- bench: tables -->\nt.csv, 4,000 bytes") and "old" not in made
    circuit, xz = made.index("| circuit"), made.index("| xz -9e")
    assert circuit < xz, "800 bytes with its model are fewer than 1,000"
    assert "trained in 2.0 s" in made and " 0.6000 |" in made.split("| circuit")[1]


def test_the_readme_shows_what_was_measured(tables: ModuleType) -> None:
    text = (BENCH / "README.md").read_text()
    assert "<!-- bench: tables -->" in text
    assert tables.fill(text, tables.load(BENCH / "tables.csv")) == text
