"""Predictor `cm`, version 1: contexts of pixels. FORMAT.md, section 8.8."""

from typing import NamedTuple

import numpy as np
from numpy import uint64 as u64

from .cm_basics import GOLDEN, HISTORY, compiled, counter, new_map, stretched, updated, zeros
from .cm_history import Past

LIMIT = 255

# Each part is (u, l, r) of row(u, l, r); left(j) is (0, j, -1).
_PARTS = (
    ((0, 4, -1), (1, 2, 2), (2, 1, 1)),
    ((0, 2, -1), (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1)),
    ((0, 6, -1), (1, 4, 4), (2, 2, 2)),
    ((0, 8, -1), (1, 6, 6), (2, 4, 4)),
    ((0, 5, -1), (1, 3, 3), (2, 3, 3), (3, 2, 2), (4, 1, 1)),
    ((0, 12, -1), (1, 3, 7)),
    ((0, 10, -1), (1, 7, 7), (2, 7, 7), (3, 3, 3)),
    ((0, 20, -1), (1, 1, 1), (2, 0, 0)),
    ((0, 3, -1), (1, 1, 1), (2, 1, 0)),  # Near
    ((0, 5, -1), (1, 2, 2), (2, 0, 0), (3, 0, 0)),  # Far
)
TEMPLATES = np.zeros((10, 5, 3), dtype=np.int64)
SIZES = np.array([len(parts) for parts in _PARTS])
for _i, _parts in enumerate(_PARTS):
    TEMPLATES[_i, : len(_parts)] = _parts
USED = 8
NEAR, FAR = 8, 9


class Pixels(NamedTuple):
    """One row for each template; empty where pixels are not used."""

    places: np.ndarray
    counters: np.ndarray
    histories: np.ndarray
    maps: np.ndarray


def new_pixels(used: bool) -> Pixels:
    templates = USED if used else 0
    return Pixels(
        places=zeros(templates),
        counters=np.full((templates, 2**18), counter(2**21, 0)),
        histories=np.zeros((templates, 2**18), dtype=np.uint8),
        maps=np.tile(new_map(), (templates, 1)),
    )


@compiled
def pixel(past: Past, u: int, offset: int) -> int:
    """8.8: a pixel of the current row (u = 0) or of one above."""
    v = past.values[0]
    if u >= 1 and u * v.stride < 2:
        return 0
    number = 8 * v.seen + v.pos + offset - 8 * u * v.stride
    if number < 0:
        return 0
    if number >= 8 * v.seen:
        return (v.partial >> (v.pos - 1 - number % 8)) & 1
    return (np.int64(past.history[number // 8]) >> (7 - number % 8)) & 1


@compiled
def joined(past: Past, template: int) -> int:
    """8.8: the number that a template joins."""
    whole = 0
    bits = 0
    for i in range(SIZES[template]):
        u, left, right = TEMPLATES[template, i]
        for offset in range(right, -left - 1, -1):
            whole |= pixel(past, u, offset) << bits
            bits += 1
    return whole


@compiled
def pixel_inputs(past: Past, s: Pixels, inputs: np.ndarray) -> None:
    """8.8: two inputs of each template."""
    for i in range(len(s.places)):
        at = np.int64((u64(joined(past, i) + 1) * GOLDEN) >> u64(46))
        s.places[i] = at
        bits = s.histories[i, at]
        inputs[2 * i] = stretched(s.counters[i, at])
        inputs[2 * i + 1] = stretched(s.maps[i, bits]) if bits != 0 else 0


@compiled
def update_pixels(s: Pixels, bit: int) -> None:
    for i in range(len(s.places)):
        at = s.places[i]
        bits = s.histories[i, at]
        s.counters[i, at] = updated(s.counters[i, at], bit == 1, LIMIT)
        s.maps[i, bits] = updated(s.maps[i, bits], bit == 1, LIMIT)
        s.histories[i, at] = HISTORY[bits, bit]
