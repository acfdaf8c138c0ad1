"""llmzip beside other compressors of checkpoints: sizes, and speed in memory.

Usage: python bench/tensors.py FILE... [--turns 9] [--output bench/tensors.csv]
       python bench/tensors.py --readme bench/README.md

The first measures: every peer of `tensor_tools.py` that is installed, on one thread where its name
does not say another number. Peers that want raw elements get the file as it lies, and the kind of
its elements from its name (bf16, fp16, fp32, fp8). Every result that is counted was decoded and
compared. Turns are interleaved, times are wall time of the calls, medians are kept; slow tools
(the highest level, blosc2, pcodec) get one turn. The second puts tables of the results into a file.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import re
import statistics
import tempfile
import time
from pathlib import Path

from report import grid
from tensor_tools import tools

from llmzip.measure.machine import processor

RESULTS = Path(__file__).parent / "tensors.csv"
FIELDS = (
    "file",
    "bytes",
    "tool",
    "coded",
    "percent",
    "compress_mb_s",
    "decompress_mb_s",
    "turns",
    "machine",
    "date",
)
PLACE = re.compile(r"(<!-- bench: tensors -->\n).*?(<!-- end bench -->)", re.DOTALL)


def _content(decoded: object) -> bytes:
    if isinstance(decoded, Path):
        return decoded.read_bytes()
    if isinstance(decoded, list):
        return b"".join(map(bytes, decoded))
    return bytes(memoryview(decoded))  # type: ignore[arg-type]


def _speed(length: int, seconds: float) -> float:
    """Megabytes in a second, to three places or so."""
    speed = length * 1e-6 / seconds
    return round(speed) if speed >= 100 else round(speed, 1)


def measure(path: Path, turns: int) -> list[dict[str, object]]:
    """A row for each tool."""
    data = path.read_bytes()
    with tempfile.TemporaryDirectory(prefix="llmzip-bench-") as folder:
        found = tools(path, Path(folder))
        times: dict[str, tuple[list[float], list[float]]] = {tool.name: ([], []) for tool in found}
        sizes: dict[str, int] = {}
        for turn in range(turns):
            for tool in found:
                if turn and tool.once:
                    continue
                began = time.perf_counter()
                coded = tool.compress(data)
                middle = time.perf_counter()
                decoded = tool.decompress(coded)
                ended = time.perf_counter()
                if turn == 0 and _content(decoded) != data:
                    raise SystemExit(f"{tool.name} lost bytes of {path}")
                del decoded
                times[tool.name][0].append(middle - began)
                times[tool.name][1].append(ended - middle)
                sizes[tool.name] = max(sizes.get(tool.name, 0), tool.size(coded))
    today, machine = datetime.date.today().isoformat(), processor()
    rows: list[dict[str, object]] = []
    for name, (coding, decoding) in times.items():
        speeds = [_speed(len(data), statistics.median(t)) for t in (coding, decoding)]
        percent = round(100 * sizes[name] / len(data), 3)
        facts = (len(coding), machine, today)
        values = (path.name, len(data), name, sizes[name], percent, *speeds, *facts)
        rows.append(dict(zip(FIELDS, values, strict=True)))
    return rows


def tables(rows: list[dict[str, str]]) -> str:
    """Size in percent of the file, then MB/s of compression and decompression, tool by file."""
    files = list(dict.fromkeys(row["file"] for row in rows))
    names = list(dict.fromkeys(row["tool"] for row in rows))
    cells = {(row["tool"], row["file"]): row for row in rows}

    def made(text: str) -> str:
        body = []
        for name in names:
            found = [cells.get((name, file)) for file in files]
            body.append((name, *(text.format(**row) if row else "-" for row in found)))
        return grid(("tool", *files), body)

    turns = max(int(row["turns"]) for row in rows)
    note = f"{rows[0]['date']}, {rows[0]['machine']}, medians of up to {turns} turns."
    percent, speed = made("{percent}"), made("{compress_mb_s} / {decompress_mb_s}")
    return (
        f"Percent of the file:\n\n{percent}\n\n"
        f"MB/s of compressing / decompressing:\n\n{speed}\n\n{note}\n"
    )


def fill(text: str, rows: list[dict[str, str]]) -> str:
    """Replaces the marked tables in a Markdown text."""
    return PLACE.sub(lambda place: place[1] + (tables(rows) if rows else "") + place[2], text)


def load(path: Path) -> list[dict[str, str]]:
    """The rows of a file of results; none where it has other columns, and must be made anew."""
    with path.open(newline="") as source:
        reader = csv.DictReader(source)
        return list(reader) if tuple(reader.fieldnames or ()) == FIELDS else []


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measures compressors of checkpoints.")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--readme", type=Path, help="put the tables of --output into this file")
    asked = parser.parse_args()
    rows: list[dict[str, object]] = []
    for path in asked.files:
        for row in measure(path, asked.turns):
            rows.append(row)
            print(
                f"{row['file']!s:28} {row['tool']!s:40} {row['percent']:8} % "
                f"{row['compress_mb_s']:6} MB/s {row['decompress_mb_s']:6} MB/s",
                flush=True,
            )
    if rows:
        with asked.output.open("w", newline="") as sink:
            writer = csv.DictWriter(sink, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    if asked.readme is not None:
        asked.readme.write_text(fill(asked.readme.read_text(), load(asked.output)))


if __name__ == "__main__":
    main()
