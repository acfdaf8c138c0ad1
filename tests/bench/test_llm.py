"""bench/llm.py: a run that was broken off is taken up, and a text is made of an sdist."""

from __future__ import annotations

import hashlib
import importlib
import io
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

import synthetic

ROOT = Path(__file__).parents[2]


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module("llm")


def test_sizes_are_measured_once(
    llm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pack, text = tmp_path / "tiny.lzpack", tmp_path / "text"
    pack.write_bytes(synthetic.pack(tmp_path / "tiny.gguf"))
    text.write_bytes((synthetic.TEXT + ".\n").encode() * 20)
    results = tmp_path / "llm.csv"
    for levels, rows in (("3", 2), ("3,4", 4), ("3", 4)):
        words = ["--results", results, "size", pack, text, "--bytes", "900", "--levels", levels]
        monkeypatch.setattr(sys, "argv", ["llm.py", *map(str, words)])
        llm.main()
        assert len(llm.load(results)) == rows
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 4
    row = llm.load(results)[0]
    assert (row["part"], row["bytes"], row["unit"]) == ("size", "900", "bits/byte")
    assert 0 < float(row["value"]) < 8
    assert row["sha256"] == hashlib.sha256(text.read_bytes()[:900]).hexdigest()
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- bench: llm -->\nold\n<!-- end bench -->\nb\n")
    monkeypatch.setattr(sys, "argv", ["llm.py", "--results", str(results), "readme", str(readme)])
    llm.main()
    made = readme.read_text()
    assert made.startswith("a\n<!-- bench: llm -->\n| tokens/s") and made.endswith("-->\nb\n")
    assert "llmzip with the model" in made and row["value"] in made and "old" not in made
    results.write_text("other,columns\n")
    with pytest.raises(ValueError, match="measure anew"):
        llm.load(results)


def test_speeds_are_those_that_are_said(llm: ModuleType) -> None:
    own = "2048 tokens, 7391.5 bits, 512.4 tokens/s, 498.0 per CPU second, logits 0123\n"
    assert llm.said(own) == 512.4
    assert llm.said("98.7 tokens/s\n") == 98.7
    assert llm.said("128 tokens\n") is None


def test_speeds_stand_beside_the_peer(llm: ModuleType) -> None:
    row = {"part": "speed", "machine": "m", "date": "2026-01-02"}
    rows = [
        row | {"tool": tool, "setting": setting, "threads": "1", "value": value}
        for tool, setting, value in (
            ("llmzip", "block", "500.0"),
            ("llmzip", "lockstep 8", "300.0"),
            ("llama.cpp", "block", "100.0"),
            ("llama.cpp", "one", "60.0"),
        )
    ]
    made = llm.tables(rows)
    assert "| 5.00 |" in made.replace("  ", " ")
    assert "100.0" in made and "60.0" in made


def test_the_tables_in_the_readme_are_those_of_llm_csv(llm: ModuleType) -> None:
    text = (ROOT / "bench" / "README.md").read_text()
    assert llm.PLACE.search(text)
    assert llm.fill(text, llm.load(llm.RESULTS)) == text


def test_documents_are_joined_in_the_order_of_their_names(llm: ModuleType) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in (
            ("p/b.md", b"two"),
            ("p/c.py", b"no"),
            ("p/a.rst", b"one"),
            ("q.md", b"no"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert llm.documents(made.getvalue(), "p/", (".md", ".rst")) == b"onetwo"
