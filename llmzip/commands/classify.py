"""`llmzip classify`."""

from __future__ import annotations

from collections.abc import Iterator

from llmzip.commands.job import Job
from llmzip.commands.outputs import Outputs, csv_text
from llmzip.commands.report import Report
from llmzip.commands.similarity import Shown, Troubles, way_of
from llmzip.errors import UsageError
from llmzip.similarity.classification import Accuracy, Label, balanced, classify, leave_one_out
from llmzip.similarity.documents import Document, EmptyError, read_all
from llmzip.text import printable, table

# Classes whose examples differ by more than this factor are told of.
_UNEVEN = 3


def run(job: Job, report: Report) -> None:
    """Label every file, or every example by the others."""
    with Outputs(job, job.files, csv=job.csv) as outputs:
        _run(job, report, outputs)


def _run(job: Job, report: Report, outputs: Outputs) -> None:
    troubles = Troubles(report)
    classes = _classes(job.classes, troubles)
    documents: list[Document] = []
    if not job.leave_one_out:
        documents = [found for path in job.files for found in read_all(path, troubles)]
    troubles.end()
    empty = [name for name, examples in classes.items() if not examples]
    if empty:
        raise EmptyError(f"class {printable(empty[0])} has no examples that can be read")
    if not documents and not job.leave_one_out:
        return
    if job.balance:
        classes = balanced(classes)
    else:
        _tell_uneven(classes, report)
    samples = [d.data for examples in classes.values() for d in examples]
    way = way_of(job, samples + [document.data for document in documents])
    with Shown(report, "classify") as shown:
        if job.leave_one_out:
            accuracy = leave_one_out(classes, way, shown)
            labels = accuracy.labels
        else:
            labels = classify(documents, classes, way, shown)
    if outputs.wants("csv"):
        outputs.write("csv", csv_text(list(_rows(labels, list(classes), way.name))))
    if job.as_json:
        for label in labels:
            facts = label.as_dict() | {"costs": dict(label.costs), "by": way.name}
            report.done(facts.pop("name"), "", **facts)
        if job.leave_one_out:
            report.done(
                "leave-one-out", "", right=accuracy.right, of=len(labels), accuracy=accuracy.share
            )
    elif job.leave_one_out:
        report.print("\n".join(_accuracy(accuracy, list(classes), job.verbose > 0)))
    else:
        report.print("\n".join(_lines(labels, list(classes), way.name)))


def _classes(given: tuple[str, ...], troubles: Troubles) -> dict[str, list[Document]]:
    """Examples by class; a name that is given again adds to its class."""
    classes: dict[str, list[Document]] = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not (name and equals and path):
            raise UsageError(f"--class {one!r}: write NAME=PATH")
        classes.setdefault(name, []).extend(read_all(path, troubles))
    if len(classes) < 2:
        raise UsageError("classify takes two classes at least: --class NAME=PATH for each")
    return classes


def _tell_uneven(classes: dict[str, list[Document]], report: Report) -> None:
    sizes = {name: sum(len(d.data) for d in found) for name, found in classes.items()}
    most, least = max(sizes, key=lambda n: sizes[n]), min(sizes, key=lambda n: sizes[n])
    if sizes[most] > _UNEVEN * sizes[least]:
        report.say(
            "classify",
            f"class {most} has {sizes[most]:,} bytes of examples, {least} {sizes[least]:,}, which "
            "favours the larger one; --balance cuts all to the smallest",
        )


def _lines(labels: tuple[Label, ...], classes: list[str], way: str) -> Iterator[str]:
    yield f"Bytes that each file takes after the examples of a class, by {way}:"
    rows = [("file", "class", "margin", *map(printable, classes))]
    for label in labels:
        costs = [f"{cost / 8:,.0f}" for _, cost in label.costs]
        rows.append((printable(label.name), printable(label.label), f"{label.margin:.3f}", *costs))
    yield from table(rows, right=range(2, len(classes) + 3))
    yield "  margin: bits per byte that the second best class is worse"


def _accuracy(found: Accuracy, classes: list[str], verbose: bool) -> Iterator[str]:
    total = len(found.labels)
    share = f"{100 * found.share:.1f} %"
    yield f"{found.right:,} of {total:,} labels are right, {share}, by {found.way}:"
    rows = [("class", "examples", "right", *(f"as {printable(name)}" for name in classes))]
    for truth in classes:
        own = [label for label in found.labels if label.truth == truth]
        told = [sum(label.label == name for label in own) for name in classes]
        right = told[classes.index(truth)] / len(own)
        rows.append((printable(truth), f"{len(own):,}", f"{100 * right:.1f} %", *map(str, told)))
    yield from table(rows, right=range(1, len(classes) + 3))
    if verbose:
        for label in found.labels:
            if label.label != label.truth:
                wrong = f"{label.label}, not {label.truth}, by {label.margin:.3f} bits/byte"
                yield f"  {printable(label.name)}: {printable(wrong)}"


def _rows(labels: tuple[Label, ...], classes: list[str], way: str) -> Iterator[tuple[object, ...]]:
    yield ("file", "class", "truth", "by", "margin", "bytes", *(f"bits_{name}" for name in classes))
    for label in labels:
        costs = [cost for _, cost in label.costs]
        truth = label.truth or ""
        yield (label.name, label.label, truth, way, label.margin, label.size, *costs)
