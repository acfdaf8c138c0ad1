"""`llmzip measure --chunk` and `--context`: protocols of papers."""

from __future__ import annotations

from llmzip.commands.job import Job
from llmzip.commands.measure import inputs_of
from llmzip.commands.outputs import Outputs, csv_text
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.measure.protocol_rows import chunk_lines, token_lines
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
    with Outputs(job, inputs_of(job), csv=job.csv) as outputs:
        found = _measured(job, report)
        if not found:
            return
        facts = [_facts(result, chunks=bool(job.chunk)) for result in found]
        # That random bytes are no text to a model is no failure.
        if any(row["status"] != "ok" and not row.get("check") for row in facts):
            report.exit_code = max(report.exit_code, 1)
        if outputs.wants("csv"):
            rows = [list(facts[0]), *([_cell(cell) for cell in row.values()] for row in facts)]
            outputs.write("csv", csv_text(rows))
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


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    return int(value) if isinstance(value, bool) else value
