"""Bits per byte of documents by their dates, with bootstrap bands.

After "Evaluating Large Language Models for Generalization and Robustness via Data Compression"
(arXiv 2402.00861): text from after a model's cutoff shows what it can do; that it does better on
text from before shows what it remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from llmzip.errors import UsageError
from llmzip.record import Record
from llmzip.similarity.codelength import CodeLength

PERIODS = ("month", "quarter", "year")
_SEED = 2402_00861
RESAMPLES = 1000
# More documents than these are put together at random first, so that resampling takes a moment.
_MOST_UNITS = 2000


class Dated(Record):
    """A document with its date."""

    name: str
    date: date
    data: bytes


class Period(Record):
    """Documents of one time: how many, their bytes and bits, bits per byte of all of them together,
    and the band that 95 % of its resamples lie in.
    """

    name: str
    documents: int
    size: int
    bits: float
    mean: float
    low: float
    high: float


class Change(Record):
    """Documents from before a cutoff and from then on; `difference` is after minus before, in bits
    per byte, with its band.
    """

    cutoff: date
    before: Period
    after: Period
    difference: float
    low: float
    high: float


class Trend(Record):
    """Bits per byte by period, in order; all documents together; the change at the cutoff, if any.

    by: month, quarter or year.
    """

    way: str
    by: str
    periods: tuple[Period, ...]
    all: Period
    change: Change | None


def trend(
    documents: Sequence[Dated],
    way: CodeLength,
    *,
    by: str = "month",
    cutoff: date | None = None,
    prime: bytes = b"",
    resamples: int = RESAMPLES,
    progress: Callable[[int, int], None] | None = None,
) -> Trend:
    """The trend of documents, of which each is coded after `prime` and by itself.

    A mean is the sum of bits over the sum of bytes. Its band is of percentiles of the same in
    resamples of the documents (Efron's bootstrap), drawn by a generator with a fixed seed: the same
    documents give the same bands. A period of one document has no band but its mean.

    by: month, quarter or year. progress: called with how many documents were coded, and of how
    many. Raises `UsageError` where there are no documents, or none on one side of the cutoff.
    """
    if by not in PERIODS:
        raise UsageError(f"periods are {', '.join(PERIODS)}, not {by!r}")
    if not documents:
        raise UsageError("there are no documents with content and a date")
    state = way.start(len(prime) + max(len(document.data) for document in documents))
    if prime:
        state = state.after(prime)
    bits: list[float] = []
    batch = 64
    for begin in range(0, len(documents), batch):
        bits += state.costs([document.data for document in documents[begin : begin + batch]])
        if progress is not None:
            progress(len(bits), len(documents))
    coded = [
        (document.date, cost, len(document.data))
        for document, cost in zip(documents, bits, strict=True)
    ]
    groups: dict[str, list[tuple[float, int]]] = {}
    for when, cost, size in sorted(coded, key=lambda one: one[0]):
        groups.setdefault(period_of(when, by), []).append((cost, size))
    periods = tuple(period(name, units, resamples) for name, units in groups.items())
    everything = period("all", [(cost, size) for _, cost, size in coded], resamples)
    change = None if cutoff is None else _change(coded, cutoff, resamples)
    return Trend(way.name, by, periods, everything, change)


def period_of(when: date, by: str) -> str:
    """The name of the period that a date lies in; names sort as times do."""
    if by == "year":
        return f"{when.year:04}"
    if by == "quarter":
        return f"{when.year:04}-Q{(when.month + 2) // 3}"
    return f"{when.year:04}-{when.month:02}"


def ordinal(name: str) -> int:
    """The number of a period: that of the next one is larger by one."""
    year, _, part = name.partition("-")
    if part.startswith("Q"):
        return 4 * int(year) + int(part[1:]) - 1
    return 12 * int(year) + int(part) - 1 if part else int(year)


def period(name: str, units: Sequence[tuple[float, int]], resamples: int) -> Period:
    """What documents with these bits and bytes have together."""
    low, high = _band(bootstrap(units, resamples, name))
    bits, size = _sums(units)
    return Period(name, len(units), size, bits, bits / size, low, high)


def bootstrap(units: Sequence[tuple[float, int]], resamples: int, name: str) -> list[float]:
    """Bits per byte of resamples of units of bits and bytes, each as many as there are, in random
    order; the same for the same units and name.
    """
    from random import Random

    random = Random(f"{_SEED} {name}")
    units = list(units)
    if len(units) > _MOST_UNITS:
        random.shuffle(units)
        units = [_sums(units[first::_MOST_UNITS]) for first in range(_MOST_UNITS)]
    found = []
    for _ in range(resamples):
        bits, size = _sums(random.choices(units, k=len(units)))
        found.append(bits / size)
    return found


def _sums(units: Sequence[tuple[float, int]]) -> tuple[float, int]:
    return sum(bits for bits, _ in units), sum(size for _, size in units)


def _band(values: Sequence[float]) -> tuple[float, float]:
    """The 2.5th and the 97.5th percentile, between two values where they lie there."""
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])

    return at(0.025), at(0.975)


def _change(coded: Sequence[tuple[date, float, int]], cutoff: date, resamples: int) -> Change:
    sides = {
        f"before {cutoff}": [(cost, size) for when, cost, size in coded if when < cutoff],
        f"from {cutoff}": [(cost, size) for when, cost, size in coded if when >= cutoff],
    }
    for name, units in sides.items():
        if not units:
            raise UsageError(f"cutoff {cutoff}: there are no documents {name}")
    before, after = (period(name, units, resamples) for name, units in sides.items())
    draws = (bootstrap(units, resamples, name) for name, units in sides.items())
    low, high = _band([late - early for early, late in zip(*draws, strict=True)])
    return Change(cutoff, before, after, after.mean - before.mean, low, high)
