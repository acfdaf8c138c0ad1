"""`llmzip measure`."""

from __future__ import annotations

import contextlib
import threading
import time

from llmzip.commands.job import Job
from llmzip.commands.outputs import Outputs
from llmzip.commands.report import Report
from llmzip.errors import LlmzError, UsageError
from llmzip.interrupt import Stopped
from llmzip.measure.inputs import files_of
from llmzip.measure.measuring import Step, measure
from llmzip.measure.results import ABSENT
from llmzip.measure.rows import csv_text, lines
from llmzip.progress import Line
from llmzip.text import duration, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self


def run(job: Job, report: Report) -> None:
    """Measure, then write what was asked for."""
    if job.chunk or job.context:
        from llmzip.commands import protocols

        protocols.run(job, report)
        return
    if job.hf is not None or job.limit is not None:
        option = "--hf" if job.hf is not None else "--bytes"
        raise UsageError(f"{option} goes with --context or --chunk: archives are of whole files")
    with Outputs(job, inputs_of(job), csv=job.csv, page=job.page) as outputs:
        _run(job, report, outputs)


def _run(job: Job, report: Report, outputs: Outputs) -> None:
    with _Shown(report.shows_progress) as shown:

        def trouble(name: str, error: Exception) -> None:
            shown.clear()
            report.error(name, error)

        try:
            found = measure(
                job.files,
                job.compressors,
                level=job.level,
                model=job.model,
                threads=job.threads or 1,
                recursive=job.recursive,
                again=job.again,
                progress=shown,
                trouble=trouble,
            )
        except Stopped:
            shown.clear()
            if shown.step is not None:
                done, total = shown.step.done, shown.step.total
                line = f"{done} of {total} measurements are done and kept"
                report.say("measure", f"{line}; the same command goes on from there")
            raise
    if not found.results:
        return
    if any(not result.ok and result.status not in ABSENT for result in found.results):
        report.exit_code = max(report.exit_code, 1)
    if outputs.wants("csv"):
        outputs.write("csv", csv_text(found))
    if outputs.wants("page"):
        from llmzip.measure.page import page

        outputs.write("page", page(found))
    if job.as_json:
        report.done("measure", "", **found.as_dict())
    else:
        report.print("\n".join(lines(found, each=job.verbose > 0)))


class _Shown:
    """The line on the terminal: what is measured, and the time left, which goes down meanwhile."""

    def __init__(self, show: bool) -> None:
        self.step: Step | None = None
        self._line = Line(show)
        self._lock = threading.Lock()
        self._since = 0.0
        self._ended = threading.Event()
        self._clock = threading.Thread(target=self._run, daemon=True) if show else None

    def __call__(self, step: Step) -> None:
        """The run has come to `step`."""
        with self._lock:
            self.step, self._since = step, time.monotonic()
            self._draw()

    def clear(self) -> None:
        """Make room for another line, until the next step or second."""
        with self._lock:
            self._line.clear()

    def _draw(self) -> None:
        step = self.step
        if step is None or not step.file:
            self._line.clear()
            return
        spent = time.monotonic() - self._since
        left = "" if step.left is None else f", about {duration(step.left - spent)} left"
        kept = f", {step.kept} kept" if step.kept else ""
        what = f"{printable(step.compressor)}  {printable(step.file)}  {duration(spent)}"
        self._line.show(f"{step.done} of {step.total}{kept}{left}  {what}")

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            with self._lock:
                # The end may have come while the lock was waited for.
                if not self._ended.is_set():
                    self._draw()

    def __enter__(self) -> Self:
        if self._clock is not None:
            self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._clock is not None:
            self._clock.join()
        self._line.clear()


def inputs_of(job: Job) -> Iterator[str]:
    """Every file that is to be measured; what cannot be is told later."""
    for path in job.files:
        with contextlib.suppress(OSError, LlmzError):
            for file, _ in files_of(path, job.recursive, lambda name, error: None):
                yield str(file)
