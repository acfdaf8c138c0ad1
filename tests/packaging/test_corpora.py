"""Corpus manifests: complete, and true of the samples that ship."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "corpora"
MANIFESTS = sorted(FOLDER.glob("*.toml"))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_says_what_from_where_and_under_which_licence(manifest: Path) -> None:
    corpus = tomllib.loads(manifest.read_text())
    assert corpus["name"] == manifest.stem
    assert corpus["file"]
    for entry in corpus["file"]:
        assert {"path", "what", "bytes", "sha256"} <= set(entry)
        assert entry.get("source") or corpus["source"]
        assert entry.get("licence") or corpus["licence"]
        assert len(bytes.fromhex(entry["sha256"])) == 32


def test_shipped_samples_are_those_of_the_manifest() -> None:
    listed = tomllib.loads((FOLDER / "samples.toml").read_text())["file"]
    assert {entry["path"] for entry in listed} == {p.name for p in (FOLDER / "samples").iterdir()}
    for entry in listed:
        data = (FOLDER / "samples" / entry["path"]).read_bytes()
        assert len(data) == entry["bytes"] <= 100_000
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]


def test_no_sample_is_a_file_that_is_measured_on() -> None:
    sums = {
        path.stem: {entry["sha256"] for entry in tomllib.loads(path.read_text())["file"]}
        for path in MANIFESTS
    }
    for name, others in sums.items():
        assert name == "samples" or not sums["samples"] & others
