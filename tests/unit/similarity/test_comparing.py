"""Distances, labels and selections by code lengths that can be worked out."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmzip.errors import UsageError
from llmzip.similarity.classification import balanced, classify, leave_one_out
from llmzip.similarity.codelength import CodeLength, State, code_length
from llmzip.similarity.distance import distances
from llmzip.similarity.documents import Document
from llmzip.similarity.selection import LONGEST, select


class Letters(State):
    """A letter that was not read yet takes 8 bits, another one 1."""

    def __init__(self, read: bytes = b"", bits: float = 0.0) -> None:
        self.read, self.bits = read, bits

    def after(self, data: bytes) -> State:
        return Letters(self.read + data, self.bits + self.costs([data])[0])

    def costs(self, documents: Sequence[bytes]) -> list[float]:
        def cost(document: bytes) -> float:
            new = set(document) - set(self.read)
            return 7.0 * len(new) + len(document)

        return [cost(document) for document in documents]


class ByLetters(CodeLength):
    name = "letters"

    def start(self, room: int) -> State:
        return Letters()


def document(name: str, data: bytes) -> Document:
    return Document(name, data)


def test_ncd_by_hand():
    found = distances([document("x", b"abcd"), document("y", b"cdefgh")], ByLetters())
    assert found.alone == (32, 48)
    assert found.given == ((4, 18), (34, 6))
    assert found.ncd[0][1] == ((32 + 34 + 48 + 18) / 2 - 32) / 48 == found.ncd[1][0]


def test_ncd_of_what_has_nothing_in_common_and_of_the_same():
    found = distances([document(n, n.encode() * 3) for n in ("a", "b")], ByLetters())
    assert found.ncd[0][1] == 1
    data = bytes(random.Random(5).choices(b"etaoin shrdlu", k=3000))
    way = code_length("cm", level=3, samples=[data])
    same = distances([document("a", data), document("b", data)], way)
    assert same.ncd[0][1] < 0.1


@settings(deadline=None, max_examples=25)
@given(st.lists(st.binary(min_size=1, max_size=80), min_size=2, max_size=4))
def test_ncd_is_symmetric_and_about_within_bounds(contents):
    documents = [document(str(n), data) for n, data in enumerate(contents)]
    found = distances(documents, code_length("cm", level=3, samples=contents, threads=1))
    for x in range(len(contents)):
        assert found.ncd[x][x] == 0
        for y in range(len(contents)):
            assert found.ncd[x][y] == found.ncd[y][x]
            assert -0.1 <= found.ncd[x][y] <= 1.4


def test_a_distance_takes_two():
    with pytest.raises(UsageError, match="two"):
        distances([document("a", b"a")], ByLetters())


def test_labels_and_margins_by_hand():
    classes = {"p": [document("1", b"ab")], "q": [document("2", b"xy"), document("3", b"c")]}
    (label,) = classify([document("?", b"abc")], classes, ByLetters())
    assert label.costs == (("p", 10), ("q", 17)) and label.label == "p"
    assert label.margin == 7 / 3
    (even,) = classify([document("?", b"zz")], classes, ByLetters())
    assert even.label == "p" and even.margin == 0


def test_leaving_one_out_reads_all_others_and_not_itself():
    # Of each letter's two documents one is left when the other is labelled; "y" and "z" have none.
    own = [document(str(n), bytes([c])) for n, c in enumerate(b"yaabbccz")]
    other = [document("a", b"\n"), document("b", b"\n")]
    found = leave_one_out({"own": own, "other": other}, ByLetters())
    costs = [dict(label.costs)["own"] for label in found.labels[:8]]
    assert costs == [8, 1, 1, 1, 1, 1, 1, 8]
    assert [label.label for label in found.labels] == ["own"] * 10
    assert (found.right, found.share) == (8, 8 / 10)
    with pytest.raises(UsageError, match="two examples"):
        leave_one_out({"own": own, "other": other[:1]}, ByLetters())


def test_balancing_cuts_to_the_smallest():
    classes = {
        "p": [document("1", b"abcdef")],
        "q": [document("2", b"x" * 4), document("3", b"y" * 9)],
    }
    found = balanced(classes)
    assert found["p"] == classes["p"]
    # One byte goes between the two.
    assert [d.data for d in found["q"]] == [b"xxxx", b"yy"]


def test_a_class_without_examples_is_refused():
    with pytest.raises(UsageError, match="class q"):
        classify([document("?", b"a")], {"p": [document("1", b"a")], "q": []}, ByLetters())
    with pytest.raises(UsageError, match="two"):
        classify([document("?", b"a")], {"p": [document("1", b"a")]}, ByLetters())


def pool(lines: list[bytes]) -> list[Document]:
    return [document(str(number), line) for number, line in enumerate(lines)]


def test_the_heap_keeps_the_best_in_order_and_the_first_of_equals():
    # The gain of a line is its share of letters of the target.
    draw = random.Random(6)
    lines = [bytes(draw.choices(b"abwxyz", k=6)) for _ in range(2000)]
    target = b"ab"
    start, primed = Letters(), Letters(target + b"\n")
    scores = [1 - primed.costs([line])[0] / start.costs([line])[0] for line in lines]
    expected = sorted(range(len(lines)), key=lambda n: (-scores[n], n))[:30]
    found = select(target, pool(lines), 30, ByLetters(), "gain")
    assert [choice.number for choice in found.chosen] == expected
    assert [choice.score for choice in found.chosen] == pytest.approx([scores[n] for n in expected])
    assert (found.seen, found.size) == (2000, 12000)
    assert len(select(target, pool(lines[:5]), 30, ByLetters(), "gain").chosen) == 5


def test_ncd_score_is_one_minus_ncd():
    target, line = b"abc", b"bcdef"
    (choice,) = select(target, pool([line]), 1, ByLetters(), "ncd").chosen
    c_t, c_x, c_tx = 24 + 8, 40, 24 + 8 + 5 + 21
    assert choice.score == pytest.approx(1 - (c_tx - c_t) / c_x)


def test_long_documents_count_by_their_beginning():
    lines = [b"a" * LONGEST + b"b" * 10, b"b"]
    found = select(b"b", pool(lines), 1, code_length("cm", level=3), "gain")
    assert found.chosen[0].number == 1
