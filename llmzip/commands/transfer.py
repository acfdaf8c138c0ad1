"""The way of one input through a coder to one output, shared by compress and decompress."""

from __future__ import annotations

import os
from collections.abc import Callable

from llmzip.commands.files import Item, gather, target
from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.fileio import Identity, Source, identities, identity
from llmzip.output import Output, open_output, open_stdout
from llmzip.progress import Meter
from llmzip.report import Summary
from llmzip.text import bits_per_byte, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Work = Callable[[Source, Output, Meter], Summary]


def transfer(
    job: Job,
    report: Report,
    work: Work,
    describe: Callable[[Summary], str],
    kept: Callable[[str], None] = lambda path: None,
) -> None:
    """Put every input of `job` through `work`; a failure of one does not stop the others.

    `describe` makes the line for a finished file; `kept` is called with the path of an output that
    has its name.
    """
    items = gather(job, report)
    inputs = identities(item.path for item in items)
    written: set[Identity] = set()
    for number, item in enumerate(items):
        output: Output | None = None
        try:
            with Source(
                item.path,
                archive=job.mode != "compress",
                to_file=not job.stdout and job.output is None,
                links=job.force or job.keep,
                console=job.force,
            ) as source:
                output = _open(job, item, source, inputs, written)
                with output:
                    _one(job, report, work, describe, source, output, written, kept)
        except Exception as error:
            report.error(_name(item), error)
            if output is not None and output.partial and number + 1 < len(items):
                report.say(
                    "standard output",
                    f"holds only a part of {_name(item)}, so the other files were left out",
                )
                return


def _open(
    job: Job, item: Item, source: Source, inputs: set[Identity], written: set[Identity]
) -> Output:
    archive = job.mode == "compress"
    if job.to_stdout(item.path):
        return open_stdout(archive=archive, console=job.force, inputs=inputs)
    if job.remove:
        source.check_removable(job.force)
    path = target(job, item)
    return open_output(path, archive=archive, force=job.force, inputs=inputs, done=written)


def _one(
    job: Job,
    report: Report,
    work: Work,
    describe: Callable[[Summary], str],
    source: Source,
    output: Output,
    written: set[Identity],
    kept: Callable[[str], None],
) -> None:
    # A bar between the lines of what is written to the same terminal helps nobody.
    show = report.shows_progress and not (job.to_stdout(source.path or "-") and os.isatty(1))
    phases = 2 if job.mode == "compress" and job.verify else 1
    meter = Meter(printable(source.name), show, phases=phases)
    try:
        summary = work(source, output, meter)
    finally:
        meter.close()
    source.check_unchanged()
    output.commit(source)
    if output.atomic:
        written.add(identity(os.stat(output.name)))
        kept(output.name)
    line = describe(summary) + f" in {meter.seconds:.1f} s"
    facts = facts_of(summary) | {"seconds": round(meter.seconds, 3)}
    if output.atomic:
        line += f", {output.name}"
    report.done(source.name, line, output=output.name, **facts)
    if job.remove and source.path is not None:
        if output.atomic:
            source.remove()
        else:
            report.note(source.name, f"not removed: {output.name} is not a file")


def facts_of(summary: Summary) -> dict[str, Any]:
    """A summary for the JSON report."""
    bpb = bits_per_byte(summary.raw_bytes, summary.archive_bytes)
    return {
        "raw_bytes": summary.raw_bytes,
        "archive_bytes": summary.archive_bytes,
        "bits_per_byte": None if bpb is None else round(bpb, 6),
        "model_bytes": summary.model_bytes,
        "adjusted_bytes": summary.adjusted_bytes,
        "archives": summary.archives,
        "segments": summary.segments,
        "predictors": list(summary.predictors),
        "needs": list(summary.needs),
    }


def sizes(summary: Summary) -> str:
    """`152,089 bytes as 43,012, 2.262 bits/byte`."""
    text = f"{summary.raw_bytes:,} bytes as {summary.archive_bytes:,}"
    bpb = bits_per_byte(summary.raw_bytes, summary.archive_bytes)
    if bpb is not None:
        text += f", {bpb:.3f} bits/byte"
    if summary.model_bytes:
        text += f" ({summary.adjusted_bytes:,} with the model that reading needs)"
    return text


def _name(item: Item) -> str:
    return "standard input" if item.path == "-" else item.path
