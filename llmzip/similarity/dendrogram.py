"""Average-linkage clustering (UPGMA), and its dendrogram in characters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmzip.record import Record


class Cluster(Record):
    """A leaf, the number of an item, or two clusters that were joined at distance `height`."""

    members: tuple[int, ...]
    height: float = 0.0
    parts: tuple[Cluster, ...] = ()


def upgma(distances: Sequence[Sequence[float]]) -> Cluster:
    """The tree of a symmetric matrix of distances, of one item at least.

    Sokal & Michener 1958: the two clusters with the smallest mean distance between their members
    are joined, until one is left. Of equal distances the first counts, so the tree depends on the
    matrix alone. In it the part with the smaller height comes first, then the one with the smaller
    item.
    """
    clusters = {number: Cluster((number,)) for number in range(len(distances))}
    between = {
        (a, b): distances[a][b] for a in range(len(distances)) for b in range(a + 1, len(distances))
    }
    for fresh in range(len(distances), 2 * len(distances) - 1):
        pair = min(between, key=lambda pair: (between[pair], pair))
        height = between.pop(pair)
        one, two = (clusters.pop(number) for number in pair)
        for other in clusters:
            far = [between.pop((min(n, other), max(n, other))) for n in pair]
            sizes = len(one.members), len(two.members)
            between[other, fresh] = (far[0] * sizes[0] + far[1] * sizes[1]) / sum(sizes)
        first, second = sorted((one, two), key=lambda part: (part.height, min(part.members)))
        clusters[fresh] = Cluster(first.members + second.members, height, (first, second))
    (tree,) = clusters.values()
    return tree


def extent(tree: Cluster) -> tuple[float, float]:
    """The heights between which a tree is drawn: a little below the first joint, and the last
    one.
    """
    heights = [joint.height for joint in joints(tree)]
    low, high = min(heights, default=0.0), max(heights, default=1.0)
    return low - (0.08 * (high - low) or 0.01), high


def joints(tree: Cluster) -> list[Cluster]:
    """All clusters of a tree that have parts."""
    return [tree, *(joint for part in tree.parts for joint in joints(part))] if tree.parts else []


class Branch(Record):
    """A cluster with its place in a drawing: rows count leaves from 0, `depth` goes from 0 at the
    last joint to 1 at the leaves.
    """

    row: float
    depth: float
    cluster: Cluster
    parts: tuple[Branch, ...]


def lay_out(tree: Cluster) -> Branch:
    """The places of all clusters of a tree."""
    low, high = extent(tree)
    row = 0

    def place(cluster: Cluster) -> Branch:
        nonlocal row
        if not cluster.parts:
            row += 1
            return Branch(row - 1, 1.0, cluster, ())
        parts = tuple(place(part) for part in cluster.parts)
        middle = sum(part.row for part in parts) / len(parts)
        depth = (high - cluster.height) / (high - low)
        return Branch(middle, depth, cluster, parts)

    return place(tree)


_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_SIGNS = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"


def draw(tree: Cluster, name: Callable[[int], str], width: int = 40) -> list[str]:
    """A line for each leaf: the tree, `width` columns from the last joint to the leaves, and its
    name.
    """
    grid = [[0] * (width + 1) for _ in tree.members]

    def across(row: int, begin: int, end: int) -> None:
        for column in range(begin, end):
            grid[row][column] |= _RIGHT
            grid[row][column + 1] |= _LEFT

    def put(branch: Branch) -> tuple[int, int]:
        """Draws a branch; returns the row and column of its joint."""
        if not branch.parts:
            return int(branch.row), width
        places = [put(part) for part in branch.parts]
        column = min(round(branch.depth * (width - 1)), *(place[1] - 1 for place in places))
        column = max(column, 0)
        for row, end in places:
            across(row, column, end)
        rows = [place[0] for place in places]
        for row in range(min(rows), max(rows)):
            grid[row][column] |= _DOWN
            grid[row + 1][column] |= _UP
        return int(branch.row), column

    put(lay_out(tree))
    for line in grid:
        line[width] |= _RIGHT
    return [
        "".join(_SIGNS[cell] for cell in line) + " " + name(member)
        for line, member in zip(grid, tree.members, strict=True)
    ]
