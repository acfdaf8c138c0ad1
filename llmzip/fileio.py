"""The inputs of the command line: what may be read. One is never altered, and removed on request.

What outputs need of it, such as errors and the identity of files, is here too.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable

from llmzip.errors import LlmzError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO, Self

SUFFIX = ".llmz"
BUFFER = 1 << 18

Identity = tuple[int, int]

# By whether archives are expected.
_NO_FOLDER = {
    False: "a folder is no input: use tar -I llmzip -cf FOLDER.tar.llmz FOLDER, "
    "or -r for one archive per file",
    True: f"a folder is no input: -r takes every *{SUFFIX} in it",
}


class FileError(LlmzError):
    """An input or output that the command line refuses; the message says what to do instead."""

    kind = "file"
    exit_code = 1


class ExistsError(FileError):
    """The output exists and `-f` was not given."""

    kind = "exists"


class SameFileError(FileError):
    """The output is one of the inputs, or was written by this very call."""

    kind = "same-file"


class NotAFileError(FileError):
    """The input is a folder, a symbolic link, a device, or has a name that does not fit."""

    kind = "not-a-file"


class ChangedError(FileError):
    """The input was changed while it was read."""

    kind = "changed"


class TerminalError(FileError):
    """Archive bytes would go to, or come from, a terminal."""

    kind = "terminal"
    exit_code = 2


class _RawInput(io.FileIO):
    """Reads like FileIO, names the file in errors, and waits if the descriptor does not block.

    The end is the end until a seek: a terminal would go on after it.
    """

    label: str
    _ended = False

    def readinto(self, buffer: Any) -> int:
        while not self._ended:
            try:
                count = super().readinto(buffer)
            except OSError as error:
                raise named(error, self.label) from None
            if count is not None:
                self._ended = count == 0 and len(buffer) > 0
                return count
            import select

            select.select([self], [], [])
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._ended = False
        return super().seek(offset, whence)


def named(error: OSError, label: str) -> OSError:
    """The same error, about the file `label`."""
    return OSError(error.errno, error.strerror, label)


def identity(status: os.stat_result) -> Identity:
    """What makes two names the same file: device and inode."""
    return status.st_dev, status.st_ino


def identities(paths: Iterable[str]) -> set[Identity]:
    """Identities of all regular files and block devices among `paths`; `-` is standard input."""
    found = set()
    for path in paths:
        try:
            status = os.fstat(0) if path == "-" else os.stat(path)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode):
            found.add(identity(status))
    return found


class Source:
    """One opened input: `stream`, its `name` for messages, `size` in bytes where it is known."""

    def __init__(
        self, path: str, *, archive: bool, to_file: bool, links: bool, console: bool
    ) -> None:
        """Open `path` (`-`: standard input).

        `archive`: archive bytes are expected, which no terminal (unless `console`) can give.
        `to_file`: the output's name is made from this one, so only plain files will do; `links`
        lets symbolic links pass.
        """
        self.path = None if path == "-" else path
        self.name = "standard input" if self.path is None else path
        if self.path is None:
            descriptor = 0
        else:
            if to_file:
                self._check_plain(self.path, links)
            if os.path.isdir(self.path):
                raise NotAFileError(_NO_FOLDER[archive])
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        raw = _RawInput(descriptor, "rb", closefd=self.path is not None)
        raw.label = self.name
        self.stream: BinaryIO = io.BufferedReader(raw, BUFFER)
        try:
            self.status = os.fstat(descriptor)
            if stat.S_ISDIR(self.status.st_mode):
                raise NotAFileError(_NO_FOLDER[archive])
            if archive and not console and os.isatty(descriptor):
                raise TerminalError(
                    "archive bytes do not come from a terminal; name a file, or use <FILE"
                )
        except BaseException:
            self.stream.close()
            raise

    @staticmethod
    def _check_plain(path: str, links: bool) -> None:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode) and not links:
            raise NotAFileError("is a symbolic link, skipped; -f follows it")
        if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode) and not stat.S_ISDIR(mode):
            raise NotAFileError("is not a regular file, skipped; -c or -o FILE reads it")

    @property
    def regular(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)

    @property
    def size(self) -> int | None:
        """Bytes to come; None for pipes, devices, and what only pretends to be empty (/proc)."""
        if not self.regular or self.status.st_size == 0:
            return None
        if self.path is None:
            try:
                return max(0, self.status.st_size - os.lseek(0, 0, os.SEEK_CUR)) or None
            except OSError:
                return None
        return self.status.st_size

    def check_unchanged(self) -> None:
        """Raise ChangedError if a regular file's size or time differs from when it was opened."""
        if not self.regular:
            return
        now = os.fstat(self.stream.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.status.st_size, self.status.st_mtime_ns):
            raise ChangedError("changed while it was read; try again when nothing writes to it")

    def check_removable(self, force: bool) -> None:
        """Refuse `--rm` for files whose content would stay reachable under another name."""
        if self.status.st_nlink > 1 and not force:
            raise NotAFileError(
                f"has {self.status.st_nlink} hard links, skipped; --rm removes this one with -f"
            )

    def remove(self) -> None:
        """Remove the name this was opened by, if it still is the file that was read."""
        if self.path is None:
            return
        now = os.stat(self.path)
        if identity(now) != identity(self.status) or now.st_mtime_ns != self.status.st_mtime_ns:
            raise ChangedError("was replaced while it was read; it was not removed")
        os.unlink(self.path)

    def close(self) -> None:
        self.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
