"""Getting corpora from a server, a mirror and a folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from llmzip import corpora
from llmzip.errors import CorpusError, DownloadError, UsageError
from synthetic.corpora import FILES, entry, manifest, tarred, zipped
from synthetic.mirror import closed_port


def content(folder: str) -> dict[str, bytes]:
    """Every file below `folder`."""
    found = {}
    for path in Path(folder).rglob("*"):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


ONE = {"a.txt": FILES["a.txt"]}
CORPORA = {
    "plain": FILES,
    "zip": FILES,
    "tar": FILES,
    "gz": ONE,
    "bz2": ONE,
    "whole": {f"top/{name}": data for name, data in FILES.items()},
}


@pytest.mark.parametrize("name", CORPORA)
def test_what_is_got_is_what_was_published(mirror, store, name):
    with pytest.raises(CorpusError, match=f"corpora get {name}"):
        corpora.path(name)
    told = []
    corpus = corpora.get(name, progress=lambda done, total: told.append((done, total)))
    assert corpus.here and content(corpus.folder) == CORPORA[name]
    assert corpora.path(name) == corpus.folder == str(store / name)
    assert sorted(p.name for p in store.iterdir()) == [name, f"{name}.json"]
    record = json.loads((store / f"{name}.json").read_text())["files"]
    assert {path: facts["sha256"] for path, facts in record.items()} == {
        path: hashlib.sha256(data).hexdigest() for path, data in CORPORA[name].items()
    }
    assert told[-1] == (corpus.download_bytes, corpus.download_bytes)
    asked = len(mirror.asked)
    assert corpora.get(name).here and len(mirror.asked) == asked


def test_what_is_there_is_not_downloaded_again(mirror, store):
    corpora.get("plain")
    (store / "plain" / "a.txt").write_bytes(b"changed")
    assert not _here("plain")
    mirror.asked.clear()
    corpora.get("plain")
    assert mirror.asked == [("/a.txt", None)]
    mirror.asked.clear()
    corpora.get("plain", force=True)
    assert [path for path, _ in mirror.asked] == ["/a.txt", "/sub/b.bin"]
    assert content(str(store / "plain")) == FILES


def _here(name: str) -> bool:
    return {corpus.name: corpus.here for corpus in corpora.list()}[name]


@pytest.mark.parametrize("name", ["zip", "plain"])
def test_a_broken_download_goes_on_where_it_ended(mirror, store, name):
    mirror.breaks, mirror.after = 100, 40
    first = mirror.files["x.zip" if name == "zip" else "a.txt"]
    with mirror_without_patience(mirror), pytest.raises(DownloadError, match=r"broke off after"):
        corpora.get(name)
    assert not _here(name)
    (part,) = (store / f"{name}.part").iterdir()
    got = part.read_bytes()
    assert 0 < len(got) < len(first) and first.startswith(got)
    mirror.breaks = 0
    mirror.asked.clear()
    assert content(corpora.get(name).folder) == FILES
    assert mirror.asked[0][1] == f"bytes={len(got)}-"


class mirror_without_patience:
    """The server ends every answer at once after the third."""

    def __init__(self, mirror):
        self._mirror = mirror

    def __enter__(self):
        answer, mirror = self._mirror._answer, self._mirror
        self._saved = answer

        def dwindling(handler):
            if len(mirror.asked) >= 3:
                mirror.after = 0
            answer(handler)

        mirror._answer = dwindling

    def __exit__(self, *_):
        self._mirror._answer = self._saved


def test_a_connection_that_breaks_is_taken_up_again(mirror):
    mirror.breaks, mirror.after = 5, 50
    assert content(corpora.get("zip").folder) == FILES
    assert [wanted for _, wanted in mirror.asked] == [
        None,
        *(f"bytes={50 * n}-" for n in range(1, 6)),
    ]


def test_a_server_without_ranges_starts_again(mirror):
    mirror.breaks, mirror.after, mirror.ranges = 1, 50, False
    assert content(corpora.get("zip").folder) == FILES
    assert mirror.asked == [("/x.zip", None), ("/x.zip", "bytes=50-")]


def test_what_was_half_downloaded_of_another_file_is_found_out(mirror, store):
    (store / "zip.part").mkdir(parents=True)
    (store / "zip.part" / "x.zip").write_bytes(b"something else")
    with pytest.raises(DownloadError, match=r"x\.zip has sha256 .* not taken"):
        corpora.get("zip")
    # What was wrong is gone, so that the next attempt can succeed.
    assert content(corpora.get("zip").folder) == FILES


@pytest.mark.parametrize(("name", "file"), [("plain", "a.txt"), ("zip", "x.zip"), ("gz", "a.gz")])
def test_a_file_with_another_checksum_is_not_taken(mirror, store, name, file):
    good = mirror.files[file]
    mirror.files[file] = good[:-1] + bytes([good[-1] ^ 1])
    kind = "sha1" if name == "gz" else "sha256"
    with pytest.raises(DownloadError, match=f"{file} has {kind} .*not taken"):
        corpora.get(name)
    assert not _here(name)
    assert [p for p in store.rglob("*") if p.is_file()] == []


def test_another_size_is_refused_before_anything_is_written(mirror, store):
    mirror.files["a.txt"] += b"!"
    with pytest.raises(DownloadError, match=r"has 75,001 bytes there, not 75,000"):
        corpora.get("plain")
    assert not store.exists()


def test_a_server_that_sends_more_is_cut_off(mirror, store):
    mirror.more = 50_000_000
    with pytest.raises(DownloadError, match=r"more than 75,000 bytes: it was cut off"):
        corpora.get("plain")
    assert sum(p.stat().st_size for p in store.rglob("*") if p.is_file()) == 0


def test_without_a_checksum_it_is_said(mirror, store):
    said = []
    corpora.get("unsummed", notice=said.append)
    digest = hashlib.sha256(FILES["a.txt"]).hexdigest()
    assert said == [f"a.txt: not verified against a published sum: sha256 is {digest}"]
    record = json.loads((store / "unsummed.json").read_text())["files"]["a.txt"]
    assert record == {"bytes": 75_000, "sha256": digest, "checked": ""}


def test_what_has_no_checksum_is_never_put_together_of_two_downloads(mirror, store):
    (store / "unsummed.part").mkdir(parents=True)
    (store / "unsummed.part" / "a.txt").write_bytes(b"XXXX")
    assert content(corpora.get("unsummed").folder) == ONE
    assert mirror.asked == [("/a.txt", None)]


@pytest.mark.parametrize("name", CORPORA)
def test_a_folder_or_a_mirror_serves_as_well(mirror, tmp_path, name):
    folder = tmp_path / "folder"
    for path, data in mirror.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    assert content(corpora.get(name, str(folder)).folder) == CORPORA[name]
    assert mirror.asked == []
    mirror.files = {f"deep/{path}": data for path, data in mirror.files.items()}
    assert content(corpora.get(name, f"{mirror.address}/deep", force=True).folder) == CORPORA[name]


def test_a_folder_may_have_the_archive_alone_and_made_anew(mirror, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    (again / "x.zip").write_bytes(zipped({"filler": b"0" * 99} | FILES))
    said = []
    assert content(corpora.get("zip", str(again), notice=said.append).folder) == FILES
    assert len(said) == 1 and "checked one by one" in said[0]
    # But not where the archive alone vouches for its files.
    (again / "whole.tar.gz").write_bytes(tarred({"top/a.txt": b"forged"}))
    with pytest.raises(DownloadError, match="bytes"):
        corpora.get("whole", str(again))


def test_a_folder_with_wrong_files_or_none_is_refused(mirror, store, tmp_path):
    with pytest.raises(DownloadError, match=r"has no x\.zip, nor a\.txt"):
        corpora.get("zip", str(tmp_path))
    (tmp_path / "a.txt").write_bytes(b"?" * 75_000)
    with pytest.raises(DownloadError, match=r"a\.txt has sha256 .*not taken"):
        corpora.get("plain", str(tmp_path))
    assert (tmp_path / "a.txt").read_bytes() == b"?" * 75_000
    with pytest.raises(UsageError, match="--from takes a folder or an http address"):
        corpora.get("zip", str(tmp_path / "nowhere"))


def test_no_network_is_one_line_that_says_what_to_do(mirror, tmp_path):
    address = closed_port()
    (tmp_path / "manifests" / "far.toml").write_text(
        manifest("far", address, entry("file", "a.txt", FILES["a.txt"]))
    )
    with pytest.raises(DownloadError) as caught:
        corpora.get("far")
    said = str(caught.value)
    assert said.startswith(f"no connection to {address[7:]} (connection refused); ")
    assert "llmzip corpora get far --from DIR" in said and "\n" not in said


def test_the_second_address_is_asked_if_the_first_fails(mirror, tmp_path):
    urls = [f"{closed_port()}/a.txt", f"{mirror.address}/missing", f"{mirror.address}/a.txt"]
    (tmp_path / "manifests" / "two.toml").write_text(
        manifest("two", "http://nowhere.invalid", entry("file", "a.txt", ONE["a.txt"], url=urls))
    )
    assert content(corpora.get("two").folder) == ONE


def test_names_that_no_corpus_has(mirror):
    for name in ("nope", "../plain", "", "plain.toml"):
        with pytest.raises(UsageError, match="no corpus is called"):
            corpora.get(name)


def test_the_samples_are_here_from_the_start(mirror, tmp_path):
    assert corpora.get("samples").here
    assert corpora.path("samples") == str(tmp_path / "manifests" / "samples")
    assert mirror.asked == []


def test_a_manifest_that_changed_makes_a_corpus_not_here(mirror, tmp_path):
    corpora.get("plain")
    assert _here("plain")
    other = entry("file", "a.txt", b"?" * 75_000)
    text = manifest("plain", mirror.address, other, entry("file", "sub/b.bin", FILES["sub/b.bin"]))
    (tmp_path / "manifests" / "plain.toml").write_text(text)
    assert not _here("plain")
