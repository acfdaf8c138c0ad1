"""`llmzip decompress`."""

from __future__ import annotations

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


def limits(job: Job) -> Limits:
    """The limits that `-M` sets, or the defaults."""
    return Limits() if job.memory is None else Limits(decoder_memory=job.memory)


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
