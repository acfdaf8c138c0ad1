"""Folders of models whose files are archives, for programs that know nothing of archives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from llmzip.errors import UsageError
from llmzip.fileio import SUFFIX
from llmzip.limits import Limits
from llmzip.tensors.content import Content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@contextmanager
def unpacked(
    folder: str | os.PathLike[Any],
    *,
    where: str | os.PathLike[Any] | None = None,
    threads: int = 0,
    limits: Limits | None = None,
) -> Iterator[str]:
    """A copy of `folder`, with its archives decompressed, for the time of a `with` block.

    In it, `NAME.llmz` is `NAME`; everything else is a link to the file in `folder`, subfolders
    included. So any program that reads a model from a folder reads this one::

        with llmzip.tensors.unpacked("model") as plain:
            model = transformers.AutoModel.from_pretrained(plain)

    It takes as much space as the archives' content until the block ends: below `where`, or by
    default in /dev/shm (memory) if that has room enough, or else in the folder for temporary files.
    What a program has mapped into memory by then stays with it.

    threads: segments decoded at a time; 0 means one for each core.
    """
    top = Path(folder)
    if not top.is_dir():
        raise UsageError(f"{os.fspath(folder)} is no folder")
    archives = sorted(path for path in top.rglob(f"*{SUFFIX}") if path.is_file())
    with TemporaryDirectory(prefix="llmzip-", dir=where or _room(archives)) as plain:
        for path in sorted(top.rglob("*")):
            target = Path(plain, path.relative_to(top))
            if path.is_dir():
                target.mkdir()
            elif path.name.endswith(SUFFIX):
                name = path.name.removesuffix(SUFFIX)
                if path.with_name(name).exists():
                    raise UsageError(f"{name} and its archive are both in {path.parent}: keep one")
                _decompress(path, target.with_name(name), threads, limits)
            else:
                target.symlink_to(path.resolve())
        yield plain


def _decompress(path: Path, target: Path, threads: int, limits: Limits | None) -> None:
    import mmap

    content = Content(path, limits)
    content.check_packed()
    with open(target, "x+b") as file:
        if not content.size:
            return
        # Unlike a hole, a block that was given cannot be missing when it is written to.
        os.posix_fallocate(file.fileno(), 0, content.size)
        # Not closed here: an exception keeps views of it alive.
        content.read_all_into(mmap.mmap(file.fileno(), content.size), threads)


def _room(archives: list[Path]) -> str | None:
    """/dev/shm if half of what is free there takes all content."""
    shared = "/dev/shm"
    if not Path(shared).is_dir() or not os.access(shared, os.W_OK):
        return None
    free = os.statvfs(shared)
    need = sum(Content(path).size for path in archives)
    return shared if 2 * need <= free.f_bavail * free.f_frsize else None
