"""Predictor `cm`, version 1: the history and what it tells. FORMAT.md, section 8.3."""

from typing import NamedTuple

import numpy as np
from numpy import uint64 as u64

from .cm_basics import compiled, mix, zeros

# 8.3: classes of shapes, those given first win
CLASSES = np.full(256, 15)
for _class, _bytes in (
    (14, range(128, 256)),
    (13, range(1, 32)),
    (12, b"\0"),
    (11, b"=+-*/_"),
    (10, b")]}>"),
    (9, b"([{<"),
    (8, (34, 39, 96)),
    (7, b",;:"),
    (6, b".!?"),
    (5, (10,)),
    (4, (32,)),
    (3, b"0123456789"),
    (2, range(65, 91)),
    (1, range(97, 123)),
):
    for _byte in _bytes:
        CLASSES[_byte] = _class


DEEPEST = 64
TERMS = 23

VALUES = np.dtype(
    [(name, np.uint64) for name in ("last8", "word", "shape")]
    + [
        (name, np.int64)
        for name in (
            *("seen", "line_start", "line_above", "word_start", "open", "stride"),
            *("partial", "pos", "hits"),
        )
    ]
)


class Past(NamedTuple):
    """`values` holds one record of single values, `v` below; `seen` is N."""

    values: np.ndarray
    history: np.ndarray
    previous: np.ndarray
    brackets: np.ndarray
    after1: np.ndarray
    after2: np.ndarray
    around: np.ndarray  # 8.8a: terms of a grey pixel


def new_past(stride: int) -> Past:
    values = np.zeros(1, dtype=VALUES)
    values["stride"], values["partial"] = stride, 1
    return Past(
        values=values,
        history=np.zeros(0, dtype=np.uint8),
        previous=np.zeros(3, dtype=np.uint64),
        brackets=zeros(DEEPEST),
        after1=zeros(256),
        after2=zeros(65536),
        around=zeros(TERMS),
    )


@compiled
def tail(v: np.void, j: int) -> u64:
    """8.3: the last j bytes."""
    if j == 8:
        return v.last8
    return v.last8 & ((u64(1) << u64(8 * j)) - u64(1))


@compiled
def back(past: Past, distance: int) -> u64:
    """8.3: the byte at a distance."""
    seen = past.values[0].seen
    return u64(past.history[seen - distance]) if 1 <= distance <= seen else u64(0)


@compiled
def column(v: np.void) -> int:
    return v.seen - v.line_start


@compiled
def above(past: Past, offset: int) -> u64:
    """8.3: the byte above, `offset` places to the right."""
    v = past.values[0]
    place = v.line_above + column(v) + offset
    return u64(past.history[place]) if 0 <= place < v.line_start else u64(0)


@compiled
def line_byte(past: Past, i: int) -> u64:
    v = past.values[0]
    return u64(past.history[v.line_start + i]) if v.line_start + i < v.seen else u64(0)


@compiled
def word_length(v: np.void) -> int:
    return 0 if v.word == u64(0) else v.seen - v.word_start


@compiled
def nest(past: Past) -> u64:
    """8.3: the brackets that are open."""
    n = past.values[0].open
    if n == 0:
        return u64(1)
    top = u64(256) + u64(past.brackets[n - 1])
    return top if n == 1 else u64(256) * top + u64(past.brackets[n - 2])


@compiled
def take_byte(past: Past, byte: int) -> None:
    """8.3: a whole byte joins the history."""
    v = past.values[0]
    for j, after in ((1, past.after1), (2, past.after2)):
        at = np.int64(tail(v, j))
        after[at] = (after[at] << 8 | byte) & 0xFFFFFFFF
    class_ = CLASSES[byte]
    v.shape = v.shape << u64(4) | u64(class_)
    if class_ == 9:
        if v.open == DEEPEST:
            v.open = 0
        else:
            past.brackets[v.open] = byte
            v.open += 1
    elif class_ == 10 and v.open > 0:
        v.open -= 1

    past.history[v.seen] = byte
    v.last8 = v.last8 << u64(8) | u64(byte)
    letter = byte + 32 if 65 <= byte <= 90 else byte
    if 97 <= letter <= 122 or letter >= 128:
        if v.word == u64(0):
            v.word_start = v.seen
        v.word = mix(v.word, u64(letter + 1))
    elif v.word != u64(0):
        past.previous[2] = past.previous[1]
        past.previous[1] = past.previous[0]
        past.previous[0] = v.word
        v.word = u64(0)
    v.seen += 1
    if byte == 10:
        v.line_above = v.line_start
        v.line_start = v.seen
