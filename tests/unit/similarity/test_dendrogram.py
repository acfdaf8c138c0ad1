"""UPGMA against a matrix worked out by hand, and the drawing of its tree."""

from __future__ import annotations

import random

import pytest

from llmzip.similarity.dendrogram import Cluster, draw, extent, joints, lay_out, upgma
from llmzip.similarity.picture import ticks

# The 5S ribosomal RNA example that textbooks use: a, b, c, d, e.
MATRIX = [
    [0, 17, 21, 31, 23],
    [17, 0, 30, 34, 21],
    [21, 30, 0, 28, 39],
    [31, 34, 28, 0, 43],
    [23, 21, 39, 43, 0],
]


def shape(tree: Cluster) -> object:
    return tuple(map(shape, tree.parts)) if tree.parts else "abcde"[tree.members[0]]


def test_upgma_by_hand():
    tree = upgma(MATRIX)
    assert sorted(joint.height for joint in joints(tree)) == [17, 22, 28, 33]
    assert shape(tree) == ((("e", ("a", "b"))), ("c", "d"))


def test_upgma_weighs_members_alike():
    # c is at 2 of a and b each, d is at 6, 6 and 9: their mean is 7, not 7.5.
    matrix = [[0, 1, 2, 6], [1, 0, 2, 6], [2, 2, 0, 9], [6, 6, 9, 0]]
    assert upgma(matrix).height == 7


def test_of_equal_distances_the_first_counts():
    matrix = [[0 if x == y else 5 for y in range(4)] for x in range(4)]
    assert upgma(matrix) == upgma([row[:] for row in matrix])
    assert {joint.height for joint in joints(upgma(matrix))} == {5}
    assert joints(upgma(matrix))[0].members.index(0) < 4


def test_one_item_and_two():
    assert upgma([[0]]) == Cluster((0,))
    assert upgma([[0, 3], [3, 0]]) == Cluster((0, 1), 3, (Cluster((0,)), Cluster((1,))))
    assert [line.split()[-1] for line in draw(upgma([[0]]), str)] == ["0"]


def test_drawing():
    lines = draw(upgma(MATRIX), lambda n: "abcde"[n], width=12)
    assert [line[-1] for line in lines] == list("eabcd")
    assert all(line[-2] == " " and line[-3] == "─" for line in lines)
    assert [line[:-2] for line in lines] == [
        "┌──────┬─────",
        "│      └──┬──",
        "│         └──",
        "└──┬─────────",
        "   └─────────",
    ]


def test_drawing_of_random_trees_has_all_leaves_and_monotone_joints():
    draws = random.Random(4)
    for size in (2, 3, 9, 30):
        matrix = [[0.0] * size for _ in range(size)]
        for x in range(size):
            for y in range(x):
                matrix[x][y] = matrix[y][x] = 0.5 + draws.random() / 2
        tree = upgma(matrix)
        assert sorted(tree.members) == list(range(size))
        for joint in joints(tree):
            assert all(part.height <= joint.height for part in joint.parts)
        lines = draw(tree, str)
        assert [int(line.split()[-1]) for line in lines] == list(tree.members)
        low, high = extent(tree)
        assert low < min(joint.height for joint in joints(tree)) and high == tree.height
        root = lay_out(tree)
        assert root.depth == 0


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.71, 0.94, [0.75, 0.8, 0.85, 0.9]),
        (1.98, 2.02, [1.98, 1.99, 2.0, 2.01, 2.02]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)
