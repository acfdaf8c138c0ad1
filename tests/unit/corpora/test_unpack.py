"""Archives that want to write elsewhere, or more than they should."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from llmzip.corpora.manifest import Archive, CorpusFile
from llmzip.corpora.unpack import safe, unpack
from llmzip.errors import DownloadError
from synthetic.corpora import tarred, zipped


def archive(kind: str, limit: int = 0) -> Archive:
    return Archive("x." + kind, kind, 0, "", "", "", (), limit > 0, limit)


def listed(path: str, size: int) -> CorpusFile:
    return CorpusFile(path, "", size, "", "", "", "", "", "x", path, ())


def everything(tmp_path, kind: str, content: bytes, limit: int = 1000) -> dict[str, object]:
    (tmp_path / "x").write_bytes(content)
    return dict(unpack(str(tmp_path / "x"), archive(kind, limit), [], str(tmp_path / "in" / "to")))


OUTSIDE = ["../up", "/tmp/llmzip-absolute", "a/../../up", "a//b", "./../up", "c:up", "a\\b", "a\nb"]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize(("kind", "make"), [("zip", zipped), ("tar.gz", tarred)])
def test_nothing_is_written_outside_the_folder(tmp_path, path, kind, make):
    assert not safe(path)
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        everything(tmp_path, kind, make({path: b"escaped"}))
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["x"]
    assert not Path("/tmp/llmzip-absolute").exists()


def test_ordinary_names_are_safe():
    assert all(safe(path) for path in ("a", "a/b.txt", "..a/b..", "LibriSpeech/dev-clean/1-2.flac"))


def test_links_are_refused(tmp_path):
    with pytest.raises(DownloadError, match="no regular file"):
        everything(tmp_path, "tar.gz", tarred({"l/file": b"x"}, links={"l": str(tmp_path)}))
    (tmp_path / "x").write_bytes(tarred({}, links={"a": "/etc/hostname"}))
    with pytest.raises(DownloadError, match="no regular file"):
        unpack(str(tmp_path / "x"), archive("tar.gz"), [listed("a", 5)], str(tmp_path / "to"))
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(("kind", "make"), [("zip", zipped), ("tar.gz", tarred)])
def test_an_archive_that_is_taken_whole_has_a_limit(tmp_path, kind, make):
    assert everything(tmp_path, kind, make({"a": b"x" * 600, "b/c": b"y" * 400})).keys() == {
        "a",
        "b/c",
    }
    with pytest.raises(DownloadError, match="more than 1,000 bytes"):
        everything(tmp_path, kind, make({"a": b"x" * 600, "b/c": b"y" * 401}))


def test_a_file_that_is_larger_than_listed_is_read_no_further(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(bytes(30_000_000)))
    with pytest.raises(DownloadError, match="more than 1,000 bytes"):
        unpack(str(tmp_path / "x"), archive("gz"), [listed("a", 1000)], str(tmp_path / "to"))
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("zip", b"no archive at all"),
        ("zip", zipped({"a": b"x" * 1000})[:-30]),
        ("tar.gz", b"no archive at all"),
        ("tar.gz", tarred({"a": os.urandom(1000)})[:-300]),
        ("gz", gzip.compress(os.urandom(1000))[:-100]),
        ("gz", b""),
        ("bz2", b"BZh9 and no more"),
        ("7z", b""),
    ],
)
def test_damaged_archives_are_one_line(tmp_path, kind, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DownloadError) as caught:
        unpack(str(tmp_path / "x"), archive(kind), [listed("a", 1000)], str(tmp_path / "to"))
    assert "\n" not in str(caught.value) and f"x.{kind}" in str(caught.value)
    assert [p for p in (tmp_path / "to").rglob("*") if p.is_file()] == []


def test_a_listed_file_that_is_not_in_the_archive(tmp_path):
    (tmp_path / "x").write_bytes(zipped({"b": b""}))
    with pytest.raises(DownloadError, match="has no a"):
        unpack(str(tmp_path / "x"), archive("zip"), [listed("a", 0)], str(tmp_path / "to"))
