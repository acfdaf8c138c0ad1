"""Predictor `cm`, version 1: what levels and classes use. FORMAT.md, section 8.2."""

from typing import NamedTuple

# Kinds of contexts, 8.4.
ORDER, MASKED, WORD, WORD_PREVIOUS, WORD_SKIP, WORD_TWO, WORD_ABOVE, WORDS = range(8)
WORD_LINE, WORD_END, COLUMN, LINE_ABOVE, LINE_START, INDIRECT, SHAPE, SHAPE_BYTE = range(8, 16)
NEST, ABOVE, PLACE, BACK, PHASE, TREND, AROUND = range(16, 23)
RECORD = 23  # 12.4

# Terms, 8.8a, and the place in the image.
W, N, NW, NE, WW, NN, NNE, NEE, BEFORE, X, Y, MEDIAN, ADJUSTED, BLENDED, CORRECTED = range(15)
FALLING, ENERGY, ERRORS, TEXTURE, BRIGHT, SHADES, SUM, INSIDE = range(15, 23)

# Sets of curves, 8.10, besides Order(0) to Order(2).
SET_PLACE, SET_PREDICTION, SET_SHADES = range(3, 6)
SET_FIELD, SET_EXTERNAL = 6, 7  # 12.4, 11.6: what comes with an external input

# Selectors, 8.9, and how many vectors each has. Those of 8.8, 8.8a and 12.4 come last.
BY_PARTIAL, BY_BYTE1, BY_BYTE2, BY_BYTE3, BY_HITS, BY_SHAPE = range(6)
BY_COLUMN, BY_EXPECTED, BY_WORD_LENGTH, BY_MATCHES, BY_NEAR, BY_FAR = range(6, 12)
BY_ENERGY, BY_PAIR, BY_LEVELS, BY_PLACE, BY_INTERVAL, BY_TEXTURE, BY_SUM = range(12, 19)
BY_FIELD_BITS, BY_FIELD = 19, 20  # 12.4: PlaceBits, Place
VECTORS = (
    *(256, 256, 256, 256, 1024, 4096, 4096, 2056, 2048, 256, 256, 4096),
    *(128, 256, 729, 2048, 256, 256, 1024),
    *(4096, 256),
)


class Context(NamedTuple):
    kind: int
    number: int = 0  # j, or which Indirect
    mask: int = 0
    places: tuple[
        tuple[int, int], ...
    ] = ()  # (s, f); of Back and Phase (d, 0); of Around term, shift


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
    templates: tuple[tuple[int, int, int, int], ...]  # 8.8a: prediction, row, shift, bits


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


def around(*terms: tuple[int, int]) -> Context:
    return Context(AROUND, places=terms)


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

