"""bench/report.py: what results.csv says is what the tables say."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module("report")


def row(report: ModuleType, **values: object) -> object:
    common = {
        "corpus": "tiny",
        "tool": "llmzip -6 --no-verify",
        "version": "1",
        "file": "a",
        "raw_bytes": 1_000_000,
        "archive_bytes": 250_000,
        "compress_cpu": 2.0,
        "compress_wall": 2.5,
        "compress_peak": 100 * 1024,
        "decompress_cpu": 3.0,
        "decompress_wall": 3.5,
        "decompress_peak": 200 * 1024,
        "repeats": 5,
        "machine": "abacus",
        "date": "2026-01-01",
    }
    return report.Row(**{**common, **values})


def test_rows_survive_the_file_and_a_corpus_is_replaced_whole(
    report: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "results.csv"
    other = row(report, corpus="other", status="exit 1: said, with a comma")
    report.save(path, [row(report), row(report, file="b"), other])
    new = row(report, tool="xz -9e", archive_bytes=7)
    report.save(path, [new])
    assert report.load(path) == [other, new]


def test_columns_of_another_version_are_refused(report: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("corpus,tool\ntiny,xz\n")
    with pytest.raises(ValueError, match="measure anew"):
        report.load(path)


def test_totals_sum_times_and_sizes_but_not_peaks(report: ModuleType) -> None:
    rows = [row(report), row(report, file="b", compress_peak=50 * 1024, repeats=3)]
    (sums,) = report.totals(rows, "tiny")
    assert (sums.raw_bytes, sums.archive_bytes) == (2_000_000, 500_000)
    assert (sums.compress_cpu, sums.decompress_cpu) == (4.0, 6.0)
    assert (sums.compress_peak, sums.repeats) == (100 * 1024, 3)


def test_one_failed_file_spoils_the_total(report: ModuleType) -> None:
    rows = [row(report), row(report, file="b", status="decodes to other bytes")]
    (sums,) = report.totals(rows, "tiny")
    assert sums.status == "b: decodes to other bytes"
    table = report.peers_table(rows, "tiny")
    assert "250,000" not in table
    assert "- llmzip -6 --no-verify: b: decodes to other bytes" in table


def test_marked_tables_are_filled_from_the_rows(report: ModuleType) -> None:
    text = "before\n<!-- bench: levels tiny -->\nold\n<!-- end bench -->\nafter\n"
    filled = report.fill(text, [row(report), row(report, tool="xz -9e")])
    assert filled.startswith("before\n<!-- bench: levels tiny -->\n| level ")
    assert "| -6    |     2.000 |          2.00 |            3.00 | 200 |" in filled
    assert "`tiny`, 2026-01-01, abacus, median of 5." in filled
    assert filled.endswith("<!-- end bench -->\nafter\n")
    assert "old" not in filled
    assert "xz" not in filled
    assert report.fill(filled, [row(report)]) == filled


def test_a_table_of_what_was_not_measured_is_taken_out(report: ModuleType) -> None:
    text = "<!-- bench: peers gone -->\n| xz | 3 |\n<!-- end bench -->\n"
    assert report.fill(text, [row(report)]) == text.replace("| xz | 3 |\n", "")


def test_the_tables_in_the_readme_are_those_of_results_csv(report: ModuleType) -> None:
    text = (ROOT / "README.md").read_text()
    assert report.PLACE.search(text)
    assert report.fill(text, report.load(report.RESULTS)) == text
