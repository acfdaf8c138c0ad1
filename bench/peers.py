"""Measures llmzip beside other compressors on the files of a folder.

Usage: python bench/peers.py FOLDER [options]; bench/README.md says what is measured and how.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import shlex
import shutil
import statistics
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import report
from report import Row

from llmzip.measure import tools
from llmzip.measure.child import Failed, memory_floor, run
from llmzip.measure.machine import machine
from llmzip.measure.tools import Tool
from llmzip.measure.trial import Trial, same_bytes, trial

ROOT = Path(__file__).parent.parent


def corpus_name(files: Sequence[Path]) -> str:
    """The corpus whose manifest lists exactly these files with these sums, or the folder's name."""
    sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    for manifest in sorted((ROOT / "corpora").glob("*.toml")):
        listed = tomllib.loads(manifest.read_text())
        if {entry["path"]: entry.get("sha256") for entry in listed.get("file", [])} == sums:
            return str(listed["name"])
    return files[0].resolve().parent.name


def whole_folder(
    program: str, files: Sequence[Path], scratch: Path, timeout: float | None
) -> Trial:
    """llmzip's default level on all files in one call each way; the same checks as ``trial``."""
    if shutil.which(program) is None:
        raise Failed("not installed")
    coded, decoded = scratch / "coded", scratch / "decoded"
    coded.mkdir()
    decoded.mkdir()
    try:
        common = ["-T1", "-q", "-k", "--output-dir"]
        inputs = [str(file.resolve()) for file in files]
        there = run(
            [program, "-6", "--no-verify", *common, str(coded), *inputs],
            folder=scratch,
            timeout=timeout,
        )
        archives = [coded / f"{file.name}.llmz" for file in files]
        size = sum(archive.stat().st_size for archive in archives)
        back = run(
            [program, "-d", *common, str(decoded), *map(str, archives)],
            folder=scratch,
            timeout=timeout,
        )
        for file in files:
            if not same_bytes(file, decoded / file.name):
                raise Failed(f"{file.name} decodes to other bytes")
    except FileNotFoundError as error:
        raise Failed(f"wrote no {Path(error.filename).name}") from error
    finally:
        shutil.rmtree(coded)
        shutil.rmtree(decoded)
    return Trial(size, there, back)


def with_medians(row: Row, trials: Sequence[Trial]) -> Row:
    """``row`` with the medians of its trials; the size is the largest seen."""

    def seconds(numbers: Iterable[float]) -> float:
        return round(statistics.median(numbers), 4)

    def peak(numbers: Iterable[int]) -> int:
        return statistics.median_high(numbers)

    return replace(
        row,
        archive_bytes=max(one.size for one in trials),
        compress_cpu=seconds(one.compress.cpu for one in trials),
        compress_wall=seconds(one.compress.wall for one in trials),
        compress_peak=peak(one.compress.peak for one in trials),
        decompress_cpu=seconds(one.decompress.cpu for one in trials),
        decompress_wall=seconds(one.decompress.wall for one in trials),
        decompress_peak=peak(one.decompress.peak for one in trials),
        repeats=len(trials),
    )


