"""Normalised compression distances between documents, and the code lengths that they are made
of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmzip.errors import UsageError
from llmzip.record import Record
from llmzip.similarity.codelength import CodeLength
from llmzip.similarity.dendrogram import Cluster, upgma
from llmzip.similarity.documents import Document


class Distances(Record):
    """What is between documents, each numbered as in `names`.

    way: by which code length. sizes: bytes. alone: bits of each, C(x). given: `given[x][y]` are the
    bits of x once y was read, C(x|y); C(x|x) on the diagonal. ncd: the symmetric matrix of
    distances, with zeros on its diagonal. tree: their clusters by average linkage (UPGMA).
    """

    way: str
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    alone: tuple[float, ...]
    given: tuple[tuple[float, ...], ...]
    ncd: tuple[tuple[float, ...], ...]
    tree: Cluster


def distances(
    documents: Sequence[Document],
    way: CodeLength,
    progress: Callable[[int, int], None] | None = None,
) -> Distances:
    """The distance of each of two or more documents, none empty, to each other.

    NCD(x, y) = (C(xy) - min(C(x), C(y))) / max(C(x), C(y)), as in Cilibrasi & Vitanyi, "Clustering
    by Compression" (2005), where C(xy) is the mean of both orders: of C(x) + C(y|x) and C(y) +
    C(x|y).

    progress: called with how many documents were read, and of how many. Memory: two models a
    thread.
    """
    if len(documents) < 2:
        raise UsageError("a distance takes two documents at least")
    contents = [document.data for document in documents]
    longest = max(map(len, contents))
    start = way.start(2 * longest)
    alone = start.costs(contents)
    # after[y][x] = C(x|y).
    after = []
    for number, content in enumerate(contents, 1):
        after.append(start.after(content).costs(contents))
        if progress is not None:
            progress(number, len(contents))
    count = range(len(contents))
    ncd = [[normalised(alone, after, x, y) if x != y else 0.0 for y in count] for x in count]
    return Distances(
        way.name,
        tuple(document.name for document in documents),
        tuple(map(len, contents)),
        tuple(alone),
        tuple(tuple(after[y][x] for y in count) for x in count),
        tuple(map(tuple, ncd)),
        upgma(ncd),
    )


def normalised(alone: Sequence[float], after: Sequence[Sequence[float]], x: int, y: int) -> float:
    """NCD of documents `x` and `y`; `after[y][x]` is C(x|y)."""
    # Sorted, so that both ways round give the same float.
    a, b = sorted((x, y))
    both = (alone[a] + after[a][b] + alone[b] + after[b][a]) / 2
    most = max(alone[a], alone[b])
    return (both - min(alone[a], alone[b])) / most if most > 0 else 0.0
