"""`llmzip cat`."""

from __future__ import annotations

import os

from llmzip.commands import decompress
from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.fileio import Source, TerminalError, identities
from llmzip.output import Output, open_output, open_stdout
from llmzip.streams import write_all

# What is held of a tensor at a time, where segments are smaller.
_PIECE = 64 << 20


def run(job: Job, report: Report) -> None:
    """Write one tensor of an archive, or all of its content."""
    if len(job.files) == 1:
        decompress.run(job.replace(stdout=job.output is None), report)
        return
    path, name = job.files
    try:
        with Source(path, archive=True, to_file=False, links=True, console=False) as source:
            if source.path is None or not source.regular:
                from llmzip.errors import UsageError

                raise UsageError("one tensor can be read out of a file alone, not out of a pipe")
            _tensor(job, report, source, path, name)
    except Exception as error:
        report.error(path, error)


def _tensor(job: Job, report: Report, source: Source, path: str, name: str) -> None:
    from llmzip.tensors.content import Content
    from llmzip.tensors.table import read_table

    content = Content(path, decompress.limits(job), job.base, job.model)
    content.check_packed()
    tensor = read_table(content.reader(), content.size).find(name)
    with open_target(job, path, binary="a tensor's bytes") as output:
        for begin in range(tensor.begin, tensor.end, _PIECE):
            piece = bytearray(min(_PIECE, tensor.end - begin))
            content.read_into(begin, piece, job.threads)
            write_all(output.stream, piece)
        source.check_unchanged()
        output.commit()
    line = f"{name}: {tensor.end - tensor.begin:,} bytes"
    facts = {"dtype": tensor.dtype, "shape": list(tensor.shape), "output": output.name}
    report.done(path, line, tensor=name, raw_bytes=tensor.end - tensor.begin, **facts)


def open_target(job: Job, path: str, *, binary: str = "") -> Output:
    """Where a part of the archive `path` goes: standard output, unless a file is named.

    binary: what it is, where it is nothing for a terminal.
    """
    inputs = identities([path])
    if job.output is None or job.output == "-":
        if binary and not job.force and os.isatty(1):
            raise TerminalError(f"{binary} are not for a terminal; use >FILE or -o FILE")
        return open_stdout(archive=False, console=job.force, inputs=inputs)
    return open_output(job.output, archive=False, force=job.force, inputs=inputs)
