"""A store, tiny manifests and a server that has their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmzip.corpora import download, manifest
from synthetic import corpora
from synthetic.mirror import Mirror


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The server; manifests are in `manifests`, the store in `store`."""
    server = Mirror()
    server.files = corpora.write(tmp_path / "manifests", server.address)
    monkeypatch.setenv("LLMZIP_CORPORA", str(tmp_path / "store"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(manifest, "manifests", lambda: str(tmp_path / "manifests"))
    monkeypatch.setattr(download, "PAUSE", 0.0)
    yield server
    server.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"
