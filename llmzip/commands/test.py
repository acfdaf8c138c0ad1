"""`llmzip test`."""

from __future__ import annotations

from functools import partial

from llmzip.commands.decompress import bases, limits
from llmzip.commands.files import gather
from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.commands.transfer import facts_of, sizes
from llmzip.fileio import Source
from llmzip.progress import Meter
from llmzip.reader import check_coded, read_archive
from llmzip.text import printable


def run(job: Job, report: Report) -> None:
    """Test every archive of `job`; a damaged one does not stop the others."""
    for item in gather(job, report):
        name = "standard input" if item.path == "-" else item.path
        try:
            with Source(
                item.path, archive=True, to_file=False, links=True, console=job.force
            ) as source:
                meter = Meter(printable(name), report.shows_progress)
                try:
                    if job.quick:
                        summary = check_coded(source.stream)
                    else:
                        summary = read_archive(
                            source.stream,
                            None,
                            threads=job.threads,
                            limits=limits(job),
                            progress=meter,
                            notice=partial(report.note, name),
                            bases=bases(job, source.path),
                        )
                finally:
                    meter.close()
        except Exception as error:
            report.error(name, error)
            continue
        checked = "coded bytes intact, nothing decoded" if job.quick else "ok"
        report.done(
            name,
            f"{checked}; {sizes(summary)}",
            quick=job.quick,
            seconds=round(meter.seconds, 3),
            **facts_of(summary),
        )
