"""Text with a language model: speed beside llama.cpp, and sizes of archives that were decoded.

Usage: python bench/llm.py speed MODEL TEXT --gguf FILE [--threads 1,2] [--turns 5] [--peer PYTHON]
       python bench/llm.py size MODEL FILE... [--bytes N] [--levels 6,7] [--threads 0] [--floats]
       python bench/llm.py text SDIST OUTPUT
       python bench/llm.py readme bench/README.md

`speed` evaluates the same tokens with both, turns interleaved, and keeps medians: blocks in a
window of 2,048 with all logits, and one token at a time; llmzip also eight sequences in lockstep.
llmzip is its example `transformer_bench`, which needs cargo; llama.cpp is llama-cpp-python in the
interpreter PYTHON, this one by default, and is left out with a note where that has it not. `size`
compresses with the model and without, decodes and compares; with --floats (extra `hf`) the model
alone in float32, in windows of 2,048 that move by half, stands beside it. `text` makes a text out
of a source distribution, see `new_text.toml`. Rows that are in llm.csv are measured again with
--again alone; they are kept one by one, so that a run can be broken off. `readme` puts tables of
them into a file.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import io
import math
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from pathlib import Path

from report import grid

from llmzip.archive import read_archive, write_archive
from llmzip.base import Bases
from llmzip.measure.machine import processor
from llmzip.models.loaded import Loaded, named
from llmzip.options import Options
from llmzip.route import language

HERE = Path(__file__).parent
RESULTS = HERE / "llm.csv"
FIELDS = (
    *("part", "tool", "file", "sha256", "bytes", "setting", "threads", "value", "unit"),
    *("seconds", "turns", "machine", "date"),
)
WINDOW = 2048
# Tokens of each turn of a setting, and how many llmzip evaluates at a time, as its encoder does.
BLOCK, ONE, EACH = 2048, 128, 64
BATCH = 128
TOGETHER = 8
PEER = """
import sys, time, array, llama_cpp
gguf, tokens, setting, threads, count = sys.argv[1:]
tokens = array.array("I", open(tokens, "rb").read()).tolist()[: int(count)]
model = llama_cpp.Llama(gguf, n_ctx=2048, n_batch=512, n_threads=int(threads), logits_all=True,
                        n_threads_batch=int(threads), verbose=False)
model.eval(tokens[:8])
model.reset()
began = time.perf_counter()
if setting == "block":
    model.eval(tokens)
else:
    for token in tokens:
        model.eval([token])
