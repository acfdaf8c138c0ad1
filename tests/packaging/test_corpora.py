"""Corpus manifests: complete, and true of the samples that ship."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from llmzip.corpora import manifest as manifests
from llmzip.corpora.manifest import Archive, Corpus, CorpusFile
from llmzip.corpora.unpack import safe

FOLDER = Path(__file__).parents[2] / "corpora"
MANIFESTS = sorted(FOLDER.glob("*.toml"))
SUMS = {"sha256": 64, "sha1": 40, "md5": 32}
FORMATS = ("zip", "tar.gz", "tar.bz2", "gz", "bz2")
KEYS = {
    "": {"name", "source", "licence", "citation", "get", "base", "file", "archive"},
    "file": {"path", "what", "bytes", "source", "licence", "archive", "member", "url", *SUMS},
    "archive": {"path", "format", "bytes", "url", "unpack", "limit", *SUMS},
}
EACH = pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)


def corpus_of(path: Path) -> Corpus:
    return manifests.read(tomllib.loads(path.read_text()))


def sums(entry: CorpusFile | Archive) -> list[str]:
    """The checksums of an entry, each of which has the right form."""
    found = []
    for kind, digits in SUMS.items():
        value = getattr(entry, kind)
        if value:
            assert len(value) == digits and set(value) <= set("0123456789abcdef"), entry.path
            found.append(value)
    return found


@EACH
def test_a_manifest_says_what_from_where_and_under_which_licence(path: Path) -> None:
    table = tomllib.loads(path.read_text())
    assert table.keys() <= KEYS[""]
    for kind in ("file", "archive"):
        assert all(entry.keys() <= KEYS[kind] for entry in table.get(kind, []))
    corpus = corpus_of(path)
    assert corpus.name == path.stem and safe(corpus.name)
    assert corpus.source and corpus.licence
    assert corpus.shipped or (corpus.citation and corpus.obtain)
    assert corpus.files or corpus.archives
    for file in corpus.files:
        assert file.what and file.source and file.licence and file.bytes > 0 and safe(file.path)
    assert len({file.path for file in corpus.files}) == len(corpus.files)


@EACH
def test_every_file_can_be_got_and_checked(path: Path) -> None:
    corpus = corpus_of(path)
    archives = {archive.path: archive for archive in corpus.archives}
    for archive in corpus.archives:
        assert archive.format in FORMATS and archive.bytes > 0 and safe(archive.path)
        assert archive.urls and all(url.startswith("http") for url in archive.urls)
        assert sums(archive)
        # What has no sums of its own is bounded by another number.
        assert archive.everything == (archive.limit > 0)
        assert archive.everything or any(f.archive == archive.path for f in corpus.files)
    for file in corpus.files:
        assert sums(file)
        assert corpus.shipped or bool(file.urls) != bool(archives.get(file.archive))
        assert all(url.endswith("/" + file.path.split("/")[-1]) for url in file.urls)


def test_the_corpora_that_are_wanted_are_there() -> None:
    wanted = "enwik8 enwik9 text8 silesia canterbury large calgary kodak librispeech checkpoints"
    assert {path.stem for path in MANIFESTS} == {
        *wanted.split(),
        "fashion-mnist",
        "adult",
        "samples",
    }


def test_known_sizes() -> None:
    sizes = {p.stem: sum(file.bytes for file in corpus_of(p).files) for p in MANIFESTS}
    # As their publishers give them.
    assert sizes["silesia"] == 211_938_580
    assert sizes["calgary"] == 3_141_622
    assert sizes["canterbury"] == 2_810_784
    assert sizes["enwik9"] == 10 * sizes["enwik8"] == 10 * sizes["text8"] == 10**9


def test_equal_files_of_different_corpora_have_equal_sums() -> None:
    """Calgary's pic and Canterbury's ptt5 are the same image."""
    files = {f"{p.stem}/{f.path}": f for p in MANIFESTS for f in corpus_of(p).files}
    assert files["calgary/pic"].sha256 == files["canterbury/ptt5"].sha256


def test_shipped_samples_are_those_of_the_manifest() -> None:
    listed = corpus_of(FOLDER / "samples.toml").files
    assert {file.path for file in listed} == {p.name for p in (FOLDER / "samples").iterdir()}
    for file in listed:
        data = (FOLDER / "samples" / file.path).read_bytes()
        assert len(data) == file.bytes <= 100_000
        assert hashlib.sha256(data).hexdigest() == file.sha256


def test_no_sample_is_a_file_that_is_measured_on() -> None:
    found = {path.stem: {f.sha256 for f in corpus_of(path).files} for path in MANIFESTS}
    for name, others in found.items():
        assert name == "samples" or not found["samples"] & others