GREY = [
    around((W, 0), (N, 0), (NW, 0)),
    around((W, 0), (N, 0), (NW, 0), (NE, 0)),
    around((W, 0), (WW, 0)),
    around((N, 0), (NN, 0)),
    around((N, 0), (NE, 0)),
    around((X, 0), (Y, 0), (W, 4)),
    around((X, 0), (Y, 0), (N, 4)),
    around((BRIGHT, 0)),
    around((SHADES, 0)),
    around((SHADES, 0), (W, 2), (N, 2)),
    around((CORRECTED, 0), (ENERGY, 0)),
    around((X, 0), (Y, 0), (W, 6), (N, 6), (NE, 6)),
    around((W, 3), (N, 3), (NW, 4), (NE, 4), (WW, 4), (NN, 4)),
]
RICH_GREY = [
    around((W, 0), (N, 0), (NW, 0)),
    around((W, 0), (N, 0), (NW, 0), (NE, 0)),
    around((W, 0), (N, 0), (NW, 0), (NE, 0), (WW, 0), (NN, 0)),
    around((W, 0), (WW, 0)),
    around((N, 0), (NN, 0)),
    around((N, 0), (NE, 0)),
    around((N, 0), (NE, 0), (NNE, 0)),
    around((NW, 0), (NE, 0)),
    around((X, 0), (Y, 0)),
    around((X, 0), (Y, 0), (W, 4)),
    around((X, 0), (Y, 0), (N, 4)),
    around((X, 0), (Y, 0), (W, 6), (N, 6), (NE, 6)),
    around((X, 0), (Y, 0), (SHADES, 0)),
    around((BRIGHT, 0)),
    around((SHADES, 0)),
    around((SHADES, 0), (W, 0)),
    around((SHADES, 0), (W, 2), (N, 2)),
    around((BRIGHT, 0), (W, 3), (N, 3)),
    around((CORRECTED, 0), (ENERGY, 0)),
    around((CORRECTED, 0), (W, 0)),
    around((ADJUSTED, 0), (ENERGY, 0), (W, 5)),
    around((BEFORE, 0), (W, 3), (N, 3)),
    around((W, 3), (N, 3), (NW, 4), (NE, 4), (WW, 4), (NN, 4)),
    around((W, 4), (N, 4), (NW, 4), (NE, 4), (WW, 5), (NN, 5), (NNE, 5), (NEE, 5)),
]
TEMPLATES = (
    (CORRECTED, ENERGY, 0, 4),
    (MEDIAN, ENERGY, 0, 4),
    (BLENDED, TEXTURE, 0, 8),
    (ADJUSTED, ERRORS, 0, 4),
    (N, ENERGY, 0, 4),
    (W, TEXTURE, 0, 8),
    (NE, ENERGY, 0, 4),
    (FALLING, ENERGY, 0, 4),
    (NW, ENERGY, 0, 4),
    (WW, ENERGY, 0, 4),
    (W, N, 2, 6),
    (N, W, 2, 6),
    (CORRECTED, W, 2, 6),
    (CORRECTED, N, 2, 6),
    (BEFORE, ENERGY, 0, 4),
    (BLENDED, ERRORS, 0, 4),
)

# Of class 0 to 4 at level 3, 4, 5, 6, then at levels 7 and 8.
CONTEXTS = (
    (TEXT[:5], TEXT[:6], TEXT[:7], TEXT, RICH_TEXT),
    (BINARY[:5], BINARY[:6], BINARY[:7], BINARY, RICH_BINARY),
    (BINARY[:5], BINARY[:6], BINARY[:7], BILEVEL, BINARY),
    (EXECUTABLE[:5], EXECUTABLE[:7], EXECUTABLE[:9], EXECUTABLE, RICH_BINARY),
    (BINARY[:5], BINARY[:6], BINARY[:7], GREY, RICH_GREY),
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

LEAN_GREY = (BY_PARTIAL, BY_ENERGY, BY_HITS, BY_PAIR, BY_LEVELS, BY_PLACE)
RICH_GREY_SELECTORS = (*LEAN_GREY, BY_INTERVAL, BY_TEXTURE, BY_BYTE1, BY_SUM)
LEAN_RATES = ((400, 4000, 6), (150, 1000, 7))
RICH_RATES = ((200, 4000, 6), (60, 1000, 7))


def plan_of(level: int, class_: int) -> Plan:
    rich = level >= 7
    pixels = class_ == 2 and level >= 6
    plan = Plan(
        contexts=tuple(CONTEXTS[class_][min(level, 7) - 3]),
        pixels=pixels,
        table_bits=(22, 23, 24, 26, 27, 28)[level - 3],
        distances=rich,
        lengths=(5, 7, 12) if rich else (12,) if pixels else (5, 12),
        runs=level == 8,
        selectors=(RICH_PIXELS if pixels else RICH) if rich else (LEAN_PIXELS if pixels else LEAN),
        rates=RICH_RATES if rich else LEAN_RATES,
        curves=((0, 1), (1, 2), (2, 3)) if rich else ((2, 6),),
        primer=rich and class_ == 0,
        templates=(),
    )
    if class_ != 4 or level < 6:
        return plan
    sets = (SET_PLACE, SET_SHADES, SET_PREDICTION) if rich else (SET_PLACE, SET_SHADES)
    return plan._replace(
        lengths=(7, 12) if rich else (12,),
        runs=False,
        selectors=RICH_GREY_SELECTORS if rich else LEAN_GREY,
        rates=RICH_RATES,
        curves=tuple((which, 6 // len(sets)) for which in sets),
        templates=TEMPLATES if rich else TEMPLATES[:8],
    )