def say(what: str) -> None:
    """Shows what runs now, on a terminal alone."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


def measure(
    chosen: Sequence[Tool],
    files: Sequence[Path],
    *,
    repeats: int,
    timeout: float | None,
    together: str | None,
) -> list[Row]:
    """Runs every tool on every file ``repeats`` times and returns a row for each pair.

    The tools take turns on each file, so that a slow spell of the machine meets them all.
    ``together`` names the llmzip program for the row that takes the whole folder in one call.
    """
    corpus = corpus_name(files)
    on, day = machine(), datetime.datetime.now(datetime.UTC).date().isoformat()
    versions = {tool.name: tool.describe() if tool.path() else "" for tool in chosen}
    trials: dict[tuple[str, str], list[Trial]] = defaultdict(list)
    failures: dict[tuple[str, str], str] = {}

    def attempt(key: tuple[str, str], what: str) -> bool:
        if key in failures:
            return False
        say(what)
        return True

    folder_row = "llmzip -6 --no-verify, one call"
    with tempfile.TemporaryDirectory(prefix="llmzip-bench-") as place:
        for turn in range(repeats):
            for file in files:
                for tool in chosen:
                    key = (tool.name, file.name)
                    if not attempt(key, f"{turn + 1}/{repeats} {file.name} {tool.name}"):
                        continue
                    try:
                        trials[key].append(trial(tool, file, Path(place), timeout))
                    except Failed as error:
                        failures[key] = str(error)
            if together is not None and attempt(
                (folder_row, "*"), f"{turn + 1}/{repeats} one call"
            ):
                try:
                    trials[folder_row, "*"].append(
                        whole_folder(together, files, Path(place), timeout)
                    )
                except Failed as error:
                    failures[folder_row, "*"] = str(error)
    say("")

    def row(name: str, version: str, file: str, raw: int) -> Row:
        common = Row(corpus, name, version, file, raw, machine=on, date=day)
        if (name, file) in failures:
            return replace(common, status=failures[name, file])
        return with_medians(common, trials[name, file])

    rows = [
        row(tool.name, versions[tool.name], file.name, file.stat().st_size)
        for tool in chosen
        for file in files
    ]
    if together is not None:
        raw = sum(file.stat().st_size for file in files)
        rows.append(row(folder_row, chosen[0].describe(), "*", raw))
    return rows


def parse() -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(
        description="Measures llmzip beside other compressors; see bench/README.md."
    )
    parser.add_argument("folder", type=Path, help="folder with the files; one archive a file")
    parser.add_argument("--repeats", type=int, default=1, help="turns; medians are kept [1]")
    parser.add_argument("--levels", default="1,3,6,8", help="llmzip's levels [1,3,6,8]")
    parser.add_argument("--tools", help="only tools whose name starts with one of these words")
    parser.add_argument("--llmzip", help="the program [the one beside this Python, or on the PATH]")
    parser.add_argument("--paq8px", metavar="PATH", help="add paq8px")
    parser.add_argument("--paq8px-levels", default="5,8", help="its levels [5,8]")
    parser.add_argument("--lpaq8", metavar="PATH", help="add lpaq8")
    parser.add_argument(
        "--tool",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "COMPRESS", "DECOMPRESS"),
        help="add a tool; the commands hold {input}, {archive}, {output}",
    )
    parser.add_argument("--timeout", type=float, help="seconds after which a command is given up")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="[bench/results.csv]")
    return parser.parse_args()


def find_llmzip(asked: str | None) -> str:
    """The llmzip to measure: as asked, beside this Python, or on the PATH."""
    beside = Path(sys.executable).with_name("llmzip")
    return asked or (str(beside) if beside.exists() else "llmzip")


def main() -> int:
    """Measures, writes the results and prints the table. Returns 1 when a tool failed on a file."""
    asked = parse()
    files = sorted(path for path in asked.folder.iterdir() if path.is_file())
    if not files or asked.repeats < 1:
        print("bench: give a folder with files and at least one repeat", file=sys.stderr)
        return 2
    program = find_llmzip(asked.llmzip)
    chosen = tools.llmzip(program, [int(level) for level in asked.levels.split(",")])
    chosen += tools.peers()
    if asked.paq8px:
        chosen += [
            tools.paq8px(level, program=asked.paq8px) for level in asked.paq8px_levels.split(",")
        ]
    if asked.lpaq8:
        chosen.append(tools.lpaq8("9", program=asked.lpaq8))
    for name, there, back in asked.tool:
        first, *compress = shlex.split(there)
        again, *decompress = shlex.split(back)
        if first != again:
            print(f"bench: {name}: both commands must run the same program", file=sys.stderr)
            return 2
        chosen.append(Tool(name, first, tuple(compress), tuple(decompress)))
    if asked.tools:
        starts = tuple(asked.tools.split(","))
        chosen = [tool for tool in chosen if tool.name.startswith(starts)]
    with_llmzip = any(tool.name.startswith("llmzip") for tool in chosen)
    rows = measure(
        chosen,
        files,
        repeats=asked.repeats,
        timeout=asked.timeout,
        together=program if with_llmzip else None,
    )
    report.save(asked.output, rows)
    print(report.peers_table(rows, rows[0].corpus))
    floor = report.mib(memory_floor())
    print(f"\nCPU seconds, one thread. Peaks under {floor} MiB cannot be told apart.")
    return int(any(row.status not in ("ok", "not installed") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
