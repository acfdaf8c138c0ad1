"""Manifests: what a corpus consists of, and whether it is here.

They lie in `manifests/` beside this module where llmzip is installed, and in `corpora/` of the
source where it runs from there.
"""

from __future__ import annotations

import os
import tomllib

from llmzip.corpora import store
from llmzip.errors import SetupError, UsageError
from llmzip.record import Record
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SHIPPED = "samples"


class CorpusFile(Record):
    """A file of a corpus.

    path: below the corpus's folder, with `/`. sha256, sha1, md5: lower-case hexadecimal, "" where
    none is published. archive, member: what it is unpacked from, or "". urls: where it lies by
    itself, if it does.
    """

    path: str
    what: str
    bytes: int
    sha256: str
    sha1: str
    md5: str
    source: str
    licence: str
    archive: str
    member: str
    urls: tuple[str, ...]


class Archive(Record):
    """A file that is downloaded and unpacked.

    format: zip, tar.gz, tar.bz2, gz or bz2. everything: whether all its files are taken, whose own
    checksums nobody published; they have `limit` bytes at most.
    """

    path: str
    format: str
    bytes: int
    sha256: str
    sha1: str
    md5: str
    urls: tuple[str, ...]
    everything: bool
    limit: int


class Corpus(Record):
    """A corpus, and where it is or would be.

    files: those that the manifest lists; where an archive is taken as a whole it lists none.
    obtain: how to get it by hand.
    """

    name: str
    source: str
    licence: str
    citation: str
    obtain: str
    files: tuple[CorpusFile, ...]
    archives: tuple[Archive, ...]
    folder: str
    here: bool

    @property
    def shipped(self) -> bool:
        """Whether it is part of llmzip."""
        return self.name == SHIPPED

    @property
    def download_bytes(self) -> int:
        """What getting all of it takes off the net."""
        alone = [file.bytes for file in self.files if not file.archive]
        return 0 if self.shipped else sum(alone) + sum(a.bytes for a in self.archives)


def manifests() -> str:
    """The folder of the manifests; `SetupError` if this installation has none."""
    here = os.path.dirname(os.path.abspath(__file__))
    source = os.path.join(os.path.dirname(os.path.dirname(here)), "corpora")
    # In a checkout the files in corpora/ count, whatever an earlier build left beside this module.
    for folder in (source, os.path.join(here, "manifests")):
        if os.path.isfile(os.path.join(folder, SHIPPED + ".toml")):
            return folder
    raise SetupError("this installation has no manifests of corpora; install llmzip again")


def names() -> tuple[str, ...]:
    """The names of all corpora, sorted."""
    found = [entry[:-5] for entry in os.listdir(manifests()) if entry.endswith(".toml")]
    return tuple(sorted(found))


def load(name: str) -> Corpus:
    """The corpus called `name`; `UsageError` where there is none."""
    if name not in names():
        raise UsageError(
            f"no corpus is called {printable(name)!r}; there are: {', '.join(names())}"
        )
    with open(os.path.join(manifests(), name + ".toml"), "rb") as file:
        return read(tomllib.load(file))


def read(table: dict[str, Any]) -> Corpus:
    """The corpus that a manifest describes."""
    base: list[str] = table.get("base", [])
    archives = tuple([_archive(entry, base) for entry in table.get("archive", ())])
    only = archives[0].path if len(archives) == 1 else ""
    files = tuple([_file(entry, table, base, only) for entry in table.get("file", ())])
    name: str = table["name"]
    shipped = name == SHIPPED
    corpus = Corpus(
        name,
        table.get("source", ""),
        table.get("licence", ""),
        table.get("citation", ""),
        table.get("get", ""),
        files,
        archives,
        os.path.join(manifests(), name) if shipped else os.path.join(store.folder(), name),
        shipped,
    )
    return corpus if shipped else corpus.replace(here=store.has(corpus))


def _sums(entry: dict[str, Any]) -> tuple[str, str, str]:
    sha256, sha1, md5 = [entry.get(kind, "") for kind in ("sha256", "sha1", "md5")]
    return sha256, sha1, md5


def _archive(entry: dict[str, Any], base: list[str]) -> Archive:
    path = entry["path"]
    urls = tuple(entry.get("url", [root + path for root in base]))
    everything = entry.get("unpack") == "all"
    rest = (urls, everything, entry.get("limit", 0))
    return Archive(path, entry["format"], entry["bytes"], *_sums(entry), *rest)


def _file(entry: dict[str, Any], table: dict[str, Any], base: list[str], only: str) -> CorpusFile:
    path = entry["path"]
    archive = "" if "url" in entry else entry.get("archive", only)
    member = entry.get("member", path) if archive else ""
    urls = () if archive else tuple(entry.get("url", [root + path for root in base]))
    source, licence = [entry.get(key, table.get(key, "")) for key in ("source", "licence")]
    head = (path, entry["what"], entry["bytes"])
    return CorpusFile(*head, *_sums(entry), source, licence, archive, member, urls)
