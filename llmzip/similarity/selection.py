"""The documents of a pool that are most like a target, by code length.

ZIP-FIT (arXiv 2410.18194) does this with gzip. Two scores, both larger for what fits better:

gain    (C(x) - C(x|T)) / C(x): the share of document x that reading the target T spares.
ncd     1 - NCD(x, T), ZIP-FIT's alignment, with the target as one text. Where the target is much
        longer than documents it grows with what they share with it in all, so with their length.

With predictor cm, gain finds more of the planted topics of bench/selection.csv.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator

from llmzip.errors import UsageError
from llmzip.record import Record
from llmzip.similarity.codelength import CodeLength, State
from llmzip.similarity.documents import Document

SCORES = ("gain", "ncd")
# Of a longer document this many bytes count, so that memory is bounded.
LONGEST = 1 << 16
# Documents that are scored at a time, and their bytes.
_BATCH, _BATCH_BYTES = 512, 1 << 22


class Choice(Record):
    """A chosen document: its score, and its number in the pool from 0."""

    score: float
    number: int
    document: Document


class Selection(Record):
    """The best documents, the best first. `seen`: how many the pool has; `size`: their bytes."""

    way: str
    score: str
    chosen: tuple[Choice, ...]
    seen: int
    size: int


def select(
    target: bytes,
    pool: Iterable[Document],
    count: int,
    way: CodeLength,
    score: str = "gain",
    progress: Callable[[int], None] | None = None,
) -> Selection:
    """The `count` documents of a pool that fit a target best; of equal scores the first ones.

    The pool is gone through once; a batch of it and the best documents are in memory. Of a
    document longer than `LONGEST` its beginning is scored. score: of `SCORES`. progress: called
    with how many documents were scored.
    """
    if score not in SCORES:
        raise UsageError(f"score {score!r}: choose of {', '.join(SCORES)}")
    if count < 1:
        raise UsageError(f"{count} documents: at least one")
    if not target:
        raise UsageError("the target has no content")
    start = way.start(len(target) + 1 + LONGEST)
    primed = start.after(target + b"\n")
    best: list[tuple[float, int, Document]] = []
    seen = size = 0
    for batch in _batches(pool):
        contents = [document.data[:LONGEST] for document in batch]
        values = _scores(score, start, primed, contents)
        for document, value in zip(batch, values, strict=True):
            # Negative numbers: of equal scores the later document goes.
            entry = (value, -seen, document)
            if len(best) < count:
                heapq.heappush(best, entry)
            elif entry[:2] > best[0][:2]:
                heapq.heapreplace(best, entry)
            seen += 1
            size += len(document.data)
        if progress is not None:
            progress(seen)
    best.sort(key=lambda entry: entry[:2], reverse=True)
    chosen = tuple(Choice(value, -place, document) for value, place, document in best)
    return Selection(way.name, score, chosen, seen, size)


def _scores(score: str, start: State, primed: State, contents: list[bytes]) -> list[float]:
    def gain(alone: float, after: float) -> float:
        return (alone - after) / alone if alone > 0 else 0.0

    def alignment(alone: float, after: float) -> float:
        # With C(Tx) = C(T) + C(x|T).
        most = max(primed.bits, alone)
        return 1 - (primed.bits + after - min(primed.bits, alone)) / most if most > 0 else 0.0

    value = gain if score == "gain" else alignment
    return list(map(value, start.costs(contents), primed.costs(contents)))


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.data)
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
