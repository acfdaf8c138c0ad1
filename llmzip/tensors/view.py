"""A file's bytes in memory: mapped, so that they are read where they lie, and never written."""

from __future__ import annotations

import io
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from _typeshed import WriteableBuffer

    from llmzip.seeking import RandomAccess


def map_file(path: str | bytes | os.PathLike[Any]) -> memoryview:
    """All bytes of the file, read-only; nothing is read before it is used.

    The file must not become shorter while they are: a program that reads behind the end of what it
    has mapped is ended by the operating system.
    """
    import mmap

    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


class _Reader(io.RawIOBase):
    """A file of `size` bytes that holds no buffer: nothing is read ahead."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes to a position; behind the end there is nothing to read."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative position: {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fills a part of `buffer`; returns how many bytes it got, none at the end alone."""
        target = memoryview(buffer).cast("B")
        found = self._from(self._at, len(target))[: len(target)]
        target[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _from(self, position: int, most: int) -> memoryview:
        raise NotImplementedError


def another_reader(source: BinaryIO, begin: int) -> BinaryIO | None:
    """Reads `source` from byte `begin` on with a position of its own; None where that cannot be."""
    reader: Any
    if isinstance(source, io.BytesIO):
        reader = View(source.getbuffer()[begin:])
        return reader  # type: ignore[no-any-return]
    raw: object = source.raw if isinstance(source, io.BufferedReader) else source
    # Others may have a descriptor of something else than what is read of them.
    if not isinstance(raw, io.FileIO):
        return None
    status = os.fstat(raw.fileno())
    if not stat.S_ISREG(status.st_mode):
        return None
    reader = Descriptor(raw.fileno(), begin, max(status.st_size - begin, 0))
    return reader  # type: ignore[no-any-return]


class View(_Reader):
    """Reads bytes in memory as a file."""

    def __init__(self, data: memoryview) -> None:
        super().__init__(len(data))
        self._data = data

    def _from(self, position: int, most: int) -> memoryview:
        return self._data[position : position + most]


class Descriptor(_Reader):
    """Reads `size` bytes of an open file from byte `begin` on, wherever others are in it."""

    def __init__(self, descriptor: int, begin: int, size: int) -> None:
        super().__init__(size)
        self._descriptor = descriptor
        self._begin = begin

    def _from(self, position: int, most: int) -> memoryview:
        most = min(most, max(self._size - position, 0))
        return memoryview(os.pread(self._descriptor, most, self._begin + position))


class ContentReader(_Reader):
    """Reads the content of archives as a file; decodes chunks that are asked for."""

    def __init__(self, random: RandomAccess) -> None:
        super().__init__(random.size)
        self._random = random

    def _from(self, position: int, most: int) -> memoryview:
        return self._random.read(position)
