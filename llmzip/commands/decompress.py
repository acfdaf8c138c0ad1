"""`llmzip decompress`."""

from __future__ import annotations

import os
from functools import partial

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.commands.transfer import transfer
from llmzip.fileio import Source
from llmzip.limits import Limits
from llmzip.output import Output
from llmzip.progress import Meter
from llmzip.reader import read_archive
from llmzip.report import Summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.base import Bases


def limits(job: Job) -> Limits:
    """The limits that `-M` sets, or the defaults."""
    return Limits() if job.memory is None else Limits(decoder_memory=job.memory)


def bases(job: Job, path: str | None) -> Bases:
    """Where the base of the archive at `path`, and its model, are looked for."""
    from llmzip.base import Bases

    beside = None if path is None else os.path.dirname(path) or "."
    return Bases(beside, job.base, model=job.model)


def run(job: Job, report: Report) -> None:
    """Decompress every input of `job`."""

    def work(source: Source, output: Output, meter: Meter) -> Summary:
        try:
            return read_archive(
                source.stream,
                output.stream,
                threads=job.threads,
                limits=limits(job),
                progress=meter,
                notice=partial(report.note, source.name),
                bases=bases(job, source.path),
            )
        except Exception:
            if not output.atomic:
                # A pipe gets what was verified before the damage.
                output.stream.flush()
            raise

    transfer(job, report, work, describe)


def describe(summary: Summary) -> str:
    """`43,012 bytes to 152,089`."""
    return f"{summary.archive_bytes:,} bytes to {summary.raw_bytes:,}"
