"""Pixels of PNG files as browsers write them: eight bits a channel, not interlaced."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from dataclasses import dataclass

_CHANNELS = {2: 3, 6: 4}

Colour = tuple[int, int, int]


@dataclass
class Picture:
    """Rows of pixels from the top, three bytes each: red, green, blue."""

    width: int
    height: int
    rows: list[bytes]

    def colours(self) -> Counter[Colour]:
        """How many pixels have each colour."""
        return Counter(
            (row[x], row[x + 1], row[x + 2])
            for row in self.rows
            for x in range(0, 3 * self.width, 3)
        )


def decode(data: bytes) -> Picture:
    """Raises ValueError for what is not such a file."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("no PNG")
    at, coded, head = 8, b"", b""
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            head = body
        elif kind == b"IDAT":
            coded += body
        at += length + 12
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    if depth != 8 or colour not in _CHANNELS or interlaced:
        raise ValueError(f"depth {depth}, colour type {colour}, interlaced {interlaced}")
    step = _CHANNELS[colour]
    size = width * step
    content = zlib.decompress(coded)
    rows, above = [], bytearray(size)
    for begin in range(0, height * (size + 1), size + 1):
        row = bytearray(content[begin + 1 : begin + 1 + size])
        _restore(content[begin], row, above, step)
        above = row
        rows.append(bytes(row) if step == 3 else _without_alpha(row))
    return Picture(width, height, rows)


def _restore(kind: int, row: bytearray, above: bytearray, step: int) -> None:
    """Undoes a row's filter, in place."""
    if kind == 2:
        row[:] = bytes((a + b) & 255 for a, b in zip(row, above, strict=True))
        return
    for x in range(len(row) if kind else 0):
        left = row[x - step] if x >= step else 0
        corner = above[x - step] if x >= step else 0
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + above[x]) // 2
        else:
            guess = _paeth(left, above[x], corner)
        row[x] = (row[x] + guess) & 255


def _paeth(left: int, above: int, corner: int) -> int:
    start = left + above - corner
    return min((left, above, corner), key=lambda value: abs(start - value))


def _without_alpha(row: bytearray) -> bytes:
    kept = bytearray(len(row) // 4 * 3)
    for channel in range(3):
        kept[channel::3] = row[channel::4]
    return bytes(kept)
