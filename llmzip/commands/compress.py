"""`llmzip compress`."""

from __future__ import annotations

from functools import partial

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.commands.transfer import sizes, transfer
from llmzip.fileio import Source
from llmzip.options import DEFAULT_LEVEL, Options
from llmzip.output import Output
from llmzip.progress import Meter
from llmzip.report import Summary
from llmzip.text import about, memory
from llmzip.writer import write_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.base import Base
    from llmzip.estimate import Estimate

# Jobs that are expected to take longer say so before they start.
LONG_SECONDS = 60.0


def run(job: Job, report: Report) -> None:
    """Compress every input of `job`."""
    options = Options(
        level=job.level or DEFAULT_LEVEL,
        predictor=job.predictor,
        threads=job.threads,
        verify=job.verify,
        memory=job.memory,
    )

    def work(source: Source, output: Output, meter: Meter) -> Summary:
        if source.size is not None:
            _announce(source.name, source.size, options, report, job.verbose > 0)
        base = _base(job, source)
        try:
            return write_archive(
                source.stream,
                output.stream,
                options,
                total=source.size,
                progress=meter,
                notice=partial(report.note, source.name),
                base=base,
            )
        finally:
            if base is not None:
                base.close()

    transfer(job, report, work, sizes)


def _base(job: Job, source: Source) -> Base | None:
    if job.base is None:
        return None
    from llmzip.base import base_for

    return base_for(job.base, source.name)


def _announce(name: str, size: int, options: Options, report: Report, verbose: bool) -> None:
    """Say what a long job will take, and which level is done sooner."""
    if not (report.shows_progress or verbose):
        return
    expected = _seconds(size, options.level, options)
    if expected is None or expected.seconds <= LONG_SECONDS:
        return
    line = (
        f"about {about(expected.seconds)} and {memory(expected.memory)} of memory "
        f"at level {options.level}"
    )
    for level in range(options.level - 1, 0, -1):
        faster = _seconds(size, level, options)
        if faster is not None and faster.seconds <= max(LONG_SECONDS, expected.seconds / 4):
            line += f"; -{level} takes about {about(faster.seconds)}"
            break
    report.say(name, line)


def _seconds(size: int, level: int, options: Options) -> Estimate | None:
    """What the whole job takes; decoding what was written takes as long as writing it."""
    from llmzip.estimate import estimate

    coding = estimate(size, level, options.predictor, options.threads)
    if coding is None or not options.verify:
        return coding
    return coding.replace(seconds=2 * coding.seconds)
