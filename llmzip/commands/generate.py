"""`llmzip generate`."""

from __future__ import annotations

import os
import sys

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.fileio import identities, named
from llmzip.generation import Drawing, stream
from llmzip.options import DEFAULT_LEVEL
from llmzip.output import open_output
from llmzip.streams import write_all
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_LENGTH = 500


def run(job: Job, report: Report) -> None:
    """Write the prompt and what follows it."""
    try:
        prompt = _prompt(job)
        prime = None if job.prime is None else _read(job.prime)
        drawing = Drawing(
            length=DEFAULT_LENGTH if job.length is None else job.length,
            seed=job.seed or 0,
            temperature=1.0 if job.temperature is None else job.temperature,
            prime=prime,
            level=job.level or DEFAULT_LEVEL,
            threads=job.threads,
        )
        said = stream(prompt, job.model or "cm", drawing)
        if job.output not in (None, "-"):
            _to_file(job, report, prompt, said)
        elif job.as_json:
            text = b"".join(said)
            report.done(
                "standard output",
                "",
                prompt=os.fsdecode(prompt),
                text=os.fsdecode(text),
                seed=job.seed or 0,
            )
        else:
            try:
                _show(prompt, said)
            except OSError as error:
                raise named(error, "standard output") from None
    except Exception as error:
        report.error(None, error)


def _prompt(job: Job) -> bytes:
    if job.files != ("-",):
        return b" ".join(os.fsencode(word) for word in job.files)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("generate needs a prompt, as in llmzip generate 'Once upon a time'")
    return sys.stdin.buffer.read()


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise named(error, path) from None


def _to_file(job: Job, report: Report, prompt: bytes, said: Iterator[bytes]) -> None:
    assert job.output is not None
    inputs = identities([job.prime] if job.prime else [])
    with open_output(job.output, archive=False, force=job.force, inputs=inputs) as output:
        write_all(output.stream, prompt)
        count = 0
        for piece in said:
            write_all(output.stream, piece)
            count += len(piece)
        output.commit()
    report.done(
        job.output,
        f"{count:,} bytes after a prompt of {len(prompt):,}, in {job.output}",
        bytes=count,
        output=job.output,
        seed=job.seed or 0,
    )


def _show(prompt: bytes, said: Iterator[bytes]) -> None:
    """To standard output as it comes; a terminal gets nothing that could steer it."""
    terminal = sys.stdout.isatty()
    if not terminal:
        out = sys.stdout.buffer
        out.write(prompt)
        for piece in said:
            out.write(piece)
        out.flush()
        return
    import codecs

    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode

    def show(piece: bytes) -> None:
        lines = decode(piece).split("\n")
        sys.stdout.write("\n".join(map(printable, lines)))
        sys.stdout.flush()

    show(prompt)
    for piece in said:
        show(piece)
    sys.stdout.write("\n")
