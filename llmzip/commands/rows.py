"""`llmzip rows`."""

from __future__ import annotations

from llmzip.commands import decompress
from llmzip.commands.cat import open_target
from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.fileio import Source
from llmzip.streams import write_all
from llmzip.table import iter_rows


def run(job: Job, report: Report) -> None:
    """Write some of the lines of an archive's content."""
    path, wanted = job.files
    try:
        start, stop = _range(wanted)
        with Source(path, archive=True, to_file=False, links=True, console=False) as source:
            if source.path is None or not source.regular:
                raise UsageError("rows can be read out of a file alone, not out of a pipe")
            bases = decompress.bases(job, source.path)
            count = 0
            with open_target(job, path) as output:
                for line in iter_rows(source.stream, start, stop, decompress.limits(job), bases):
                    write_all(output.stream, line)
                    count += 1
                source.check_unchanged()
                output.commit()
    except Exception as error:
        report.error(path, error)
        return
    report.done(path, f"{path}: {count:,} rows", rows=count, start=start, output=output.name)


def _range(text: str) -> tuple[int, int | None]:
    """`5`, `5:`, `:7` or `5:7`; rows count from 0, and the last one is not included."""
    start, colon, stop = text.partition(":")
    given = [part for part in (start, stop) if part]
    if not given or not all(part.isascii() and part.isdigit() for part in given):
        raise UsageError(f"{text!r} names no rows; write for example 1000:2000, 1000: or 1000")
    first = int(start or "0")
    if not colon:
        return first, first + 1
    return first, int(stop) if stop else None
