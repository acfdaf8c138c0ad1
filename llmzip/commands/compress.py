"""`llmzip compress`."""

from __future__ import annotations

import os
from functools import partial

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.commands.transfer import sizes, transfer
from llmzip.fileio import SUFFIX, Source
from llmzip.options import DEFAULT_LEVEL, Options, load_model
from llmzip.output import Output
from llmzip.progress import Meter
from llmzip.report import Summary
from llmzip.text import about, memory, quantity
from llmzip.writer import planned, write_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from llmzip.base import Base
    from llmzip.estimate import Estimate
    from llmzip.models.loaded import Loaded
    from llmzip.pieces import Piece
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
        model=job.model,
        adapt=job.adapt,
        segments=job.segments,
        embed_model=job.embed_model,
    )
    # Held here, so that it is read once for all files.
    model = load_model(options.model, options.threads)

    folders = _Folders(job.base) if job.recursive and not job.standalone else None

    def work(source: Source, output: Output, meter: Meter) -> Summary:
        if model is not None and not model.is_circuit:
            if not job.quiet:
                _announce_model(source, options, model, report)
        else:
            _announce(source, options, report, job.verbose > 0)
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
        if folders:
            folders.needs(output.name, summary)
        return summary

    if folders is None:
        transfer(job, report, work, sizes)
        return
    try:
        transfer(job, report, work, sizes, folders.add)
    finally:
        # Last, and after a failure too: inputs may be gone, and archives be all that is left.
        folders.tell(report.warn if job.remove else report.say)


class _Folders:
    """What the call has written, by folder."""

    def __init__(self, base: str | None) -> None:
        self._base = base
        self._folders: dict[str, Folder] = {}
        self._needs: dict[str, tuple[str, ...]] = {}
        self._complete: list[str] = []

    def of(self, path: str) -> Folder:
        """The folder of the output `path`."""
        from llmzip.siblings import Folder

        return self._folders.setdefault(os.path.dirname(path), Folder(self._base))

    def add(self, path: str) -> None:
        """The output `path` is complete."""
        self._complete.append(path)
        self.of(path).add(path)

    def needs(self, path: str, summary: Summary) -> None:
        """Notes what the output `path` needs; it may fail yet."""
        self._needs[path] = summary.needs

    def tell(self, say: Callable[[str, str], None]) -> None:
        """A line for every archive that needs others."""
        for path in self._complete:
            if needs := self._needs.get(path):
                names = ", ".join(f"{name}{SUFFIX}" for name in needs)
                say(
                    path,
                    f"has tensors of {names} in the same folder and does not decompress without: "
                    "keep them together; --standalone makes archives that need no other",
                )


def _base(job: Job, source: Source) -> Base | None:
    if job.base is None:
        return None
    from llmzip.base import base_for

    return base_for(job.base, source.name)


def _announce(source: Source, options: Options, report: Report, verbose: bool) -> None:
    """Say what a long job will take, and which level is done sooner."""
    if not (report.shows_progress or verbose) or source.size is None:
        return
    size = source.size
    pieces: tuple[Piece, ...] = ()
    expected = _seconds(size, pieces, options.level, options)
    if expected is not None and expected.seconds > LONG_SECONDS:
        # Tensors take less, and it takes a moment to see where they are.
        pieces = planned(source.stream, size, options)
        expected = _seconds(size, pieces, options.level, options)
    if expected is None or expected.seconds <= LONG_SECONDS:
        return
    line = (
        f"about {about(expected.seconds)} and {memory(expected.memory)} of memory "
        f"at level {options.level}"
    )
    for level in range(options.level - 1, 0, -1):
        faster = _seconds(size, pieces, level, options)
        if faster is not None and faster.seconds <= max(LONG_SECONDS, expected.seconds / 4):
            line += f"; -{level} takes about {about(faster.seconds)}"
            break
    report.say(source.name, line)


def _announce_model(source: Source, options: Options, model: Loaded, report: Report) -> None:
    """Say what a job with a model takes at most; the model may not help with all of it."""
    if source.size is None:
        return
    from llmzip.estimate import with_model
    from llmzip.group import cost

    expected = with_model(source.stream, source.size, options, model)
    later = "decompressing needs the model too"
    if options.embed_model:
        later = f"the archive brings the model ({quantity(model.ref.length)})"
    if expected.segments > 1:
        later += (
            f"; {expected.segments} segments, decoded together, take about "
            f"{100 * cost(expected.segments):.1f} % more bytes than one (an estimate; --segments 1)"
        )
    report.say(
        source.name,
        f"with model {model.ref.name} up to {about(expected.seconds)} and "
        f"{memory(expected.memory)} of memory; {later}",
    )


def _seconds(size: int, pieces: tuple[Piece, ...], level: int, options: Options) -> Estimate | None:
    """What the whole job takes; decoding what was written takes as long as writing it."""
    from llmzip.estimate import estimate, estimate_planned

    if pieces:
        coding = estimate_planned(pieces, level, options.predictor, options.threads)
    else:
        coding = estimate(size, level, options.predictor, options.threads)
    if coding is None or not options.verify:
        return coding
    return coding.replace(seconds=2 * coding.seconds)
