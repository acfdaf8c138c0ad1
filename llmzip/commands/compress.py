"""`llmzip compress`."""

from __future__ import annotations

import os
from functools import partial

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.commands.transfer import sizes, transfer
from llmzip.fileio import SUFFIX, Source
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
    from llmzip.siblings import Folder

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

    folders = _Folders(job.base) if job.recursive and not job.standalone else None

    def work(source: Source, output: Output, meter: Meter) -> Summary:
        if source.size is not None:
            _announce(source.name, source.size, options, report, job.verbose > 0)
        base = _base(job, source)
        folder = folders.of(output.name) if folders and output.atomic else None
        try:
            summary = write_archive(
                source.stream,
                output.stream,
                options,
                total=source.size,
                progress=meter,
                notice=partial(report.note, source.name),
                base=base,
                folder=folder,
            )
        finally:
            if base is not None:
                base.close()
        if summary.needs:
            names = ", ".join(f"{name}{SUFFIX}" for name in summary.needs)
            report.say(
                source.name,
                f"has tensors of {names}: its archive cannot be decompressed without; "
                "--standalone makes one that can",
            )
        return summary

    transfer(job, report, work, sizes, folders.add if folders else lambda path: None)


class _Folders:
    """What the call has written, by folder."""

    def __init__(self, base: str | None) -> None:
        self._base = base
        self._folders: dict[str, Folder] = {}

    def of(self, path: str) -> Folder:
        """The folder of the output `path`."""
        from llmzip.siblings import Folder

        return self._folders.setdefault(os.path.dirname(path), Folder(self._base))

    def add(self, path: str) -> None:
        """The output `path` is complete."""
        self.of(path).add(path)


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
