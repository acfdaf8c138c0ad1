"""What kind of numbers an array without a description holds, by how its bytes are distributed.

Weights have exponents within a narrow range, either sign, and mantissas that are as good as noise.
Text, code, pixels, samples and compressed bytes, read as such numbers, have not.
"""

from __future__ import annotations

from collections import Counter
from math import log2

from llmzip.tensors.kinds import KINDS
from llmzip.tensors.region import Region

# Bytes that are looked at: the start of an array, in pieces spread over it.
SPAN = 1 << 20
_PIECES = 32
_THIN = 256
_PIECE = 4096
# Fewer tell too little.
_LEAST = 2048
# Share of the numbers that must lie in the range; of those that may be zero or of either sign.
_MOST = 0.97
_FEW = 0.02
# First bytes without their sign bit: f32 and bf16 from 2^-62 to 2^19, f64 from 2^-127 to 2^64.
_SINGLE = range(0x20, 0x49)
_DOUBLE = range(0x38, 0x44)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Histogram: TypeAlias = Counter[int]


def _sample(data: bytes, piece: int) -> bytes:
    """Pieces of `piece` bytes of `data`, each of which begins at a multiple of eight."""
    if len(data) <= piece * _PIECES:
        return data[: len(data) // 8 * 8]
    step = (len(data) - piece) // (_PIECES - 1) // 8 * 8
    return b"".join([data[at * step : at * step + piece] for at in range(_PIECES)])


def _entropy(histogram: Histogram) -> float:
    """Bits of information in one of the values counted."""
    total = histogram.total()
    return -sum(count / total * log2(count / total) for count in histogram.values() if count)


def _fields(data: bytes, places: range, width: int) -> list[Histogram]:
    """How often each byte value stands at each of `places` within `width` bytes.

    Numbers that are zero are left out, as far as single places tell.
    """
    fields = [Counter(data[place::width]) for place in places]
    zeros = min(histogram[0] for histogram in fields)
    for histogram in fields:
        histogram[0] -= zeros
    return fields


def _noisy(histogram: Histogram, bits: float) -> bool:
    """Whether values hold at least `bits` of information, or what so few values can hold."""
    return _entropy(histogram) >= min(bits, log2(max(histogram.total(), 1)) - 1.5)


def _signed(top: Histogram, total: int) -> bool:
    """Whether enough of `total` numbers with these first bytes are not zero, and of both signs."""
    count = top.total()
    negative = sum(count for value, count in top.items() if value & 0x80)
    return count >= total / 10 and _FEW * count <= negative <= (1 - _FEW) * count


def _within(top: Histogram, exponents: range) -> bool:
    """Whether first bytes are those of numbers within a range."""
    inside = sum(count for value, count in top.items() if value & 0x7F in exponents)
    return inside >= _MOST * top.total()


def _is_bf16(data: bytes) -> bool:
    # Both halves of pairs: of f32 with trailing zeros only one is a number.
    return all(
        _signed(top, len(data) // 4)
        and _within(top, _SINGLE)
        and _entropy(top) <= 5
        and _noisy(low, 6.5)
        for low, top in (_fields(data, range(2), 4), _fields(data, range(2, 4), 4))
    )


def _is_f32(data: bytes) -> bool:
    *_, high, top = _fields(data, range(4), 4)
    return (
        _signed(top, len(data) // 4)
        and _within(top, _SINGLE)
        and _entropy(top) <= 5
        and _noisy(high, 6.5)
    )


def _is_f64(data: bytes) -> bool:
    *_, noise, high, top = _fields(data, range(8), 8)
    return (
        _signed(top, len(data) // 8)
        and _within(top, _DOUBLE)
        and _entropy(top) <= 3.5
        and _noisy(high, 4)
        and _noisy(noise, 6.5)
    )


def _is_f16(data: bytes) -> bool:
    low, top = _fields(data, range(2), 2)
    exponents: Histogram = Counter()
    fields: Histogram = Counter()
    for value, count in top.items():
        exponents[value >> 2 & 31] += count
        fields[value >> 2] += count
    return (
        _signed(top, len(data) // 2)
        # Integers and samples around zero have these: infinities and what is no number.
        and exponents[31] <= top.total() / 10_000
        and 0.8 <= _entropy(exponents) <= 3.6
        and exponents[0] <= top.total() / 4
        # Two bits of mantissa stand beside the exponent; in bf16 these are its lowest bits.
        and _entropy(top) - _entropy(fields) >= 1.75
        and _noisy(low, 7.5)
    )


def detect(data: bytes) -> str:
    """The kind of the elements of an array that begins with `data`, or "" where it is not clear.

    `data` is the first `SPAN` bytes, or all there are: "bf16", "f16", "f32" or "f64", from the
    array's first byte on and little-endian.
    """
    data = data[:SPAN]
    if len(data) < _LEAST:
        return ""
    # Few bytes rule out most of what is no array; then more must confirm.
    thin, full = _sample(data, _THIN), b""
    for kind, test in (("bf16", _is_bf16), ("f32", _is_f32), ("f64", _is_f64), ("f16", _is_f16)):
        if test(thin):
            full = full or _sample(data, _PIECE)
            if test(full):
                return kind
    return ""


def opaque(offset: int, length: int, label: str, start: bytes) -> Region:
    """The region of an array without a description, which begins with `start`."""
    kind = detect(start)
    if kind and length % KINDS[kind][1] == 0:
        return Region(offset, length, label, kind, (length // KINDS[kind][1],))
    return Region(offset, length, label)


def plan_raw(start: bytes, size: int) -> tuple[Region, ...] | None:
    """Regions of a file of `size` bytes without a table, which begins with `start`, or None.

    It must be clear that the file is an array of floats; `size` may be no multiple of their width.
    """
    kind = detect(start)
    if not kind:
        return None
    width = KINDS[kind][1]
    count = size // width
    regions = [Region(0, count * width, "", kind, (count,))]
    if size % width:
        regions.append(Region(count * width, size % width))
    return tuple(regions)
