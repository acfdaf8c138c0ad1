"""bench/selection.py and bench/languages.py: their parts, and what is told of their results."""

from __future__ import annotations

import csv
import importlib
import random
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "bench"
METHODS = {
    "`llmzip select` (`cm -3`)": "llmzip cm -3, gain",
    "`llmzip select -p gzip --score gain`": "gzip -9, gain",
    "`llmzip select -p gzip` (NCD)": "gzip -9, ncd to the whole target",
    "gzip, mean NCD as in ZIP-FIT": "gzip -9, mean ncd (ZIP-FIT)",
}


@pytest.fixture
def selection(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("selection")


def test_pieces_are_whole_lines(selection: ModuleType) -> None:
    text = b"".join(b"line %d\n" % n for n in range(1000))
    found = selection.pieces(text)
    assert text.startswith(b"".join(found)) and len(found) == len(text) // 2052
    assert all(2048 <= len(piece) < 2060 and piece.endswith(b"\n") for piece in found)


def test_zipfit_finds_what_is_alike(selection: ModuleType) -> None:
    draw = random.Random(1)
    words = [bytes(draw.choices(b"abcdefghij", k=6)) for _ in range(40)]
    others = [bytes(draw.choices(b"klmnopqrst", k=6)) for _ in range(40)]
    texts = [b" ".join(draw.choices(others if n != 3 else words, k=99)) for n in range(6)]
    assert selection.zipfit([b" ".join(draw.choices(words, k=99))], texts, 1) == [3]


def test_the_readme_tells_what_was_measured() -> None:
    rows = list(csv.DictReader((BENCH / "selection.csv").open()))
    shown = {}
    for line in (ROOT / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in METHODS:
            shown[METHODS[cells[0]]] = cells[1:3]
    assert set(shown) == set(METHODS.values())
    for method, cells in shown.items():
        own = [row for row in rows if row["method"] == method]
        means = [sum(float(row[f]) for row in own) / len(own) for f in ("precision", "cpu_seconds")]
        assert cells == [f"{means[0]:.3f}", f"{means[1]:.1f}"]


def test_families_of_languages_come_together_in_the_committed_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    family = importlib.import_module("languages").FAMILY
    nearest: dict[str, tuple[float, str]] = {}
    for row in csv.DictReader((BENCH / "languages.csv").open()):
        for one, other in ((row["x"], row["y"]), (row["y"], row["x"])):
            nearest[one] = min(nearest.get(one, (9.0, "")), (float(row["ncd"]), other))
    strangers = {one for one, (_, other) in nearest.items() if family[one] != family[other]}
    assert set(nearest) == set(family) and strangers == {"English"}
