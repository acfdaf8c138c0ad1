"""Files beside the report that results are written to: CSV, pages, pictures."""

from __future__ import annotations

import os

from llmzip.commands.job import Job
from llmzip.errors import UsageError
from llmzip.fileio import identities
from llmzip.output import open_output
from llmzip.streams import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from llmzip.output import Output


class Outputs:
    """Files that results are written to, opened before the work: nobody waits in vain."""

    def __init__(self, job: Job, inputs: Iterable[str], **paths: str | None) -> None:
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


def csv_text(rows: Sequence[Sequence[object]]) -> str:
    """Rows as CSV; names that are not UTF-8 escaped."""
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="backslashreplace").decode()
