"""`llmzip recover`."""

from __future__ import annotations

from llmzip.commands.decompress import bases, limits
from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import CorruptError, LlmzError, ModelError, UsageError
from llmzip.fileio import Source, identities
from llmzip.output import Output, open_output, open_stdout
from llmzip.progress import Meter
from llmzip.recovery import RecoverReport, recover
from llmzip.text import printable


class LostError(CorruptError):
    """Parts of the archive could not be recovered; the rest is written."""

    kind = "lost"


def run(job: Job, report: Report) -> None:
    """Write every undamaged segment of the one archive of `job`."""
    path = job.files[0]
    name = "standard input" if path == "-" else path
    try:
        with Source(path, archive=True, to_file=False, links=True, console=job.force) as source:
            if not source.stream.seekable():
                raise UsageError("recover goes to and fro in its input; give it a file")
            with _open(job, path) as output:
                found = _recover(job, report, source, output)
                if found.bytes_written or not found.lost:
                    output.commit(source)
                    kept = output.name
                else:
                    kept = None
    except Exception as error:
        report.error(name, error)
        return
    facts = found.as_dict()
    for note in found.notes:
        report.say(name, note)
    line = (
        f"{found.bytes_written:,} bytes from {found.segments_written} of "
        f"{found.segments_found} segments found"
    )
    if not found.lost:
        report.done(name, f"{line}, nothing lost; {kept}", output=kept, **facts)
        return
    for gap in found.lost:
        if not gap.needs_file:
            report.say(name, f"lost: {gap}")
    what = f"{line}; {kept} holds them" if kept else "nothing could be recovered, nothing written"
    report.error(name, _error(found, what), output=kept, **facts)


def _error(found: RecoverReport, what: str) -> LlmzError:
    """What ends the command where something is lost; a missing file is what can be helped."""
    gaps = [gap for gap in found.lost if gap.needs_file]
    if not gaps:
        return LostError(what)
    size = sum(gap.bytes or 0 for gap in gaps)
    reasons = "; ".join(dict.fromkeys(gap.reason for gap in gaps))
    many = f"{len(gaps)} segments" if len(gaps) > 1 else f"segment {gaps[0].first}"
    return ModelError(f"{what}; {many} ({size:,} bytes) cannot be decoded: {reasons}")


def _open(job: Job, path: str) -> Output:
    inputs = identities([path])
    if job.output is None or job.to_stdout(path):
        return open_stdout(archive=False, console=job.force, inputs=inputs)
    return open_output(job.output, archive=False, force=job.force, inputs=inputs)


def _recover(job: Job, report: Report, source: Source, output: Output) -> RecoverReport:
    meter = Meter(printable(source.name), report.shows_progress)
    try:
        return recover(
            source.stream,
            output.stream,
            threads=job.threads,
            limits=limits(job),
            progress=meter,
            bases=bases(job, source.path),
        )
    finally:
        meter.close()
