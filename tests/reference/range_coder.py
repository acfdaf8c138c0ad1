"""Range coder: FORMAT.md, section 7."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from .errors import CorruptError

MAX = 2**64 - 1


def distribution(weights: Sequence[int], precision: int) -> list[int]:
    """The cumulative integers `c[0]` to `c[n]` for `n` weights."""
    if not any(weights):
        weights = [1] * len(weights)
    n = len(weights)
    total = sum(weights)
    return [
        s + (2**precision - n) * below // total
        for s, below in enumerate(accumulate(weights, initial=0))
    ]


def _part(width: int, precision: int, c: Sequence[int], s: int) -> tuple[int, int]:
    """How far the interval of symbol `s` lies above `low`, and its width."""
    unit = width // 2**precision
    if s == len(c) - 2:
        return unit * c[s], width - unit * c[s]
    return unit * c[s], unit * (c[s + 1] - c[s]) - 1


class Encoder:
    def __init__(self) -> None:
        self.low = 0
        self.width = MAX
        self.emitted = 0  # the emitted bytes as one number
        self.length = 0

    def encode(self, symbol: int, c: Sequence[int], precision: int) -> None:
        offset, self.width = _part(self.width, precision, c, symbol)
        self._add(offset)
        while self.width < 2**56:
            self._emit_byte()
            self.width = self.width * 256 + 255

    def _add(self, amount: int) -> None:
        self.low += amount
        if self.low >= 2**64:
            self.low -= 2**64
            self.emitted += 1

    def _emit_byte(self) -> None:
        self.emitted = self.emitted * 256 + (self.low >> 56)
        self.length += 1
        self.low = self.low * 256 & MAX

    def finish(self) -> bytes:
        if self.low > 0 and self.low + self.width >= 2**64:
            self._add(2**64 - self.low)
        else:
            self._add(-self.low % 2**56)
        self._emit_byte()
        return self.emitted.to_bytes(self.length, "big").rstrip(b"\0")


class Decoder:
    def __init__(self, data: bytes) -> None:
        self.width = MAX
        self.data = data
        self.above = int.from_bytes(data[:8].ljust(8, b"\0"), "big")
        self.used = 8

    def decode(self, c: Sequence[int], precision: int) -> int:
        unit = self.width // 2**precision
        t = min(self.above // unit, 2**precision - 1)
        symbol = bisect_right(c, t) - 1
        offset, self.width = _part(self.width, precision, c, symbol)
        self.above -= offset
        while self.width < 2**56:
            byte = self.data[self.used] if self.used < len(self.data) else 0
            self.above = self.above * 256 + byte
            self.used += 1
            self.width = self.width * 256 + 255
        return symbol

    def finish(self) -> None:
        if self.used < len(self.data):
            raise CorruptError("bytes are left over in a coded chunk")
