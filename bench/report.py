"""Reads and writes ``results.csv`` and makes tables of it.

Usage: python bench/report.py [--readme README.md]

Prints a table for every corpus in ``results.csv``; with ``--readme`` it also rewrites the tables
that stand between ``<!-- bench: KIND CORPUS -->`` and ``<!-- end bench -->`` in that file, KIND
being ``levels`` or ``peers``.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

RESULTS = Path(__file__).with_name("results.csv")


@dataclass(frozen=True, slots=True)
class Row:
    """One tool on one file (``file`` is ``*`` when one call took the whole folder).

    Sizes are bytes, times seconds, peaks KiB. ``status`` is ``ok`` when every archive decoded to
    its input; otherwise it says what happened and the numbers are zero.
    """

    corpus: str
    tool: str
    version: str
    file: str
    raw_bytes: int
    archive_bytes: int = 0
    compress_cpu: float = 0.0
    compress_wall: float = 0.0
    compress_peak: int = 0
    decompress_cpu: float = 0.0
    decompress_wall: float = 0.0
    decompress_peak: int = 0
    repeats: int = 0
    status: str = "ok"
    machine: str = ""
    date: str = ""


def load(path: Path) -> list[Row]:
    """Reads rows; none where nothing was measured yet.

    Raises ``ValueError`` when the file has other columns.
    """
    if not path.exists():
        return []
    kinds = {
        field.name: {"int": int, "float": float}.get(str(field.type), str) for field in fields(Row)
    }
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != list(kinds):
            raise ValueError(
                f"{path}: columns are not those of this version; remove it and measure anew"
            )
        return [Row(**{name: kinds[name](text) for name, text in row.items()}) for row in reader]


def save(path: Path, rows: Iterable[Row]) -> None:
    """Writes rows, replacing those of the same corpus: one corpus is always from one run."""
    new = list(rows)
    names = {row.corpus for row in new}
    kept = [row for row in load(path) if row.corpus not in names]
    part = path.with_suffix(".part")
    with open(part, "w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in sorted(kept, key=lambda row: row.corpus) + new)
    part.replace(path)


def total(rows: Sequence[Row]) -> Row:
    """One tool's rows summed over the files; a single failure makes the total a failure."""
    first = rows[0]
    bad = [row for row in rows if row.status != "ok"]
    raw = sum(row.raw_bytes for row in rows)
    if bad:
        where = "" if all(row.status == bad[0].status for row in rows) else f"{bad[0].file}: "
        status = f"{where}{bad[0].status}"
        return Row(first.corpus, first.tool, first.version, "*", raw, status=status)
    return Row(
        first.corpus,
        first.tool,
        first.version,
        "*",
        raw,
        sum(row.archive_bytes for row in rows),
        sum(row.compress_cpu for row in rows),
        sum(row.compress_wall for row in rows),
        max(row.compress_peak for row in rows),
        sum(row.decompress_cpu for row in rows),
        sum(row.decompress_wall for row in rows),
        max(row.decompress_peak for row in rows),
        min(row.repeats for row in rows),
        "ok",
        first.machine,
        first.date,
    )


def totals(rows: Iterable[Row], corpus: str) -> list[Row]:
    """The total of every tool on a corpus, in the order of the file."""
    tools: dict[str, list[Row]] = {}
    for row in rows:
        if row.corpus == corpus:
            tools.setdefault(row.tool, []).append(row)
    return [total(group) for group in tools.values()]


def mib(kib: int) -> str:
    """KiB as MiB, without a fraction."""
    return f"{kib / 1024:.0f}"


def grid(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned: the first to the left, the others to the right."""
    lines = [head, *body]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def text(line: Sequence[str]) -> str:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2)] + ["-" * (w + 1) + ":" for w in widths[1:]]) + "|"
    return "\n".join([text(head), rule, *(text(line) for line in body)])


def peers_table(rows: Iterable[Row], corpus: str) -> str:
    """Every tool on a corpus: size, and CPU time and peak memory of both directions.

    A tool that failed or is not installed has dashes, and a line below the table says why.
    """
    head = ("tool", "bytes", "bits/byte", "compress s", "MiB", "decompress s", "MiB")
    body = []
    notes = []
    for row in totals(rows, corpus):
        if row.status != "ok":
            body.append((row.tool, *"------"))
            notes.append(f"- {row.tool}: {row.status}")
            continue
        body.append(
            (
                row.tool,
                f"{row.archive_bytes:,}",
                f"{8 * row.archive_bytes / max(row.raw_bytes, 1):.3f}",
                f"{row.compress_cpu:.2f}",
                mib(row.compress_peak),
                f"{row.decompress_cpu:.2f}",
                mib(row.decompress_peak),
            )
        )
    return "\n\n".join([grid(head, body), *(["\n".join(notes)] if notes else [])])


def levels_table(rows: Iterable[Row], corpus: str) -> str:
    """llmzip's levels on a corpus: time for a million bytes, peak memory, size."""
    head = ("level", "bits/byte", "compress s/MB", "decompress s/MB", "MiB")
    body = []
    for row in totals(rows, corpus):
        found = re.fullmatch(r"llmzip -(\d) --no-verify", row.tool)
        if found is None or row.status != "ok":
            continue
        megabytes = row.raw_bytes / 1e6
        body.append(
            (
                f"-{found[1]}",
                f"{8 * row.archive_bytes / row.raw_bytes:.3f}",
                f"{row.compress_cpu / megabytes:.2f}",
                f"{row.decompress_cpu / megabytes:.2f}",
                mib(max(row.compress_peak, row.decompress_peak)),
            )
        )
    return grid(head, body)


TABLES = {"levels": levels_table, "peers": peers_table}
PLACE = re.compile(r"(<!-- bench: (\w+) ([\w.-]+) -->\n).*?(<!-- end bench -->)", re.DOTALL)


def fill(text: str, rows: Sequence[Row]) -> str:
    """Replaces every marked table in a Markdown text. Raises ``KeyError`` on an unknown kind.

    Where a corpus was not measured no table stands.
    """

    def table(place: re.Match[str]) -> str:
        source = next((row for row in rows if row.corpus == place[3]), None)
        if source is None:
            return f"{place[1]}{place[4]}"
        made = TABLES[place[2]](rows, place[3])
        note = f"`{source.corpus}`, {source.date}, {source.machine}, median of {source.repeats}."
        return f"{place[1]}{made}\n\n{note}\n{place[4]}"

    return PLACE.sub(table, text)


def main() -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="tables of bench/results.csv")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--readme", type=Path, help="rewrite the marked tables of this file")
    asked = parser.parse_args()
    rows = load(asked.results)
    for corpus in dict.fromkeys(row.corpus for row in rows):
        print(f"{corpus}\n{peers_table(rows, corpus)}\n")
    if asked.readme is not None:
        asked.readme.write_text(fill(asked.readme.read_text(), rows))


if __name__ == "__main__":
    main()
