"""Predictor `cm`, version 1: what levels and classes use. FORMAT.md, section 8.2."""

from typing import NamedTuple

# Kinds of contexts, 8.4.
ORDER, MASKED, WORD, WORD_PREVIOUS, WORD_SKIP, WORD_TWO, WORD_ABOVE, WORDS = range(8)
WORD_LINE, WORD_END, COLUMN, LINE_ABOVE, LINE_START, INDIRECT, SHAPE, SHAPE_BYTE = range(8, 16)
NEST, ABOVE, PLACE, BACK, PHASE, TREND = range(16, 22)

# Selectors, 8.9, and how many vectors each has. Those of 8.8 come last.
BY_PARTIAL, BY_BYTE1, BY_BYTE2, BY_BYTE3, BY_HITS, BY_SHAPE = range(6)
BY_COLUMN, BY_EXPECTED, BY_WORD_LENGTH, BY_MATCHES, BY_NEAR, BY_FAR = range(6, 12)
VECTORS = (256, 256, 256, 256, 1024, 4096, 4096, 2056, 2048, 256, 256, 4096)


class Context(NamedTuple):
    kind: int
    number: int = 0  # j, or which Indirect
    mask: int = 0
    places: tuple[tuple[int, int], ...] = ()  # (s, f); of Back and Phase (d, 0)


class Plan(NamedTuple):
    contexts: tuple[Context, ...]
    pixels: bool
    table_bits: int  # m
    distances: bool
    lengths: tuple[int, ...]  # of match models
    runs: bool
    selectors: tuple[int, ...]
    rates: tuple[tuple[int, int, int], tuple[int, int, int]]
    curves: tuple[tuple[int, int], ...]  # set, weight
    primer: bool


A1 = ((1, 0),)
A2 = ((1, 0), (1, 1))
A3 = ((1, 0), (1, -1), (1, 1))
A4 = ((1, 0), (1, 1), (1, 2), (1, 3))
A12 = ((1, 0), (2, 0))
A22 = ((1, 0), (1, 1), (2, 0), (2, 1))
A123 = ((1, 0), (2, 0), (3, 0))


def orders(*numbers: int) -> list[Context]:
    return [Context(ORDER, j) for j in numbers]


def plain(*kinds: int) -> list[Context]:
    return [Context(kind) for kind in kinds]


def numbered(kind: int, *numbers: int) -> list[Context]:
    return [Context(kind, j) for j in numbers]


def masked(*masks: int) -> list[Context]:
    return [Context(MASKED, mask=mask) for mask in masks]


def placed(kind: int, places: tuple[tuple[int, int], ...], *numbers: int) -> list[Context]:
    return [Context(kind, j, places=places) for j in numbers]


def distant(kind: int, distances: tuple[int, ...], j: int) -> Context:
    return Context(kind, j, places=tuple((d, 0) for d in distances))


