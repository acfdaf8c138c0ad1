"""What distance, classify, select and trend share: their inputs, their progress."""

from __future__ import annotations

import os
import time

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.progress import Line
from llmzip.similarity.codelength import CodeLength, code_length
from llmzip.text import duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

# After so many the rest is only counted.
_TOLD = 5


class Troubles:
    """Reports what is left out of the inputs: some documents by name, the others by their
    number.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self.count = 0

    def __call__(self, name: str, error: Exception) -> None:
        """A document is left out."""
        self.count += 1
        if self.count <= _TOLD:
            self._report.error("standard input" if name == "-" else name, error)

    def end(self) -> None:
        """Says how many more there were."""
        if self.count > _TOLD:
            self._report.warn(
                "documents", f"{self.count - _TOLD:,} more were left out; {self.count:,} in all"
            )


class Shown:
    """The line on the terminal while documents are read: how many, and the time left."""

    def __init__(self, report: Report, what: str) -> None:
        self._line = Line(report.shows_progress)
        self._what = what
        self._started = time.monotonic()

    def __call__(self, done: int, total: int | None = None) -> None:
        """So many of so many, or of nobody knows how many, are done."""
        spent = time.monotonic() - self._started
        if total is None:
            self._line.show(f"{self._what}: {done:,}, {done / max(spent, 0.001):,.0f} a second")
            return
        left = duration(spent / done * (total - done))
        self._line.show(f"{self._what}: {done:,} of {total:,}, {left} left")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.clear()


def way_of(job: Job, samples: Sequence[bytes], level: int | None = None) -> CodeLength:
    """The code lengths that the options ask for; `level` is the default of `cm`."""
    asked = job.level
    if asked is None and job.predictor in (None, "cm"):
        asked = level
    return code_length(
        job.predictor, level=asked, model=job.model, samples=samples, threads=job.threads
    )


def short_names(names: Sequence[str], most: int = 16) -> list[str]:
    """Names of files without what all have in common and no longer than `most`, still all
    different.
    """
    found = [os.path.normpath(name) for name in names]
    common = os.path.commonpath(found) if len({os.path.isabs(name) for name in found}) == 1 else ""
    if common and common not in found:
        found = [os.path.relpath(name, common) for name in found]
    stems = [os.path.splitext(name)[0] for name in found]
    if len(set(stems)) == len(found):
        found = stems
    cut = [name if len(name) <= most else f"{name[: most - 1]}…" for name in found]
    return cut if len(set(cut)) == len(cut) else found
