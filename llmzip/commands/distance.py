"""`llmzip distance`."""

from __future__ import annotations

from collections.abc import Iterator

from llmzip.commands.job import Job
from llmzip.commands.outputs import Outputs, csv_text
from llmzip.commands.report import Report
from llmzip.commands.similarity import Shown, Troubles, short_names, way_of
from llmzip.errors import LlmzError, UsageError
from llmzip.similarity.dendrogram import draw
from llmzip.similarity.distance import Distances, distances
from llmzip.similarity.documents import Document, joined, read_all
from llmzip.text import printable, table

# More columns than these fit no terminal.
_MOST_COLUMNS = 20


def run(job: Job, report: Report) -> None:
    """Compare every document with every other one."""
    with Outputs(job, job.files, csv=job.csv, svg=job.svg) as outputs:
        troubles = Troubles(report)
        documents = list(_documents(job, troubles))
        troubles.end()
        if len(documents) < 2:
            more = "" if job.recursive else "; -r compares the files in a folder with each other"
            if not troubles.count:
                raise UsageError(f"a distance takes two files or folders at least{more}")
            return
        way = way_of(job, [document.data for document in documents])
        with Shown(report, "distance") as shown:
            found = distances(documents, way, shown)
        if outputs.wants("csv"):
            outputs.write("csv", csv_text(list(_rows(found))))
        if outputs.wants("svg"):
            from llmzip.similarity.picture import dendrogram_svg

            outputs.write("svg", dendrogram_svg(found, short_names(found.names, 40)))
    if job.as_json:
        report.done("distance", "", **found.as_dict())
    else:
        report.print("\n".join(_lines(found, job.verbose > 0)))


def _documents(job: Job, troubles: Troubles) -> Iterator[Document]:
    for path in job.files:
        if job.recursive:
            yield from read_all(path, troubles)
            continue
        try:
            yield joined(path, troubles)
        except (LlmzError, OSError) as error:
            troubles(path, error)


def _lines(found: Distances, verbose: bool) -> Iterator[str]:
    names = [printable(name) for name in short_names(found.names)]
    count = range(len(names))
    fits = len(names) <= _MOST_COLUMNS or verbose
    yield f"Normalized compression distances by {found.way}; C is what a document takes alone:"
    heads = names if fits else []
    rows = [("", "bytes", "C, bytes", *heads)]
    for x in count:
        sizes = (f"{found.sizes[x]:,}", f"{found.alone[x] / 8:,.0f}")
        ncd = [f"{found.ncd[x][y]:.3f}" if x != y else "-" for y in count] if fits else []
        rows.append((names[x], *sizes, *ncd))
    yield from table(rows, right=range(1, len(names) + 3))
    if not fits:
        yield f"  -v shows all distances of {len(names)} documents, --csv FILE writes them"
    if verbose:
        yield ""
        yield "Bytes of the row's document once the column's was read:"
        rows = [("", *names)]
        rows += [(names[x], *(f"{found.given[x][y] / 8:,.0f}" for y in count)) for x in count]
        yield from table(rows, right=range(1, len(names) + 1))
    yield ""
    heights = f"{found.tree.height:.3f} at its root"
    yield f"Average linkage of the distances, {heights}:"
    yield from (f"  {line}" for line in draw(found.tree, lambda number: names[number]))


def _rows(found: Distances) -> Iterator[tuple[object, ...]]:
    yield ("x", "y", "by", "bytes_x", "bytes_y", "c_x", "c_y", "c_x_given_y", "c_y_given_x", "ncd")
    for x, name in enumerate(found.names):
        for y in range(x + 1, len(found.names)):
            sizes = (found.sizes[x], found.sizes[y])
            bits = (found.alone[x], found.alone[y], found.given[x][y], found.given[y][x])
            figures = (*(round(value, 3) for value in bits), round(found.ncd[x][y], 6))
            yield (name, found.names[y], found.way, *sizes, *figures)
