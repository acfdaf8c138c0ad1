"""`llmzip trend`."""

from __future__ import annotations

from collections.abc import Iterator

from llmzip.commands.job import Job
from llmzip.commands.outputs import Outputs, csv_text
from llmzip.commands.report import Report
from llmzip.commands.similarity import Shown, Troubles, way_of
from llmzip.errors import LlmzError, UsageError
from llmzip.similarity.dates import of_files, of_json_lines, parse
from llmzip.similarity.documents import EmptyError, join, read_all
from llmzip.similarity.trend import Change, Dated, Period, Trend, trend
from llmzip.text import table


def run(job: Job, report: Report) -> None:
    """Bits per byte of documents by their dates."""
    inputs = [*job.files, *(path for path in (job.jsonl, job.prime) if path is not None)]
    with Outputs(job, inputs, csv=job.csv, svg=job.svg) as outputs:
        troubles = Troubles(report)
        try:
            cutoff = None if job.cutoff is None else parse(job.cutoff)
        except LlmzError as error:
            raise UsageError(f"--cutoff: {error}") from None
        documents = _documents(job, troubles)
        prime = b""
        if job.prime is not None:
            prime = join([document.data for document in read_all(job.prime, troubles)])
            if not prime:
                raise EmptyError(f"prime {job.prime} has no content")
        troubles.end()
        if not documents:
            if not troubles.count:
                raise UsageError("there are no documents")
            return
        way = way_of(job, [document.data for document in documents])
        with Shown(report, "trend") as shown:
            found = trend(documents, way, by=job.by, cutoff=cutoff, prime=prime, progress=shown)
        if outputs.wants("csv"):
            outputs.write("csv", csv_text(list(_rows(found))))
        if outputs.wants("svg"):
            from llmzip.similarity.picture import trend_svg

            outputs.write("svg", trend_svg(found))
    if job.as_json:
        facts = found.as_dict()
        if found.change is not None:
            facts["change"]["cutoff"] = str(found.change.cutoff)
        report.done("trend", "", **facts)
    else:
        report.print("\n".join(_lines(found)))


def _documents(job: Job, troubles: Troubles) -> list[Dated]:
    found: list[Dated] = []
    if job.jsonl is not None:
        found += of_json_lines(job.jsonl, job.date_field, job.text_field, troubles)
    files = [path for path in job.files if path != "-"]
    found += of_files(files, job.dates, troubles)
    return found


def _lines(found: Trend) -> Iterator[str]:
    yield f"Bits per byte by {found.way}, each document by itself; bands of 95 %:"
    rows = [["period", "documents", "bytes", "bits/byte", "from", "to"]]
    rows += [_row(period) for period in (*found.periods, found.all)]
    yield from table(rows, right=range(1, 6))
    if found.change is not None:
        yield from _change(found.change)


def _change(change: Change) -> Iterator[str]:
    yield ""
    rows = [["", "documents", "bytes", "bits/byte", "from", "to"]]
    rows += [_row(change.before), _row(change.after)]
    band = (f"{change.difference:+.4f}", f"{change.low:+.4f}", f"{change.high:+.4f}")
    yield from table([*rows, ["difference", "", "", *band]], right=range(1, 6))


def _row(period: Period) -> list[str]:
    counts = (f"{period.documents:,}", f"{period.size:,}")
    return [period.name, *counts, *(f"{v:.4f}" for v in (period.mean, period.low, period.high))]


def _rows(found: Trend) -> Iterator[tuple[object, ...]]:
    yield ("period", "by", "documents", "bytes", "bits", "bits_per_byte", "low", "high")
    sides = () if found.change is None else (found.change.before, found.change.after)
    for one in (*found.periods, found.all, *sides):
        figures = (one.documents, one.size, one.bits, one.mean, one.low, one.high)
        yield (one.name, found.way, *figures)
    if found.change is not None:
        change = found.change
        yield ("difference", found.way, "", "", "", change.difference, change.low, change.high)
