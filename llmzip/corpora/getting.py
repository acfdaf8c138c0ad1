"""Getting a corpus: from its publishers, a mirror or a folder, into the store."""

from __future__ import annotations

import os
import shutil

from llmzip.corpora import manifest, store
from llmzip.corpora.check import Checked, check_file
from llmzip.corpora.download import download
from llmzip.corpora.unpack import copy, unpack
from llmzip.errors import DownloadError, UsageError
from llmzip.record import Record
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from llmzip.corpora.manifest import Archive, Corpus, CorpusFile


class _Source(Record):
    """Where to get files: `folder`, or `base` in front of their names, or as the manifest says."""

    folder: str
    base: str

    def urls(self, wanted: Archive | CorpusFile) -> tuple[str, ...]:
        return (self.base + wanted.path,) if self.base else wanted.urls

    def local(self, wanted: Archive | CorpusFile, corpus: Corpus) -> str | None:
        """The path of a file in the folder: under its path, or its name if that is enough."""
        name = wanted.path.split("/")[-1]
        paths = [file.path for file in corpus.files] + [file.path for file in corpus.archives]
        others = [path for path in paths if path.split("/")[-1] == name]
        for path in (wanted.path, name) if len(others) == 1 else (wanted.path,):
            for below in (corpus.name, ""):
                found = os.path.join(self.folder, below, *path.split("/"))
                if os.path.isfile(found):
                    return found
        return None


def _source(given: str | None) -> _Source:
    if given is None:
        return _Source("", "")
    if given.startswith(("http://", "https://")):
        return _Source("", given.rstrip("/") + "/")
    if os.path.isdir(given):
        return _Source(os.path.abspath(given), "")
    raise UsageError(f"--from takes a folder or an http address, and {printable(given)} is neither")


class _Getting:
    """One corpus on its way."""

    def __init__(
        self,
        corpus: Corpus,
        source: _Source,
        progress: Callable[[int, int], None] | None,
        notice: Callable[[str], None] | None,
    ) -> None:
        self.corpus = corpus
        self.source = source
        self._progress = progress
        self._notice = notice or (lambda line: None)
        self._done = 0
        self.total = 0
        self.record: dict[str, dict[str, Any]] = {}

    def tell(self, got: int) -> None:
        """Bytes of the file that is under way; `total` says of how many in all files."""
        if self._progress is not None:
            self._progress(self._done + got, self.total)

    def note(self, path: str, checked: Checked, vouched: str = "") -> None:
        by = checked.by or vouched
        self.record[path] = {"bytes": checked.bytes, "sha256": checked.sha256, "checked": by}
        if not by:
            self.unverified(path, checked)

    def unverified(self, path: str, checked: Checked) -> None:
        self._notice(f"{path}: not verified against a published sum: sha256 is {checked.sha256}")

    def already(self, file: CorpusFile) -> bool:
        """Whether the file is in its place and the right one; then it is noted."""
        path = os.path.join(self.corpus.folder, *file.path.split("/"))
        if not os.path.isfile(path) or os.stat(path).st_size != file.bytes:
            return False
        checked = check_file(path, file)
        if not checked.by or checked.trouble():
            return False
        self.note(file.path, checked)
        return True

    def alone(self, file: CorpusFile) -> None:
        """Gets a file that lies by itself, or that the given folder has unpacked."""
        if self.source.folder:
            path = self.source.local(file, self.corpus)
            if path is None:
                raise DownloadError(f"{self.source.folder} has no {file.path}")
            self.note(file.path, copy(path, file, self.corpus.folder, path))
            return
        part = self._fetch(file)
        checked = self._checked(part, file)
        target = os.path.join(self.corpus.folder, *file.path.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(part, "rb") as file_on_disk:
            os.fsync(file_on_disk.fileno())
        os.replace(part, target)
        self.note(file.path, checked)
        self._done += file.bytes

    def packed(self, archive: Archive, files: list[CorpusFile]) -> None:
        """Gets an archive and those of its files that are missing."""
        if self.source.folder:
            path = self.source.local(archive, self.corpus)
            if path is None:
                other = f", nor {files[0].path}" if files else ""
                raise DownloadError(f"{self.source.folder} has no {archive.path}{other}")
            checked = check_file(path, archive)
            if checked.trouble():
                # An archive that somebody made again serves where each of its files has a checksum.
                if not files or not all(Checked(file).by for file in files):
                    checked.require(path)
                self._notice(f"{path} {checked.trouble()}: its files are checked one by one")
        else:
            path = self._fetch(archive)
            checked = self._checked(path, archive)
        if not checked.by:
            self.unverified(archive.path, checked)
        vouched = f"{checked.by} of {archive.path}" if checked.by else ""
        for name, file in unpack(path, archive, files, self.corpus.folder).items():
            self.note(name, file, vouched)
        self._done += archive.bytes

    def _fetch(self, wanted: Archive | CorpusFile) -> str:
        urls = self.source.urls(wanted)
        part = os.path.join(store.partial(self.corpus.name), wanted.path.replace("/", "+"))
        try:
            download(urls, part, wanted.bytes, self.tell, resume=bool(Checked(wanted).by))
        except DownloadError as error:
            raise DownloadError(
                f"{error}; if {wanted.path} is to be had otherwise: "
                f"llmzip corpora get {self.corpus.name} --from DIR"
            ) from None
        return part

    def _checked(self, part: str, wanted: Archive | CorpusFile) -> Checked:
        checked = check_file(part, wanted)
        if checked.trouble():
            # Going on from it would not make it right.
            os.unlink(part)
            checked.require(wanted.path)
        return checked


def get(
    name: str,
    given: str | None,
    *,
    force: bool,
    progress: Callable[[int, int], None] | None,
    notice: Callable[[str], None] | None,
) -> Corpus:
    """See `llmzip.corpora.get`."""
    corpus = manifest.load(name)
    source = _source(given)
    if corpus.shipped or (corpus.here and not force):
        return corpus
    getting = _Getting(corpus, source, progress, notice)
    missing = [file for file in corpus.files if force or not getting.already(file)]
    unpacked = [file for file in missing if source.folder and source.local(file, corpus)]
    singles = [file for file in missing if not file.archive or file in unpacked]
    packed = []
    for archive in corpus.archives:
        files = [file for file in missing if file.archive == archive.path and file not in unpacked]
        if files or archive.everything:
            packed.append((archive, files))
    getting.total = sum(file.bytes for file in singles) + sum(a.bytes for a, _ in packed)
    for file in singles:
        getting.alone(file)
    for archive, files in packed:
        getting.packed(archive, files)
    store.keep_record(name, getting.record)
    shutil.rmtree(store.partial(name), ignore_errors=True)
    return manifest.load(name)
