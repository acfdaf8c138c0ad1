"""Labels by code length: a document belongs to the class whose examples make it shortest.

Frank, Chui & Witten, "Text categorization using compression models" (2000); Knoll & de Freitas,
"A machine learning perspective on predictive coding with PAQ8" (2012).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from llmzip.errors import UsageError
from llmzip.record import Record
from llmzip.similarity.codelength import CodeLength, State
from llmzip.similarity.documents import Document, join


class Label(Record):
    """The class of one document.

    costs: bits of the document after the examples of each class, by name in the given order.
    margin: by how many bits a byte of the document the second best class is worse. truth: its
    class, where this was known.
    """

    name: str
    label: str
    margin: float
    size: int
    costs: tuple[tuple[str, float], ...]
    truth: str | None = None


class Accuracy(Record):
    """How often labels were right, of documents each of which was left out of its class's
    examples.
    """

    way: str
    labels: tuple[Label, ...]

    @property
    def right(self) -> int:
        """How many labels were right."""
        return sum(label.label == label.truth for label in self.labels)

    @property
    def share(self) -> float:
        """Their share of all."""
        return self.right / len(self.labels)


def classify(
    documents: Sequence[Document],
    classes: Mapping[str, Sequence[Document]],
    way: CodeLength,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Label, ...]:
    """A label for each document: the class with the smallest C(document|examples).

    classes: two or more, each with its examples, which are read in order. Costs of one document are
    compared as they are; its own length is the same for all classes. A class with many more
    examples has an advantage that is no likeness: see `balanced`. Of equal costs the first class
    counts. progress: called with how many classes were read, and of how many.
    """
    _check(classes)
    contents = [document.data for document in documents]
    longest = max(map(len, contents), default=0)
    start = way.start(longest + max(_size(examples) for examples in classes.values()))
    costs: dict[str, list[float]] = {}
    for name, examples in classes.items():
        costs[name] = _primed(start, examples).costs(contents)
        if progress is not None:
            progress(len(costs), len(classes))
    return tuple(
        label_of(document, {name: found[number] for name, found in costs.items()})
        for number, document in enumerate(documents)
    )


def leave_one_out(
    classes: Mapping[str, Sequence[Document]],
    way: CodeLength,
    progress: Callable[[int, int], None] | None = None,
) -> Accuracy:
    """Labels of all examples, each by all others.

    A class of n examples is read log2(n) times, not n times: what half of them left is kept while
    the other half is gone through. So others than the document itself are read in another order for
    each. progress: called with how many documents have their label, and of how many.
    """
    _check(classes)
    for name, examples in classes.items():
        if len(examples) < 2:
            raise UsageError(f"class {name}: to leave one out there must be two examples at least")
    longest = max(len(d.data) for examples in classes.values() for d in examples)
    start = way.start(longest + max(_size(examples) for examples in classes.values()))
    total = sum(map(len, classes.values()))
    costs: dict[str, dict[str, list[float]]] = {name: {} for name in classes}
    for read, examples in classes.items():
        state = _primed(start, examples)
        for name, others in classes.items():
            if name != read:
                costs[name][read] = state.costs([document.data for document in others])
    labels = []
    for name, examples in classes.items():
        costs[name][name] = _each_left_out(start, examples)
        for number, document in enumerate(examples):
            # In the order of the classes, which decides between equals.
            of = {read: costs[name][read][number] for read in classes}
            labels.append(label_of(document, of, name))
        if progress is not None:
            progress(len(labels), total)
    return Accuracy(way.name, tuple(labels))


def balanced(classes: Mapping[str, Sequence[Document]]) -> dict[str, list[Document]]:
    """The classes with as many bytes of examples each as the smallest one has.

    The first examples of each are kept; the last of these is cut.
    """
    least = min(_size(examples) for examples in classes.values())
    found: dict[str, list[Document]] = {}
    for name, examples in classes.items():
        left = least
        found[name] = []
        for document in examples:
            if left > 0:
                found[name].append(document.replace(data=document.data[:left]))
            left -= len(document.data) + 1
    return found


def label_of(document: Document, costs: Mapping[str, float], truth: str | None = None) -> Label:
    """The label that costs give."""
    best = min(costs, key=lambda name: costs[name])
    second = min(cost for name, cost in costs.items() if name != best)
    size = len(document.data)
    margin = (second - costs[best]) / size if size else 0.0
    return Label(document.name, best, margin, size, tuple(costs.items()), truth)


def _check(classes: Mapping[str, Sequence[Document]]) -> None:
    if len(classes) < 2:
        raise UsageError("a label takes two classes at least")
    for name, examples in classes.items():
        if not _size(examples):
            raise UsageError(f"class {name} has no examples")


def _size(examples: Sequence[Document]) -> int:
    """Bytes that reading all of them takes, as `join` puts them together, and what follows them."""
    return sum(len(document.data) + 1 for document in examples)


def _primed(state: State, examples: Sequence[Document]) -> State:
    return state.after(join([*(document.data for document in examples), b""]))


def _each_left_out(state: State, examples: Sequence[Document]) -> list[float]:
    """Of each example the bits that it takes after `state` and all others."""
    if len(examples) == 1:
        return state.costs([examples[0].data])
    half = len(examples) // 2
    left, right = examples[:half], examples[half:]
    return [
        *_each_left_out(_primed(state, right), left),
        *_each_left_out(_primed(state, left), right),
    ]
