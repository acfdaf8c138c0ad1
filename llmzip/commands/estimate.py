"""`llmzip estimate`."""

from __future__ import annotations

from collections.abc import Iterator

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.tensors.sampling import DEFAULT, FAST, TensorsEstimate, estimate_tensors
from llmzip.text import printable, table

_HEAD = ("kind", "tensors", "elements", "bytes", "order 0", f"-{FAST}", f"-{DEFAULT}", "zstd -3")


def run(job: Job, report: Report) -> None:
    """Say what compressing the tensors of each file would give; nothing is written."""
    for number, path in enumerate(job.files):
        name = "standard input" if path == "-" else path
        try:
            if path == "-":
                raise UsageError("estimate takes samples out of files alone: name one")
            found = estimate_tensors(path, threads=job.threads)
        except Exception as error:
            report.error(name, error)
            continue
        if job.as_json:
            report.done(name, "", estimate=True, **found.as_dict())
        else:
            report.print(("\n" if number else "") + "\n".join(_lines(name, found)))


def _lines(name: str, found: TensorsEstimate) -> Iterator[str]:
    count = sum(kind.tensors for kind in found.kinds)
    yield printable(name)
    yield f"  {found.raw_bytes:,} bytes, {count:,} tensors, {found.other_bytes:,} bytes of other"
    yield f"  estimated from {found.sampled_bytes:,} sampled bytes; bits for each element:"
    rows: list[tuple[str, ...]] = [_HEAD]
    for kind in found.kinds:
        sizes = (f"{kind.tensors:,}", f"{kind.elements:,}", f"{kind.raw_bytes:,}")
        bits = (kind.order0, kind.fast, kind.default, kind.zstd)
        rows.append((kind.kind, *sizes, *(f"{value:.3f}" for value in bits)))
        for plane in kind.planes if len(kind.planes) > 1 else ():
            rows.append((f"  {plane.name}", "", "", "", f"{plane.order0:.3f}", "", "", ""))
    sums = (found.order0_bytes, found.fast_bytes, found.default_bytes, found.zstd_bytes)
    rows.append(("all, bytes", "", "", f"{found.raw_bytes:,}", *(f"{n:,}" for n in sums)))
    shares = (f"{100 * n / found.raw_bytes:.2f}" for n in sums)
    rows.append(("percent", "", "", "", *shares))
    yield from table(rows, right={1, 2, 3, 4, 5, 6, 7})
