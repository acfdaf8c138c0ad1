"""A file's bytes in memory: mapped, so that they are read where they lie, and never written."""

from __future__ import annotations

import io
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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


class View(_Reader):
    """Reads bytes in memory as a file."""

    def __init__(self, data: memoryview) -> None:
        super().__init__(len(data))
        self._data = data

    def _from(self, position: int, most: int) -> memoryview:
        return self._data[position : position + most]


class ContentReader(_Reader):
    """Reads the content of archives as a file; decodes chunks that are asked for."""

    def __init__(self, random: RandomAccess) -> None:
        super().__init__(random.size)
        self._random = random

    def _from(self, position: int, most: int) -> memoryview:
        return self._random.read(position)
