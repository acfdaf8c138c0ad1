"""Corpora to measure on: what there is, getting them, and where they are.

A corpus is described by a manifest in the folder `corpora/` of the source, which an installed
llmzip brings along: every file with its size and published checksums, where it comes from, its
licence and how to cite it. `get` keeps corpora in `$LLMZIP_CORPORA`, or in the user's data folder.
"""

from __future__ import annotations

from llmzip.corpora.manifest import Archive, Corpus, CorpusFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Archive", "Corpus", "CorpusFile", "get", "list", "path"]


def list() -> tuple[Corpus, ...]:
    """Every corpus that has a manifest, by name; `here` says whether it can be used at once."""
    from llmzip.corpora import manifest

    return tuple([manifest.load(name) for name in manifest.names()])


def get(
    name: str,
    source: str | None = None,
    *,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> Corpus:
    """Gets a corpus, unless it is here, checks every file and returns it with `here` true.

    source: a folder or an http address that is asked, file by file, instead of the publishers.
    force: get it again even if it is here. progress: called with bytes got and bytes to get.
    notice: called with a line where something is not as published and yet no error.

    A download that broke goes on where it ended when `get` is called again. Raises `UsageError`
    for a name that no corpus has, `DownloadError` where a file cannot be got or is another, and
    OSError.
    """
    from llmzip.corpora import getting

    return getting.get(name, source, force=force, progress=progress, notice=notice)


def path(name: str) -> str:
    """The folder of a corpus that is here.

    Raises `UsageError` for a name that no corpus has, `CorpusError` if it is not here.
    """
    from llmzip.corpora import manifest
    from llmzip.errors import CorpusError

    corpus = manifest.load(name)
    if not corpus.here:
        raise CorpusError(f"corpus {name} is not here; llmzip corpora get {name} gets it")
    return corpus.folder
