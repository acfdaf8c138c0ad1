"""Reads and writes on file objects that may do less than they are asked at a time."""

from __future__ import annotations

from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Protocol

    class Readable(Protocol):
        """What archives are read from."""

        def read(self, length: int, /) -> bytes:
            """Up to `length` bytes; none at the end alone."""


def seekable(source: BinaryIO) -> bool:
    """Whether `source` says that it can seek."""
    method = getattr(source, "seekable", None)
    return bool(method and method())


def read_some(source: Readable, most: int) -> bytes:
    """Up to `most` bytes of `source`; none at its end alone."""
    data = source.read(most)
    if data is None:
        raise BlockingIOError("a source in non-blocking mode has no data: make it blocking")
    return data


def read_exactly(source: Readable, length: int) -> bytes:
    """`length` bytes of `source`, or fewer where it ends."""
    data = read_some(source, length)
    if len(data) == length or not data:
        return data
    parts = [data]
    left = length - len(data)
    while left and (data := read_some(source, left)):
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


class From:
    """Reads `source` from `offset` on, wherever others leave its position; for several threads."""

    _lock = allocate_lock()

    def __init__(self, source: BinaryIO, offset: int) -> None:
        self._source = source
        self._offset = offset

    def read(self, length: int, /) -> bytes:
        """Up to `length` bytes."""
        with self._lock:
            self._source.seek(self._offset)
            data = read_exactly(self._source, length)
        self._offset += len(data)
        return data


def write_all(sink: BinaryIO, data: bytes | bytearray | memoryview) -> None:
    """Writes all of `data`."""
    view = memoryview(data)
    while view:
        written = sink.write(view)
        if written is None:
            raise BlockingIOError("a sink in non-blocking mode is full: make it blocking")
        view = view[written:]
