"""`llmzip train`: a circuit for rows like those of a file."""

from __future__ import annotations

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.fileio import Source, identities
from llmzip.models.store import name_for
from llmzip.output import open_output
from llmzip.pc import PASSES, train
from llmzip.streams import write_all
from llmzip.text import quantity

DEFAULT_STATES = 16


def run(job: Job, report: Report) -> None:
    """Train a circuit on one file and write its pack."""
    path = job.files[0]
    try:
        _train(job, report, path)
    except Exception as error:
        report.error("standard input" if path == "-" else path, error)


def _train(job: Job, report: Report, path: str) -> None:
    assert job.output is not None
    with Source(path, archive=False, to_file=True, links=True, console=False) as source:
        data = source.stream.read()
    passes = job.passes or PASSES

    def progress(done: int) -> None:
        if job.verbose:
            report.say(path, f"pass {done} of {passes}")

    states = job.states or DEFAULT_STATES
    pack = train(data, states, passes, job.threads, progress).pack
    inputs = identities([path]) if path != "-" else ()
    with open_output(job.output, archive=True, force=job.force, inputs=inputs) as output:
        write_all(output.stream, pack)
        output.commit()
    name = name_for(job.output)
    report.done(
        path,
        f"{path}: a circuit of {states} states, {quantity(len(pack))}, in {job.output}; "
        f"use it with -m {job.output}, or llmzip models import {job.output} and -m {name}",
        states=states,
        passes=passes,
        raw_bytes=len(data),
        model_bytes=len(pack),
        output=job.output,
    )
