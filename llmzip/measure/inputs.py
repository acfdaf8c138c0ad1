"""What is measured: files, those of folders and corpora, and two inputs that nothing can shrink."""

from __future__ import annotations

import hashlib
import lzma
import os
from pathlib import Path

from llmzip.errors import LlmzError
from llmzip.fileio import FileError, named
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Trouble = Callable[[str, Exception], None]

RANDOM, RANDOM_BYTES = "random bytes", 64 << 10
# As much of the largest input as is compressed beforehand: enough to see, and soon done.
_HEAD_BYTES = 256 << 10


class EmptyError(FileError):
    """A file has no bytes, so that there is nothing to measure."""

    kind = "empty"


class Input(Record):
    """A file to measure: `name` is its own in the run, `bytes` its size, `check` as in `Result`."""

    name: str
    path: Path
    bytes: int
    sha256: str
    check: bool = False


def gather(paths: Iterable[str], *, recursive: bool, trouble: Trouble) -> list[Input]:
    """The files that `paths` name, each once, with their sums.

    A path is a file, a folder (its files; with `recursive`, those below too) or the name of a
    corpus. What cannot be measured is handed to `trouble`, with its name, and left out.
    """
    found: dict[tuple[int, int], Path] = {}
    tops: dict[Path, Path] = {}
    for path in paths:
        try:
            for file, top in files_of(path, recursive, trouble):
                status = file.stat()
                found.setdefault((status.st_dev, status.st_ino), file)
                tops.setdefault(file, top)
        except (OSError, LlmzError) as error:
            trouble(path, error)
    inputs = []
    for name, file in _names(list(found.values()), tops):
        try:
            inputs.append(_input(name, file))
        except (OSError, LlmzError) as error:
            trouble(str(file), error)
    return inputs


def files_of(path: str, recursive: bool, trouble: Trouble) -> Iterator[tuple[Path, Path]]:
    """The files that `path` names, each with the folder below which its name is short.

    A corpus that is not here raises as `llmzip.corpora.path` does; a file need not be there.
    """
    place = Path(path)
    if not os.path.lexists(place) and "/" not in path:
        yield from _corpus(path, trouble)
        return
    if not place.is_dir():
        yield place, place.parent
        return

    def refused(error: OSError) -> None:
        trouble(str(error.filename), error)

    for folder, folders, names in os.walk(place, onerror=refused):
        folders[:] = sorted(folders) if recursive else []
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink():
                yield file, place


def _corpus(name: str, trouble: Trouble) -> Iterator[tuple[Path, Path]]:
    """The files of a corpus, as its manifest has them."""
    from llmzip import corpora

    found = next((corpus for corpus in corpora.list() if corpus.name == name), None)
    if found is None:
        raise FileError("no such file, folder or corpus; llmzip corpora list shows the corpora")
    folder = Path(corpora.path(name))
    if not found.files:
        # It is taken as its archive has it.
        yield from files_of(str(folder), True, trouble)
    for file in found.files:
        yield folder / file.path, folder


def _names(files: Sequence[Path], tops: dict[Path, Path]) -> Iterator[tuple[str, Path]]:
    """A name for each file: short where no other has it, else as it was given."""
    short = [str(file.relative_to(tops[file])) for file in files]
    for name, file in zip(short, files, strict=True):
        yield (name if short.count(name) == 1 else str(file)), file


def _input(name: str, file: Path) -> Input:
    if not file.is_file() and file.exists():
        raise FileError("is no regular file")
    try:
        with open(file, "rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            count = source.tell()
    except OSError as error:
        raise named(error, str(file)) from None
    if not count:
        raise EmptyError("is empty: there is nothing to measure")
    return Input(name, file, count, digest)


def random_bytes() -> bytes:
    """Bytes that nothing shrinks, the same for ever."""
    seed = b"llmzip measure: bytes that nothing shrinks"
    return hashlib.shake_256(seed).digest(RANDOM_BYTES)


def checks(inputs: Sequence[Input], scratch: Path) -> list[Input]:
    """Random bytes, the same for ever, and what xz makes of the largest input's beginning.

    Both are written into the folder `scratch`. A compressor that seems to shrink the first is
    measured wrongly; it should leave the second nearly as it is.
    """
    if not inputs:
        return []
    largest = max(inputs, key=lambda one: one.bytes)
    with open(largest.path, "rb") as source:
        coded = lzma.compress(source.read(_HEAD_BYTES), preset=0)
    found = []
    for name, label, content in (
        ("random", RANDOM, random_bytes()),
        ("coded", f"beginning of {largest.name}, by xz", coded),
    ):
        path = scratch / name
        path.write_bytes(content)
        while any(one.name == label for one in inputs):
            label += ", a check"
        digest = hashlib.sha256(content).hexdigest()
        found.append(Input(label, path, len(content), digest, check=True))
    return found