print(f"{len(tokens) / (time.perf_counter() - began):.1f} tokens/s")
"""
PLACE = re.compile(r"(<!-- bench: llm -->\n).*?(<!-- end bench -->)", re.DOTALL)
Row = dict[str, str]


class Results:
    """Rows of a file, kept after every one, so that a run can be broken off and taken up again."""

    def __init__(self, path: Path, again: bool) -> None:
        self._path = path
        self._again = again
        self.rows: list[Row] = load(path)

    def has(self, **key: object) -> bool:
        """Whether a row has these values, and is not to be made anew."""
        return not self._again and self._find(key) is not None

    def put(self, **values: object) -> None:
        """Adds a row, or replaces the one of the same measurement; prints it."""
        row = dict.fromkeys(FIELDS, "") | {name: str(value) for name, value in values.items()}
        row |= {"machine": processor(), "date": datetime.date.today().isoformat()}
        names = ("part", "tool", "file", "bytes", "setting", "threads")
        key: dict[str, object] = {name: row[name] for name in names}
        old = self._find(key)
        if old is None:
            self.rows.append(row)
        else:
            self.rows[self.rows.index(old)] = row
        part = self._path.with_suffix(".part")
        with part.open("w", newline="") as sink:
            writer = csv.DictWriter(sink, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        part.replace(self._path)
        print("  ".join(row[name] for name in FIELDS[:11] if name != "sha256"), flush=True)

    def _find(self, key: dict[str, object]) -> Row | None:
        wanted = {name: str(value) for name, value in key.items()}
        return next((row for row in self.rows if wanted.items() <= row.items()), None)


def load(path: Path) -> list[Row]:
    """The rows of a file of results; none where there is none.

    Raises ``ValueError`` where it has other columns.
    """
    if not path.exists():
        return []
    with path.open(newline="") as source:
        reader = csv.DictReader(source)
        if tuple(reader.fieldnames or ()) != FIELDS:
            raise ValueError(f"{path}: other columns; remove it and measure anew")
        return list(reader)


def facts(path: Path, data: bytes) -> dict[str, object]:
    """What a row says of the file."""
    sha256 = hashlib.sha256(data).hexdigest()
    return {"file": path.name, "sha256": sha256, "bytes": len(data)}


def speed(asked: argparse.Namespace, results: Results) -> None:
    """Rows of tokens a second."""
    data = asked.text.read_bytes()[: 1 << 17]
    model = language(named(asked.model, 1))
    tokens = model.native.tokens(data)
    if len(tokens) < BLOCK:
        raise SystemExit(f"{asked.text}: too short, {BLOCK:,} tokens are needed")
    with tempfile.TemporaryDirectory(prefix="llmzip-bench-") as folder:
        pack, words = Path(folder) / "pack", Path(folder) / "tokens"
        pack.write_bytes(model.pack)
        words.write_bytes(b"".join(token.to_bytes(4, "little") for token in tokens))
        command = ["cargo", "build", "--release", "-q", "-p", "llmzip-predictors"]
        subprocess.run([*command, "--example", "transformer_bench"], cwd=HERE.parent, check=True)
        own = ["cargo", "run", "--release", "-q", "-p", "llmzip-predictors", "--example"]
        own += ["transformer_bench", "--", str(pack), str(words), str(WINDOW)]
        peer = [asked.peer, "-c", PEER, str(asked.gguf), str(words)]
        for threads in map(int, asked.threads.split(",")):
            commands = {
                ("llmzip", "block"): [*own, f"{BATCH}", f"{threads}", f"{BLOCK}"],
                ("llmzip", "one"): [*own, "1", f"{threads}", f"{ONE}"],
                ("llmzip", f"lockstep {TOGETHER}"): [
                    *own,
                    *("1", f"{threads}", f"{EACH}", f"{TOGETHER}"),
                ],
                ("llama.cpp", "block"): [*peer, "block", f"{threads}", f"{BLOCK}"],
                ("llama.cpp", "one"): [*peer, "one", f"{threads}", f"{ONE}"],
            }
            _interleaved(commands, threads, asked, facts(asked.text, data), results)


def said(output: str) -> float | None:
    """Tokens a second, as llmzip's example and llama.cpp's script print them."""
    number = re.search(r"([0-9.]+) tokens/s", output)
    return float(number[1]) if number else None


def _interleaved(
    commands: dict[tuple[str, str], list[str]],
    threads: int,
    asked: argparse.Namespace,
    about: dict[str, object],
    results: Results,
) -> None:
    due = {
        name: command
        for name, command in commands.items()
        if not results.has(part="speed", tool=name[0], setting=name[1], threads=threads)
    }
    found: dict[tuple[str, str], list[float]] = {name: [] for name in due}
    for _ in range(asked.turns):
        for name, command in due.items():
            if name[0] == "llama.cpp" and asked.gguf is None:
                continue
            done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
            number = said(done.stdout)
            if done.returncode or number is None:
                lines = done.stderr.strip().splitlines()
                why = lines[-1] if lines else f"exit code {done.returncode}"
                print(f"{' '.join(name)}: left out: {why}", file=sys.stderr)
                continue
            found[name].append(number)
    for (tool, setting), speeds in found.items():
        if speeds:
            results.put(
                **{"part": "speed", "tool": tool, "setting": setting, "threads": threads},
                **{"value": round(statistics.median(speeds), 1), "unit": "tokens/s"},
                **{"turns": len(speeds)} | about,
            )


def size(asked: argparse.Namespace, results: Results) -> None:
    """Rows of bits a byte, and of tokens a second that decoding took."""
    model = language(named(asked.model, asked.threads))
    for path in asked.files:
        data = path.read_bytes()[: asked.bytes]
        about = facts(path, data)
        key = {"part": "size", "file": path.name, "bytes": len(data), "threads": asked.threads}
        for level in asked.levels.split(","):
            for tool, name in (("llmzip with the model", asked.model), ("llmzip without", None)):
                if results.has(tool=tool, setting=f"-{level}", **key):
                    continue
                options = Options(level=int(level), model=name, verify=False, threads=asked.threads)
                began = time.perf_counter()
                archive, content = io.BytesIO(), io.BytesIO()
                write_archive(io.BytesIO(data), archive, options)
                middle = time.perf_counter()
                archive.seek(0)
                read_archive(
                    archive, content, threads=asked.threads, bases=Bases(model=asked.model)
                )
                ended = time.perf_counter()
                if content.getvalue() != data:
                    raise SystemExit(f"{path} does not come back")
                bits = 8 * len(archive.getvalue()) / len(data)
                both = f"{middle - began:.1f} / {ended - middle:.1f}"
                results.put(
                    **key | about | {"tool": tool, "setting": f"-{level}", "turns": 1},
                    **{"value": f"{bits:.5f}", "unit": "bits/byte", "seconds": both},
                )
        alone = "float32, the model alone"
        if asked.floats and not results.has(tool=alone, **key):
            value = f"{float_bits(model, data) / len(data):.5f}"
            setting = f"windows of {WINDOW} by half"
            results.put(
                **key | about | {"tool": alone, "setting": setting, "turns": 1},
                **{"value": value, "unit": "bits/byte"},
            )


def float_bits(model: Loaded, data: bytes) -> float:
    """Bits of a text by the model alone in float32, in windows that move by half.

    The first token costs as much as any of the vocabulary's.
    """
    from llmzip.models import torch_float

    floats = torch_float.of_pack(model.pack)
    tokens = model.native.tokens(data)
    half = WINDOW // 2
    nats = list(floats.costs(tokens[:WINDOW], WINDOW))
    for at in range(half, len(tokens) - half, half):
        nats += floats.costs(tokens[at : at + WINDOW], WINDOW)[half:]
    if len(nats) != len(tokens):
        raise AssertionError("a token was left out, or counted twice")
    vocabulary = floats.logits(tokens[:1]).shape[1]
    return (math.fsum(nats) + math.log(vocabulary)) / math.log(2)


def text(asked: argparse.Namespace) -> None:
    """Makes the text of `new_text.toml` out of the source distribution."""
    with (HERE / "new_text.toml").open("rb") as file:
        wanted = tomllib.load(file)
    data = asked.sdist.read_bytes()
    if hashlib.sha256(data).hexdigest() != wanted["sha256"]:
        raise SystemExit(f"{asked.sdist} is not {wanted['sdist']}: its sha256 is another")
    made = documents(data, wanted["folder"], tuple(wanted["suffixes"]))[: wanted["bytes"]]
    if hashlib.sha256(made).hexdigest() != wanted["text_sha256"]:
        raise SystemExit("the text is not the one that was measured")
    asked.output.write_bytes(made)


def documents(sdist: bytes, folder: str, suffixes: tuple[str, ...]) -> bytes:
    """All files of a .tar.gz below a folder with these suffixes, by their names, joined."""
    with tarfile.open(fileobj=io.BytesIO(sdist)) as archive:
        members = sorted((m for m in archive if m.isfile()), key=lambda member: member.name)
        chosen = [m for m in members if m.name.startswith(folder) and m.name.endswith(suffixes)]
        return b"".join(file.read() for member in chosen if (file := archive.extractfile(member)))


def tables(rows: list[Row]) -> str:
    """Speeds and their ratios, then sizes, as Markdown."""
    speeds = [row for row in rows if row["part"] == "speed"]
    found = {(row["tool"], row["setting"], row["threads"]): float(row["value"]) for row in speeds}
    body = []
    for row in speeds:
        if row["tool"] == "llama.cpp":
            continue
        # llama.cpp has no lockstep: one token at a time is what a user of it has.
        other = row["setting"] if row["setting"] == "block" else "one"
        peer = found.get(("llama.cpp", other, row["threads"]))
        shown = ("-", "-") if peer is None else (f"{peer:.1f}", f"{float(row['value']) / peer:.2f}")
        body.append((row["setting"], row["threads"], row["value"], *shown))
    head = ("tokens/s", "threads", "llmzip", "llama.cpp", "ratio")
    names = ("file", "bytes", "tool", "setting", "value", "seconds")
    sizes = [[row[name] for name in names] for row in rows if row["part"] == "size"]
    size = grid(("file", "bytes", "tool", "setting", "bits/byte", "s there / back"), sizes)
    note = f"{rows[-1]['machine']}, until {max(row['date'] for row in rows)}."
    return f"{grid(head, body)}\n\n{size}\n\n{note}\n"


def fill(text: str, rows: list[Row]) -> str:
    """Replaces the marked tables in a Markdown text."""
    return PLACE.sub(lambda place: place[1] + (tables(rows) if rows else "") + place[2], text)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Text with a language model: speed and sizes.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--again", action="store_true", help="measure what is in the results too")
    parts = parser.add_subparsers(dest="part", required=True)
    one = parts.add_parser("speed")
    one.add_argument("model")
    one.add_argument("text", type=Path)
    one.add_argument("--gguf", type=Path)
    one.add_argument("--threads", default="1,2")
    one.add_argument("--turns", type=int, default=5)
    one.add_argument("--peer", default=sys.executable, help="a Python that has llama-cpp-python")
    two = parts.add_parser("size")
    two.add_argument("model")
    two.add_argument("files", nargs="+", type=Path)
    two.add_argument("--bytes", type=int, help="of each file's beginning")
    two.add_argument("--levels", default="6,7")
    two.add_argument("--threads", type=int, default=0)
    two.add_argument("--floats", action="store_true")
    three = parts.add_parser("text")
    three.add_argument("sdist", type=Path)
    three.add_argument("output", type=Path)
    four = parts.add_parser("readme")
    four.add_argument("file", type=Path)
    asked = parser.parse_args()
    if asked.part == "text":
        text(asked)
        return
    results = Results(asked.results, asked.again)
    if asked.part == "speed":
        speed(asked, results)
    elif asked.part == "size":
        size(asked, results)
    else:
        asked.file.write_text(fill(asked.file.read_text(), results.rows))


if __name__ == "__main__":
    main()
