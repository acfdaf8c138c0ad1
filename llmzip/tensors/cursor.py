"""Reads a part of a file in order, with every length checked before it is used."""

from __future__ import annotations

from llmzip.streams import read_exactly
from llmzip.tensors.region import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_PIECE = 1 << 16


class Cursor:
    """Stands at byte `at` of `source` and never goes beyond `end`.

    Small reads come out of a buffer, and what is skipped is not read.
    """

    def __init__(self, source: BinaryIO, at: int, end: int) -> None:
        self.at = at
        self.end = end
        self._source = source
        self._buffer = b""
        self._begin = at

    def take(self, length: int) -> bytes:
        """The next `length` bytes; `Malformed` where there are not so many."""
        start = self.skip(length) - self._begin
        if start >= 0 and start + length <= len(self._buffer):
            return self._buffer[start : start + length]
        self._begin = self.at - length
        self._source.seek(self._begin)
        self._buffer = b""
        data = read_exactly(self._source, max(length, min(_PIECE, self.end - self._begin)))
        if len(data) < length:
            raise Malformed("the file is shorter than it was")
        self._buffer = data
        return data[:length]

    def skip(self, length: int) -> int:
        """Passes over `length` bytes; returns where they begin."""
        begin = self.at
        if not 0 <= length <= self.end - begin:
            raise Malformed("a length leaves the file")
        self.at = begin + length
        return begin

    def number(self, width: int) -> int:
        """The next `width` bytes as an unsigned little-endian integer."""
        return int.from_bytes(self.take(width), "little")
