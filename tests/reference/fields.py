"""Reading fields off a run of bytes: FORMAT.md, section 1."""

from __future__ import annotations

import zlib

from .errors import CorruptError, TruncatedError


def crc16(data: bytes) -> int:
    return zlib.crc32(data) & 0xFFFF


class Fields:
    """A place in a run of bytes.

    `whole` says that the run is a part of the archive that was delimited and checked before: then
    to run off its end is corrupt. Otherwise it is the rest of the file, and the file is truncated.
    """

    def __init__(self, data: bytes, at: int = 0, *, whole: bool = False) -> None:
        self.data = data
        self.at = at
        self.whole = whole

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, length: int) -> bytes:
        if length > self.left():
            if self.whole:
                raise CorruptError("a field runs past the end of its record")
            raise TruncatedError("the file ends too early")
        self.at += length
        return self.data[self.at - length : self.at]

    def part(self, length: int) -> Fields:
        """The next `length` bytes, which were checked, as a run of their own."""
        return Fields(self.take(length), whole=True)

    def u(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def varint(self) -> int:
        value = 0
        for place in range(10):
            byte = self.u(1)
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if byte == 0 and place > 0:
                    raise CorruptError("a varint is not in its shortest form")
                if value >= 2**63:
                    raise CorruptError("a varint is too large")
                return value
        raise CorruptError("a varint is too long")

    def utf8(self, length: int) -> str:
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise CorruptError("a text is not UTF-8") from None

    def end(self) -> None:
        if self.left():
            raise CorruptError("a record is longer than its fields")
