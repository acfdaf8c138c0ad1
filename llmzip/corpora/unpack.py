"""Files out of archives, into one folder and nowhere else."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import tarfile
import zipfile
import zlib

from llmzip.corpora.check import BLOCK, Checked
from llmzip.corpora.manifest import CorpusFile
from llmzip.errors import DownloadError
from llmzip.fileio import Identity
from llmzip.output import open_output
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from llmzip.corpora.manifest import Archive

_BROKEN = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError)
# What opening and reading members may raise, beside those above, for archives that are damaged.
_ODD = (NotImplementedError, RuntimeError, ValueError, KeyError)
# Files that an archive may have where all are taken.
MOST_FILES = 100_000


def safe(path: str) -> bool:
    """Whether `path` names something below the folder that it is joined to, on any system."""
    parts = path.split("/")
    return not re.search(r"[\x00-\x1f\\:]", path) and all(p not in ("", ".", "..") for p in parts)


def unpack(
    path: str, archive: Archive, wanted: Sequence[CorpusFile], folder: str
) -> dict[str, Checked]:
    """Writes the files `wanted` (or all, if the archive is taken as a whole) into `folder`.

    Each is compared with its checksums before it gets its name, and no more of it is read than it
    should have. Returns what each was, by path. Raises `DownloadError`.
    """
    done = {}
    name = printable(archive.path)
    try:
        for file, stream in _members(path, archive, wanted):
            with stream:
                done[file.path] = _place(stream, file, folder, f"{name}: {printable(file.path)}")
    except _Write as error:
        raise error.cause from None
    except (*_BROKEN, *_ODD) as error:
        raise DownloadError(
            f"{name} cannot be unpacked: {printable(str(error)) or type(error).__name__}"
        ) from None
    missing = [file.path for file in wanted if file.path not in done]
    if missing:
        raise DownloadError(f"{name} has no {printable(missing[0])}")
    return done


class _Write(Exception):
    """An error of the file that is written, not of the archive."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause)
        self.cause = cause


def _place(stream: IO[bytes], file: CorpusFile, folder: str, name: str) -> Checked:
    target = os.path.join(folder, *file.path.split("/"))
    checked = Checked(file)
    none: tuple[Identity, ...] = ()
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        output = open_output(target, archive=False, force=True, inputs=none)
    except OSError as error:
        raise _Write(error) from None
    with output:
        while checked.bytes <= file.bytes:
            data = stream.read(min(BLOCK, file.bytes + 1 - checked.bytes))
            if not data:
                break
            checked.update(data)
            try:
                output.stream.write(data)
            except OSError as error:
                raise _Write(error) from None
        checked.require(name)
        try:
            output.commit()
        except OSError as error:
            raise _Write(error) from None
    return checked


def copy(path: str, file: CorpusFile, folder: str, name: str) -> Checked:
    """Puts the file at `path` into `folder`, as `unpack` does."""
    try:
        with open(path, "rb") as stream:
            return _place(stream, file, folder, name)
    except _Write as error:
        raise error.cause from None


def _members(
    path: str, archive: Archive, wanted: Sequence[CorpusFile]
) -> Iterator[tuple[CorpusFile, IO[bytes]]]:
    """The files that are wanted, each with a stream of its bytes."""
    match archive.format:
        case "gz" | "bz2":
            (file,) = wanted
            opened: IO[bytes] = gzip.open(path) if archive.format == "gz" else bz2.open(path)  # type: ignore[assignment]
            yield file, opened
        case "zip":
            with zipfile.ZipFile(path) as zipped:
                entries = [e for e in zipped.infolist() if not e.is_dir()]
                sizes = {entry.filename: entry.file_size for entry in entries}
                for file in _chosen(archive, wanted, sizes, len(entries)):
                    yield file, zipped.open(file.member)
        case "tar.gz" | "tar.bz2":
            # One way through: a member's bytes cannot be had again without decoding all before it.
            gzipped = archive.format == "tar.gz"
            with tarfile.open(path, "r|gz" if gzipped else "r|bz2") as tar:
                yield from _tar(tar, archive, wanted)
        case _:
            raise ValueError(f"llmzip does not unpack {archive.format}")


def _tar(
    tar: tarfile.TarFile, archive: Archive, wanted: Sequence[CorpusFile]
) -> Iterator[tuple[CorpusFile, IO[bytes]]]:
    members = {file.member for file in wanted}
    sizes: dict[str, int] = {}
    for member in tar:
        if member.isdir():
            continue
        name = member.name.removeprefix("./")
        if not archive.everything and name not in members:
            continue
        if not member.isreg():
            raise ValueError(f"{member.name} is no regular file")
        if name in sizes:
            raise ValueError(f"{name} is there twice")
        sizes[name] = member.size
        _bounds(archive, sizes)
        for file in _chosen(archive, wanted, {name: member.size}, 1):
            stream = tar.extractfile(member)
            assert stream is not None
            yield file, stream


def _bounds(archive: Archive, sizes: dict[str, int]) -> None:
    if archive.everything and (sum(sizes.values()) > archive.limit or len(sizes) > MOST_FILES):
        raise ValueError(f"more than {archive.limit:,} bytes or {MOST_FILES:,} files are in it")


def _chosen(
    archive: Archive, wanted: Sequence[CorpusFile], sizes: dict[str, int], entries: int
) -> Iterator[CorpusFile]:
    """Those of the members `sizes` that are to be written."""
    if not archive.everything:
        yield from [file for file in wanted if file.member in sizes]
        return
    if len(sizes) != entries:
        raise ValueError("a file is there twice")
    _bounds(archive, sizes)
    for name, size in sizes.items():
        if not safe(name):
            raise ValueError(f"{name} would lie outside the folder")
        nothing = ("",) * 3
        yield CorpusFile(name, "", size, *nothing, "", "", archive.path, name, ())
