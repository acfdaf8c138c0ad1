"""`llmzip select`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from llmzip.commands.job import Job
from llmzip.commands.outputs import Outputs, csv_text
from llmzip.commands.report import Report
from llmzip.commands.similarity import Shown, Troubles, way_of
from llmzip.similarity.documents import JSON_LINES, DocumentError, EmptyError, join, pool, read_all
from llmzip.similarity.selection import Choice, select
from llmzip.text import printable, table

# Thousands of documents are scored in seconds; what higher levels add is little.
LEVEL = 3
_SAMPLES = 64


def run(job: Job, report: Report) -> None:
    """Pick the documents of a pool that fit a target best."""
    assert job.target is not None and job.pool is not None and job.count is not None
    inputs = [job.target, job.pool]
    with Outputs(job, inputs, csv=job.csv, output=job.output) as outputs:
        troubles = Troubles(report)
        target = _target(job.target, job.text_field, troubles)
        documents = pool(job.pool, job.text_field, troubles)
        first = list(islice(documents, _SAMPLES))
        samples = [target, *(document.data for document in first)]
        way = way_of(job, samples, LEVEL)
        score = job.score or ("ncd" if job.predictor == "gzip" else "gain")
        with Shown(report, "select") as shown:
            found = select(target, chain(first, documents), job.count, way, score, shown)
        troubles.end()
        if not found.seen:
            raise EmptyError(f"pool {printable(job.pool)} has no documents")
        if outputs.wants("output"):
            outputs.write("output", _lines(found.chosen, report))
        if outputs.wants("csv"):
            outputs.write("csv", csv_text(list(_rows(found.chosen))))
    if job.as_json:
        chosen = [
            {"number": c.number, "name": c.document.name, "score": c.score} for c in found.chosen
        ]
        facts = {"by": found.way, "score": score, "documents": found.seen, "raw_bytes": found.size}
        report.done(job.pool, "", target=job.target, **facts, chosen=chosen)
    elif not job.output:
        about = f"{len(found.chosen):,} of {found.seen:,} documents, by {found.way}, {score}:"
        report.print("\n".join([about, *_table(found.chosen)]))


def _target(path: str, field: str, troubles: Troubles) -> bytes:
    if path.lower().endswith(JSON_LINES):
        texts = [document.data for document in pool(path, field, troubles)]
    else:
        texts = [document.data for document in read_all(path, troubles)]
    if not texts:
        raise EmptyError(f"target {printable(path)} has no content")
    return join(texts)


def _table(chosen: tuple[Choice, ...]) -> Iterator[str]:
    rows = [("score", "number", "bytes", "name")]
    for choice in chosen:
        size = f"{len(choice.document.data):,}"
        name = printable(choice.document.name)
        rows.append((f"{choice.score:.4f}", f"{choice.number:,}", size, name))
    return table(rows, right={0, 1, 2})


def _rows(chosen: tuple[Choice, ...]) -> Iterator[tuple[object, ...]]:
    yield ("number", "score", "bytes", "name")
    for choice in chosen:
        document = choice.document
        yield (choice.number, choice.score, len(document.data), document.name)


def _lines(chosen: tuple[Choice, ...], report: Report) -> bytes:
    """Chosen documents as JSON lines: those that they were, or their names and texts."""
    import json

    lines = []
    for choice in chosen:
        line = choice.document.line
        if line is None:
            try:
                facts = {"name": choice.document.name, "text": choice.document.data.decode()}
            except UnicodeDecodeError:
                error = DocumentError("is not UTF-8, which JSON has to be: not written")
                report.error(choice.document.name, error)
                continue
            line = json.dumps(facts).encode()
        lines.append(line + b"\n")
    return b"".join(lines)
