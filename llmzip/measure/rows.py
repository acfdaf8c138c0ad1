"""A run as a table for a terminal, and as comma-separated values."""

from __future__ import annotations

import csv
import io

from llmzip.measure.results import Cost, Total, speed
from llmzip.text import memory, printable, quantity, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from llmzip.measure.results import Result, Run

_HEAD = ("compressor", "bytes", "bits/byte", "ratio")
_COSTS = ("MB/s", "CPU s", "back MB/s", "CPU s", "memory")
_MODEL = ("adjusted", "bits/byte", "breaks even")

# Columns of the CSV: a result's own fields as they are, then what follows from them.
_OWN = (
    *("file", "sha256", "raw_bytes", "compressor", "spec", "version", "command", "status"),
    "archive_bytes",
)
_DERIVED = ("bits_per_byte", "ratio")
_WAYS = ("compress", "decompress")
_REST = (
    *("model", "model_bytes", "adjusted_bytes", "adjusted_bits_per_byte", "break_even"),
    *("check", "kept", "date"),
)


def lines(run: Run, *, each: bool) -> Iterator[str]:
    """The table of a run: sums for each compressor, the checks, and what to know of the numbers.

    each: a table for every file before, too.
    """
    measured = run.measured()
    files = list(dict.fromkeys(result.file for result in measured))
    if each and len(files) > 1:
        for file in files:
            own = _ordered([result for result in measured if result.file == file])
            yield f"{printable(file)}, {own[0].raw_bytes:,} bytes"
            yield from _table(run, own)
            yield ""
    totals = run.totals()
    if not totals:
        return
    what = printable(files[0]) if len(files) == 1 else f"{len(files)} files"
    yield f"{what}, {totals[0].raw_bytes:,} bytes"
    yield from _table(run, totals)
    failed = [total for total in totals if not total.ok]
    yield from (f"  {total.compressor}: {printable(total.status)}" for total in failed)
    yield ""
    yield from _checks(run)
    yield ""
    yield from _notes(run, measured)


def _ordered(results: Sequence[Result]) -> list[Result]:
    return sorted(results, key=lambda result: (not result.ok, result.archive_bytes))


def _table(run: Run, rows: Sequence[Result | Total]) -> Iterator[str]:
    mean = any(isinstance(row, Total) and row.files > 1 for row in rows)
    with_model = any(row.model_bytes for row in rows)
    head = (*_HEAD, *(("mean b/B",) if mean else ()), *_COSTS, *(_MODEL if with_model else ()))
    body: list[Sequence[str]] = [head]
    for row in rows:
        if not row.ok:
            body.append((row.compressor, *("-" * (len(head) - 1))))
            continue
        sizes = (f"{row.archive_bytes:,}", f"{row.bits_per_byte:.3f}")
        cells = [row.compressor, *sizes, f"{row.raw_bytes / row.archive_bytes:.3f}"]
        if mean and isinstance(row, Total):
            cells.append(f"{row.mean_bits_per_byte:.3f}")
        for cost in (row.compress, row.decompress):
            cells += [_short(speed(row.raw_bytes, cost)), f"{cost.cpu:.2f}"]
        cells.append(memory(max(row.compress.peak, row.decompress.peak) << 10))
        if with_model:
            cells += _with_model(run, row)
        body.append(cells)
    yield from table(body, right=set(range(1, len(head))))


def _with_model(run: Run, row: Result | Total) -> tuple[str, str, str]:
    if not row.model_bytes:
        return "", "", ""
    even = row.break_even if isinstance(row, Total) else run.break_even(row)
    bits = 8 * row.adjusted_bytes / row.raw_bytes
    return f"{row.adjusted_bytes:,}", f"{bits:.3f}", "never" if even is None else quantity(even)


def _checks(run: Run) -> Iterator[str]:
    """What nothing can shrink: percent of its size that each compressor makes of it."""
    checks = run.checks()
    names = list(dict.fromkeys(result.file for result in checks))
    if not names:
        return
    sizes = {result.file: result.raw_bytes for result in checks}
    yield "as a check, percent of what nothing can shrink, in no sum:"
    head = ("compressor", *(f"{printable(name)}, {sizes[name]:,}" for name in names))
    body: list[Sequence[str]] = [head]
    found = {(result.compressor, result.file): result for result in checks}
    for compressor in dict.fromkeys(result.compressor for result in checks):
        own = [found[compressor, name] for name in names]
        if any(result.ok for result in own):
            body.append((compressor, *(_percent(result) for result in own)))
    yield from table(body, right=set(range(1, len(head))))


def _percent(result: Result) -> str:
    return f"{100 * result.archive_bytes / result.raw_bytes:.2f}" if result.ok else "-"


def _notes(run: Run, measured: Sequence[Result]) -> Iterator[str]:
    threads = "one thread" if run.threads == 1 else f"{run.threads} threads"
    yield f"  {run.machine}; llmzip {run.version}; {threads}; one process a file and direction."
    yield "  Every archive was decoded and compared. MB/s are of elapsed time, with the program's"
    yield f"  start. Peaks of memory under {run.peak_floor >> 10} MiB cannot be told apart."
    kept = sum(result.kept for result in run.results)
    if kept:
        days = sorted({result.date for result in run.results if result.kept})
        when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        some = "all" if kept == sum(result.ok for result in run.results) else f"{kept:,}"
        yield f"  Kept from earlier runs ({when}): {some} of the results; --again measures anew."


def _short(value: float) -> str:
    """Three digits or so."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def csv_text(run: Run) -> str:
    """A row for each result; cells of what there is not are empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    costs = [f"{way}_{name}" for way in _WAYS for name in (*Cost._fields, "speed")]
    writer.writerow((*_OWN, *_DERIVED, *costs, *_REST))
    for facts in run.as_dict()["results"]:
        writer.writerow(_cells(facts))
    return out.getvalue()


def _cells(facts: dict[str, Any]) -> list[Any]:
    ok = facts["status"] == "ok"
    numbers = [*(facts[name] for name in _DERIVED)]
    for way in _WAYS:
        numbers += [facts[way][name] for name in Cost._fields]
        numbers.append(facts[f"{way}_speed"])
    own = [printable(str(facts[name])) if name == "file" else facts[name] for name in _OWN]
    if not ok:
        own[-1] = ""
        numbers = [""] * len(numbers)
    rest = [facts[name] for name in _REST]
    return [_cell(value) for value in (*own, *numbers, *rest)]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value
