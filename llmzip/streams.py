"""Reads and writes on file objects that may do less than they are asked at a time."""

from __future__ import annotations

from typing import BinaryIO, Protocol


class Readable(Protocol):
    """What archives are read from."""

    def read(self, length: int, /) -> bytes:
        """Up to `length` bytes; none at the end alone."""


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


def write_all(sink: BinaryIO, data: bytes) -> None:
    """Writes all of `data`."""
    view = memoryview(data)
    while view:
        written = sink.write(view)
        if written is None:
            raise BlockingIOError("a sink in non-blocking mode is full: make it blocking")
        view = view[written:]
