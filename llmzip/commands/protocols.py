"""`llmzip measure --chunk` and `--context`: protocols of papers."""

from __future__ import annotations

import csv
import io

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.fileio import identities
from llmzip.measure.protocol_rows import chunk_lines, token_lines
from llmzip.output import open_output
from llmzip.progress import Line
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from llmzip.measure.chunks import ChunkResult
    from llmzip.measure.inputs import Trouble
    from llmzip.measure.tokens import TokenResult

    Results = Sequence[ChunkResult] | Sequence[TokenResult]

# What follows from a result, beside its own fields.
_DERIVED = {True: ("rate", "adjusted_rate"), False: ("units", "adjusted_bits")}


def run(job: Job, report: Report) -> None:
    """Measure by the protocol that is asked for, and say what came of it."""
    if job.page is not None:
        raise UsageError(
            "--report shows whole files; leave out --chunk and --context, or write --csv"
        )
    if job.chunk and job.context:
        raise UsageError("--chunk and --context are two protocols: choose one")
    output = None
    if job.csv is not None:
        inputs = identities(job.files)
        output = open_output(job.csv, archive=False, force=job.force, inputs=inputs)
    try:
        found = _measured(job, report)
        if not found:
            return
        if any(not result.ok for result in found):
            report.exit_code = max(report.exit_code, 1)
        facts = [_facts(result, chunks=bool(job.chunk)) for result in found]
        if output is not None:
            output.stream.write(_csv(facts).encode())
            output.commit()
    finally:
        if output is not None:
            output.discard()
    if job.as_json:
        report.done("measure", "", protocol="chunks" if job.chunk else "tokens", results=facts)
    else:
        lines = chunk_lines(found) if job.chunk else token_lines(found)  # type: ignore[arg-type]
        report.print("\n".join(lines))


def _measured(job: Job, report: Report) -> Results:
    line = Line(report.shows_progress)

    def trouble(name: str, error: Exception) -> None:
        line.clear()
        report.error(name, error)

    try:
        return (_chunks if job.chunk else _tokens)(job, line, trouble)
    finally:
        line.clear()


def _chunks(job: Job, line: Line, trouble: Trouble) -> Sequence[ChunkResult]:
    from llmzip.measure.chunks import measure_chunks

    def progress(file: str, compressor: str, share: float) -> None:
        line.show(f"{100 * share:.0f} %  {compressor}  {printable(file)}")

    return measure_chunks(
        job.files,
        job.compressors,
        [job.hf] if job.hf is not None else [],
        chunk=job.chunk,
        level=job.level,
        model=job.model,
        threads=job.threads or 1,
        recursive=job.recursive,
        limit=job.limit,
        progress=progress,
        trouble=trouble,
    )


def _tokens(job: Job, line: Line, trouble: Trouble) -> Sequence[TokenResult]:
    from llmzip.measure.tokens import measure_tokens

    if job.compressors is not None:
        raise UsageError("--context takes models, with -m and --hf, and no compressors")

    def progress(file: str, model: str) -> None:
        line.show(f"{printable(model)}  {printable(file)}")

    return measure_tokens(
        job.files,
        [job.model] if job.model is not None else [],
        [job.hf] if job.hf is not None else [],
        context=job.context,
        threads=job.threads,
        recursive=job.recursive,
        limit=job.limit,
        progress=progress,
        trouble=trouble,
    )


def _facts(result: ChunkResult | TokenResult, *, chunks: bool) -> dict[str, Any]:
    facts = result.as_dict()
    for name in _DERIVED[chunks]:
        facts[name] = getattr(result, name) if result.ok else None
    return facts


def _csv(facts: Sequence[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(facts[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in facts)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    return int(value) if isinstance(value, bool) else value
