"""`llmzip measure`."""

from __future__ import annotations

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.fileio import identities
from llmzip.interrupt import Stopped
from llmzip.measure.measuring import Step, measure
from llmzip.measure.results import ABSENT
from llmzip.measure.rows import csv_text, lines
from llmzip.output import open_output
from llmzip.progress import Line
from llmzip.text import duration, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.measure.results import Run
    from llmzip.output import Output


def run(job: Job, report: Report) -> None:
    """Measure, then write what was asked for."""
    outputs = _Outputs(job)
    try:
        _run(job, report, outputs)
    finally:
        outputs.discard()


def _run(job: Job, report: Report, outputs: _Outputs) -> None:
    line = Line(report.shows_progress)

    def trouble(name: str, error: Exception) -> None:
        line.clear()
        report.error(name, error)

    steps: list[Step] = []

    def progress(step: Step) -> None:
        steps.append(step)
        line.show(_words(step))

    try:
        found = measure(
            job.files,
            job.compressors,
            level=job.level,
            model=job.model,
            threads=job.threads or 1,
            recursive=job.recursive,
            again=job.again,
            progress=progress,
            trouble=trouble,
        )
    except Stopped:
        line.clear()
        if steps:
            report.say("measure", f"{_kept(steps)}; the same command goes on from there")
        raise
    finally:
        line.clear()
    if not found.results:
        return
    if any(not result.ok and result.status not in ABSENT for result in found.results):
        report.exit_code = max(report.exit_code, 1)
    outputs.write(found)
    if job.as_json:
        report.done("measure", "", **found.as_dict())
    else:
        report.print("\n".join(lines(found, each=job.verbose > 0)))


class _Outputs:
    """The files that the run is written to, opened before it: nobody waits for an hour in vain."""

    def __init__(self, job: Job) -> None:
        self._open: list[tuple[str, Output]] = []
        if job.csv is not None and job.csv == job.page:
            raise UsageError("--csv and --report name the same file; choose another name")
        inputs = identities(job.files)
        try:
            for kind, path in (("csv", job.csv), ("page", job.page)):
                if path is not None:
                    output = open_output(path, archive=False, force=job.force, inputs=inputs)
                    self._open.append((kind, output))
        except BaseException:
            self.discard()
            raise

    def write(self, found: Run) -> None:
        """Write them all."""
        for kind, output in self._open:
            if kind == "csv":
                text = csv_text(found)
            else:
                from llmzip.measure.page import page

                text = page(found)
            output.stream.write(text.encode())
            output.commit()

    def discard(self) -> None:
        """Leave nothing of what was not written."""
        for _, output in self._open:
            output.discard()


def _words(step: Step) -> str:
    if not step.file:
        return ""
    left = "" if step.left is None else f", about {duration(step.left)} left"
    kept = f", {step.kept} kept" if step.kept else ""
    what = f"{printable(step.compressor)}  {printable(step.file)}"
    return f"{step.done} of {step.total}{kept}{left}  {what}"


def _kept(steps: list[Step]) -> str:
    done = steps[-1].done
    return f"{done} of {steps[-1].total} measurements are done and kept"
