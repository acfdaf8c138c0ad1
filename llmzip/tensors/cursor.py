"""Reads a part of a file in order, with every length checked before it is used."""

from __future__ import annotations

from llmzip.streams import read_exactly, read_some
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
        # What has to be decoded comes in parts: no more of them than needed.
        data = read_some(self._source, max(length, min(_PIECE, self.end - self._begin)))
        if len(data) < length:
            data += read_exactly(self._source, length - len(data))
        if len(data) < length:
            raise Malformed("the file is shorter than it was")
        self._buffer = data
        return data[:length]

    def peek(self, most: int) -> bytes:
        """The next `most` bytes, or all there are; `at` stays."""
        begin = self.at
        data = self.take(min(most, self.end - begin))
        self.at = begin
        return data

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

    def varint(self) -> int:
        """The next number of up to 64 bits in groups of seven, the lowest first."""
        value = shift = 0
        while shift < 70:
            start = self.at - self._begin
            if 0 <= start < len(self._buffer) and self.at < self.end:
                byte = self._buffer[start]
                self.at += 1
            else:
                byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise Malformed("a number too long")
