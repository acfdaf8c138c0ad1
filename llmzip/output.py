"""The outputs of the command line: they get their names when they are complete, or not at all.

An output is written to a file without a name (or a temporary one in the same folder), synced and
then given its name. Devices, FIFOs and standard output are written directly.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Container

from llmzip.fileio import (
    BUFFER,
    ExistsError,
    Identity,
    SameFileError,
    Source,
    TerminalError,
    identity,
    named,
)
from llmzip.interrupt import held

TYPE_CHECKING = False
if TYPE_CHECKING:
    import weakref
    from types import TracebackType
    from typing import Any, BinaryIO, Self


class _RawOutput(io.FileIO):
    """Writes like FileIO, counts bytes, names the file in errors, and waits as `_RawInput` does."""

    label: str
    written = 0

    def write(self, data: Any) -> int:
        while True:
            try:
                count: int | None = super().write(data)
            except OSError as error:
                raise named(error, self.label) from None
            if count is not None:
                self.written += count
                return count
            import select

            select.select([], [self], [])


class Output:
    """Where a command writes: `stream`; then `commit` to keep it, or `discard`.

    Leaving a `with` block without `commit` discards. `atomic` says whether the bytes stay under a
    name of their own: only then may an input be removed.
    """

    atomic = False

    def __init__(self, name: str, raw: _RawOutput) -> None:
        self.name = name
        self._raw = raw
        self.stream: BinaryIO = io.BufferedWriter(raw, BUFFER)

    @property
    def partial(self) -> bool:
        """Whether bytes have gone where they cannot be taken back."""
        return not self.atomic and self._raw.written > 0

    def commit(self, like: Source | None = None) -> None:
        """Keep what was written, with the mode and times of `like`."""
        self.stream.flush()
        self.stream.close()

    def discard(self) -> None:
        """Drop what was not written out yet; does nothing after `commit`."""
        if not self._raw.closed:
            # Not through the buffer: closing that would write out the rest.
            self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()


def open_stdout(*, archive: bool, console: bool, inputs: Container[Identity]) -> Output:
    """Standard output; refuses archive bytes to a terminal (unless `console`) and a file in use."""
    if archive and not console and os.isatty(1):
        raise TerminalError("archive bytes are not for a terminal; use -c >FILE or -o FILE")
    status = os.fstat(1)
    if stat.S_ISREG(status.st_mode) and identity(status) in inputs:
        raise SameFileError("the output is one of the inputs; write to another file")
    raw = _RawOutput(1, "wb", closefd=False)
    raw.label = "standard output"
    return Output("standard output", raw)


def open_output(
    path: str,
    *,
    archive: bool,
    force: bool,
    inputs: Container[Identity],
    done: Container[Identity] = (),
) -> Output:
    """Open `path` for writing: atomically, or directly where it is a device or FIFO.

    inputs: identities of every file that the call reads; `path` must be none of them.
    done: identities of every file that the call has written; not overwritten even with `force`.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if os.path.islink(path) and not force:
            raise ExistsError(f"{path} exists; -f overwrites it") from None
        return _AtomicOutput(path, force)
    if identity(status) in inputs and not stat.S_ISCHR(status.st_mode):
        raise SameFileError(f"the output {path} is one of the inputs; choose another name")
    if identity(status) in done:
        raise SameFileError(f"{path} was written by this very call; choose another folder or name")
    if stat.S_ISDIR(status.st_mode):
        raise ExistsError(f"{path} is a folder; --output-dir writes into it")
    if stat.S_ISREG(status.st_mode):
        if not force:
            raise ExistsError(f"{path} exists; -f overwrites it")
        return _AtomicOutput(path, force)
    raw = _RawOutput(os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC), "wb")
    raw.label = path
    if archive and not force and os.isatty(raw.fileno()):
        raw.close()
        raise TerminalError("archive bytes are not for a terminal; use -c >FILE or -o FILE")
    return Output(path, raw)


