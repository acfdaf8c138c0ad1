"""`llmzip explain`."""

from __future__ import annotations

import os
import time

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.explain.explaining import DEFAULT_BYTES, explain
from llmzip.explain.lines import lines
from llmzip.fileio import NotAFileError, identities
from llmzip.options import DEFAULT_LEVEL
from llmzip.output import open_output
from llmzip.progress import REDRAW_SECONDS, Line
from llmzip.streams import write_all
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.explain.results import Explained


def run(job: Job, report: Report) -> None:
    """Tell where the bits of each file go; one that fails does not keep the others."""
    for number, path in enumerate(job.files):
        name = "standard input" if path == "-" else path
        line = Line(report.shows_progress)
        try:
            found = _explain(job, path, name, line)
            line.clear()
            if job.output is not None:
                _write(job, path, found)
            if job.as_json:
                report.done(name, "", **found.as_dict())
            elif job.output != "-":
                report.print(("\n" if number else "") + "\n".join(lines(found)))
        except Exception as error:
            line.clear()
            report.error(name, error)


def _explain(job: Job, path: str, name: str, line: Line) -> Explained:
    drawn = 0.0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal drawn
        if time.monotonic() - drawn >= REDRAW_SECONDS:
            drawn = time.monotonic()
            line.show(f"{what}: {done:,} of {total:,}  {printable(name)}")

    return explain(
        _content(path),
        level=job.level or DEFAULT_LEVEL,
        predictor=job.predictor,
        model=job.model,
        begin=job.begin,
        length=job.limit or DEFAULT_BYTES,
        base=job.base,
        threads=job.threads,
        progress=progress,
        name=name,
    )


def _content(path: str) -> str | bytes:
    if path == "-":
        import sys

        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("explain needs a file")
        return sys.stdin.buffer.read()
    if os.path.isdir(path):
        raise NotAFileError("is a folder; name the files in it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise NotAFileError("is no regular file; use - for what comes from a pipe")
    return path


def _write(job: Job, path: str, found: Explained) -> None:
    from llmzip.explain.page import page

    assert job.output is not None
    text = page(found).encode()
    if job.output == "-":
        import sys

        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        return
    inputs = identities([path]) if path != "-" else ()
    with open_output(job.output, archive=False, force=job.force, inputs=inputs) as output:
        write_all(output.stream, text)
        output.commit()