TEXT = [
    *orders(1, 2, 3, 4),
    *plain(WORD),
    *orders(6),
    *plain(COLUMN, WORD_PREVIOUS),
]
BINARY = [
    *orders(1, 2, 6),
    *placed(ABOVE, A4, 1),
    *placed(ABOVE, A12, 0),
    *placed(ABOVE, A3, 2),
    *masked(0xFFFF00),
    *orders(8),
]
EXECUTABLE = [
    *orders(1, 2, 3, 4, 6),
    *masked(0xFFFF00, 0xF8F8F8),
    distant(PHASE, (4,), 1),
    *masked(0xFF00FF00),
    distant(PHASE, (4,), 0),
]
BILEVEL = placed(ABOVE, A3, 1)
RICH_TEXT = [
    *orders(0, 1, 2, 3, 4, 5, 6, 7, 8),
    *plain(WORD, WORD_PREVIOUS, WORD_SKIP, WORD_TWO, WORD_ABOVE),
    *numbered(WORDS, 1, 2, 3),
    *plain(WORD_LINE, WORD_END, COLUMN, LINE_ABOVE, LINE_START),
    *numbered(INDIRECT, 0, 1, 2, 3),
    *numbered(SHAPE, 6, 12),
    *numbered(SHAPE_BYTE, 4, 8),
    *plain(NEST),
    *masked(0xFFFF00, 0xFF00FF, 0xFF0000, 0xFFFFFF00, 0xFFFF00FF, 0xFF00FF00),
    *masked(0xF8F8F8F8, 0xE0E0E0E0E0E0),
]
RICH_BINARY = [
    *orders(0, 1, 2, 3, 4, 5, 6, 7, 8),
    *plain(WORD, WORD_PREVIOUS),
    *numbered(WORDS, 1),
    *numbered(INDIRECT, 0, 1, 2, 3),
    *numbered(SHAPE, 8),
    *numbered(SHAPE_BYTE, 4),
    *masked(0xFF00, 0xFF0000, 0xFFFF00, 0xFF00FF, 0xFFFF0000, 0xFF0000FF),
    *masked(0xFF00FF00, 0xFFFFFF00, 0xFFFF00FF, 0xF0F0F0F0, 0xFFF0F0, 0xF8F8),
    distant(PHASE, (4,), 0),
    distant(PHASE, (4,), 1),
    distant(PHASE, (4, 8), 0),
    distant(PHASE, (), 2),
    distant(PHASE, (), 0),
    distant(PHASE, (4, 8, 12), 0),
    distant(BACK, (2, 4), 0),
    distant(BACK, (3, 6), 0),
    *placed(ABOVE, A1, 0, 1, 2),
    *placed(ABOVE, A12, 0, 1),
    *placed(ABOVE, A123, 0),
    *placed(ABOVE, A2, 0, 1),
    *placed(ABOVE, A4, 0, 1, 2),
    *placed(ABOVE, A22, 1),
    *placed(ABOVE, A3, 0, 1, 2),
    *placed(PLACE, (), 0, 1),
    *placed(PLACE, A1, 0, 1),
    *placed(PLACE, A12, 0),
    *numbered(TREND, 0, 1, 2),
]

# Of class 0, 1, 2, 3 at level 3, 4, 5, 6, then at levels 7 and 8.
CONTEXTS = (
    (TEXT[:5], TEXT[:6], TEXT[:7], TEXT, RICH_TEXT),
    (BINARY[:5], BINARY[:6], BINARY[:7], BINARY, RICH_BINARY),
    (BINARY[:5], BINARY[:6], BINARY[:7], BILEVEL, BINARY),
    (EXECUTABLE[:5], EXECUTABLE[:7], EXECUTABLE[:9], EXECUTABLE, RICH_BINARY),
)
LEAN = (BY_PARTIAL, BY_BYTE1, BY_HITS)
LEAN_PIXELS = (BY_PARTIAL, BY_NEAR, BY_HITS)
RICH = (
    *(BY_PARTIAL, BY_BYTE1, BY_BYTE2, BY_HITS, BY_BYTE3, BY_SHAPE, BY_COLUMN),
    *(BY_EXPECTED, BY_WORD_LENGTH, BY_MATCHES),
)
RICH_PIXELS = (
    *(BY_PARTIAL, BY_NEAR, BY_BYTE2, BY_HITS, BY_BYTE3, BY_SHAPE, BY_BYTE1),
    *(BY_EXPECTED, BY_FAR, BY_MATCHES),
)


def plan_of(level: int, class_: int) -> Plan:
    rich = level >= 7
    pixels = class_ == 2 and level >= 6
    return Plan(
        contexts=tuple(CONTEXTS[class_][min(level, 7) - 3]),
        pixels=pixels,
        table_bits=(22, 23, 24, 26, 27, 28)[level - 3],
        distances=rich,
        lengths=(5, 7, 12) if rich else (12,) if pixels else (5, 12),
        runs=level == 8,
        selectors=(RICH_PIXELS if pixels else RICH) if rich else (LEAN_PIXELS if pixels else LEAN),
        rates=((200, 4000, 6), (60, 1000, 7)) if rich else ((400, 4000, 6), (150, 1000, 7)),
        curves=((0, 1), (1, 2), (2, 3)) if rich else ((2, 6),),
        primer=rich and class_ == 0,
    )
