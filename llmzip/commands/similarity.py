"""What distance, classify, select and trend share: their inputs, their outputs, their progress."""

from __future__ import annotations

import os
import time

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.fileio import identities
from llmzip.output import open_output
from llmzip.progress import Line
from llmzip.similarity.codelength import CodeLength, code_length
from llmzip.streams import write_all
from llmzip.text import duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from llmzip.output import Output

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


class Outputs:
    """Files that results are written to, opened before the work: nobody waits in vain."""

    def __init__(self, job: Job, inputs: Sequence[str], **paths: str | None) -> None:
        self._open: dict[str, Output] = {}
        given = {kind: path for kind, path in paths.items() if path is not None}
        if len({os.path.realpath(path) for path in given.values()}) < len(given):
            raise UsageError("two outputs name the same file; choose another name for one")
        known = identities(inputs)
        try:
            for kind, path in given.items():
                output = open_output(path, archive=False, force=job.force, inputs=known)
                self._open[kind] = output
        except BaseException:
            self.__exit__()
            raise

    def wants(self, kind: str) -> bool:
        """Whether an output of this kind was asked for."""
        return kind in self._open

    def write(self, kind: str, text: str | bytes) -> None:
        """Writes one of them."""
        output = self._open[kind]
        write_all(output.stream, text if isinstance(text, bytes) else text.encode())
        output.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for output in self._open.values():
            output.discard()


def way_of(job: Job, samples: Sequence[bytes], level: int | None = None) -> CodeLength:
    """The code lengths that the options ask for; `level` is the default of `cm`."""
    asked = job.level
    if asked is None and job.predictor in (None, "cm"):
        asked = level
    return code_length(
        job.predictor, level=asked, model=job.model, samples=samples, threads=job.threads
    )


def csv_text(rows: Sequence[Sequence[object]]) -> str:
    """Rows as CSV; names that are not UTF-8 escaped."""
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="backslashreplace").decode()


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