class _AtomicOutput(Output):
    """A file that gets its name when it is complete.

    Where the file system has files without a name, even a killed process leaves nothing behind.
    """

    atomic = True

    def __init__(self, path: str, force: bool) -> None:
        self._path = path
        self._folder = os.path.dirname(path) or "."
        self._force = force
        self._temporary: str | None = None
        # Runs at the latest when the program ends, whatever ended it short of a kill.
        self._remove: weakref.finalize[[str], Output] | None = None
        with held():
            raw = _RawOutput(self._open(), "wb")
            raw.label = path
            super().__init__(path, raw)

    def _open(self) -> int:
        unnamed = getattr(os, "O_TMPFILE", None)
        if unnamed is not None and os.path.isdir("/proc/self/fd"):
            try:
                return os.open(self._folder, os.O_WRONLY | os.O_CLOEXEC | unnamed, 0o600)
            except OSError as error:
                # These say that the file system has no such files; anything else is a real refusal.
                if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
                    raise named(error, self._path) from None
        name = self._new_name()
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise named(error, self._path) from None
        self._now_called(name)
        return descriptor

    def _new_name(self) -> str:
        return os.path.join(self._folder, f".llmzip-{os.urandom(8).hex()}.tmp")

    def _now_called(self, name: str) -> None:
        import weakref

        self._temporary = name
        self._remove = weakref.finalize(self, _unlink, name)

    def commit(self, like: Source | None = None) -> None:
        descriptor = self._raw.fileno()
        try:
            self.stream.flush()
            _copy_metadata(descriptor, like)
            os.fsync(descriptor)
            with held():
                self._publish(descriptor)
                self.discard()
        except OSError as error:
            raise named(error, self._path) from None
        _sync_folder(self._folder)

    def _publish(self, descriptor: int) -> None:
        """Give the complete file its name."""
        try:
            self._link(descriptor, self._path)
        except FileExistsError:
            if not self._force:
                raise ExistsError(f"{self._path} exists; -f overwrites it") from None
        except OSError:
            # A named file can do without hard links, which FAT and some network file systems lack.
            if self._temporary is None:
                raise
            if not self._force and os.path.lexists(self._path):
                raise ExistsError(f"{self._path} exists; -f overwrites it") from None
        else:
            return
        # Only a file with a name can take another's place.
        if self._temporary is None:
            name = self._new_name()
            self._link(descriptor, name)
            self._now_called(name)
        assert self._temporary is not None and self._remove is not None
        os.replace(self._temporary, self._path)
        self._remove.detach()
        self._temporary = None

    def _link(self, descriptor: int, name: str) -> None:
        if self._temporary is not None:
            os.link(self._temporary, name)
        else:
            # Naming a descriptor makes Python call linkat, which alone can follow the /proc link.
            here = f"/proc/self/fd/{descriptor}"
            os.link(here, name, src_dir_fd=descriptor, follow_symlinks=True)

    def discard(self) -> None:
        super().discard()
        if self._temporary is not None and self._remove is not None:
            self._remove()
            self._temporary = None


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _copy_metadata(descriptor: int, like: Source | None) -> None:
    """Give a new file the owner (if root), mode and times of the file it was made from.

    Special bits are dropped. If the group cannot be kept, its rights shrink to those of all others.
    """
    if like is None or not like.regular or like.path is None:
        mask = os.umask(0o077)
        os.umask(mask)
        os.fchmod(descriptor, 0o666 & ~mask)
        return
    status = like.status
    mode = status.st_mode & 0o777
    own = os.fstat(descriptor)
    if status.st_uid != own.st_uid and os.geteuid() == 0:
        os.fchown(descriptor, status.st_uid, -1)
    if status.st_gid != own.st_gid:
        try:
            os.fchown(descriptor, -1, status.st_gid)
        except OSError:
            mode &= 0o707 | (mode & 0o007) << 3
    os.fchmod(descriptor, mode)
    os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))


def _sync_folder(folder: str) -> None:
    """Make a new name survive a power cut, where folders can be opened and synced."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.EROFS):
            raise named(error, folder) from None
    finally:
        os.close(descriptor)
