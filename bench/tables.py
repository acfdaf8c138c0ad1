"""Tables and stacks of images: llmzip's archives beside those of peers, all decoded and compared.

Usage: python bench/tables.py FILE... [--levels 6,8] [--polypress PROGRAM] [--parquet PYTHON]
                                  [--openzl PYTHON] [--alone]
       python bench/tables.py FILE... --train DATA [--states 16] [--passes 10]
       python bench/tables.py readme bench/README.md

Every tool is a process of one thread for each file and direction, as in `peers.py`. llmzip runs
with its verification, `cm` alone beside it (`-p cm`). Polypress restores cells, not always bytes:
its row says which. Parquet (pyarrow in the interpreter PYTHON, zstd level 19, all columns as text)
and OpenZL (numbers of values, dictionaries by xz; its better graphs want a parser for each file)
keep columns alone. With --train a circuit is trained on DATA first and named with -m, at the first
of the levels: images are by it alone at 5, joined with contexts of pixels from 6 on. Its bytes
stand in a column of their own, and count in what is "adjusted". Rows are kept in tables.csv, one a
tool and file; a tool is measured again each time that it is run. `readme` puts tables of them into
a file.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import filecmp
import re
import shutil
import sys
import tempfile
from pathlib import Path

from report import grid

from llmzip.measure import tools
from llmzip.measure.child import Failed, run
from llmzip.measure.machine import machine
from llmzip.measure.results import Cost
from llmzip.measure.tools import Tool

HERE = Path(__file__).parent
RESULTS = HERE / "tables.csv"
FIELDS = (
    *("file", "bytes", "tool", "size", "model", "compress_s", "decompress_s", "train_s"),
    *("note", "date", "machine"),
)
PLACE = re.compile(r"(<!-- bench: tables -->\n).*?(<!-- end bench -->)", re.DOTALL)
PARQUET = """
import sys, pyarrow.csv as c, pyarrow.parquet as q, pyarrow as pa
first = open(sys.argv[1], "rb").readline().count(b",") + 1
names = [f"c{n}" for n in range(first)]
text = c.ConvertOptions(column_types={name: pa.string() for name in names})
table = c.read_csv(sys.argv[1], c.ReadOptions(column_names=names, use_threads=False), None, text)
q.write_table(table, sys.argv[2], compression="zstd", compression_level=19)
"""
# Numbers of each column's values, by the graph that is smallest for it, and the values themselves.
OPENZL = """
import lzma, sys, numpy, openzl.ext as zl
lines = open(sys.argv[1], "rb").read().splitlines()
rows = [line.split(b",") for line in lines]
rows = [row for row in rows if len(row) == len(rows[0])]
def coded(graph, values):
    compressor, context = zl.Compressor(), zl.CCtx()
    compressor.set_parameter(zl.CParam.FormatVersion, zl.MAX_FORMAT_VERSION)
    compressor.select_starting_graph(graph()(compressor))
    context.ref_compressor(compressor)
    context.set_parameter(zl.CParam.FormatVersion, zl.MAX_FORMAT_VERSION)
    made = context.compress([zl.Input(zl.Type.Numeric, values)])
    (back,) = zl.DCtx().decompress(made)
    assert back.content.as_nparray().tobytes() == values.tobytes()
    return made
out, dictionaries = [], []
for column in zip(*rows):
    distinct = sorted(set(column))
    number = {value: place for place, value in enumerate(distinct)}
    kinds = numpy.uint8, numpy.uint16, numpy.uint32
    kind = next(k for k in kinds if len(distinct) - 1 <= numpy.iinfo(k).max)
    values = numpy.array([number[value] for value in column], kind)
    graphs = zl.graphs.Compress, zl.graphs.FieldLz, zl.graphs.Bitpack
    out.append(min((coded(graph, values) for graph in graphs), key=len))
    dictionaries += distinct
out.append(lzma.compress(b",".join(dictionaries), preset=9))
open(sys.argv[2], "wb").write(b"".join(out))
"""

Row = dict[str, str]


def load(path: Path) -> list[Row]:
    """The rows of a results file, which need not be there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def put(path: Path, row: Row) -> None:
    """Keeps a row in place of the one of the same file and tool."""
    rows = [old for old in load(path) if (old["file"], old["tool"]) != (row["file"], row["tool"])]
    rows.append(row)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def general(levels: list[int], polypress: str | None) -> list[Tool]:
    """llmzip and the peers that are command lines."""
    program = shutil.which("llmzip") or str(Path(sys.executable).parent / "llmzip")
    options = [(f"-{level}",) for level in levels] + [("-6", "-p", "cm"), ("-8", "-p", "cm")]
    found = [tools.own(words, program=(program,)) for words in options]
    found += [tools.xz("9e"), tools.zstd("22"), tools.bzip2("9")]
    if polypress:
        write = ("compress", "{input}", "-o", "{archive}")
        found.append(
            Tool("polypress", polypress, write, ("restore", "{archive}", "-o", "{output}"))
        )
    return found


def one_way(tool: Tool, words: tuple[str, ...], names: dict[str, str], result: Path) -> Cost:
    """Runs a command whose result is a file, or its standard output."""
    result.unlink(missing_ok=True)
    command = [tool.path() or tool.program, *(word.format_map(names) for word in words)]
    named = any(str(result) in word for word in command)
    return run(command, folder=result.parent, stdout=None if named else result)


def measure(tool: Tool, file: Path, scratch: Path, model: Path | None = None) -> Row:
    """Bytes and CPU seconds both ways; `note` where another thing than the bytes came back."""
    if tool.path() is None:
        raise Failed("not installed")
    copied = scratch / file.name
    shutil.copyfile(file, copied)
    copied.chmod(0o644)
    # Polypress goes by the ending.
    archive, output = scratch / "coded.ppz", scratch / f"decoded{file.suffix}"
    names = {"input": str(copied), "archive": str(archive), "output": str(output)}
    try:
        there = one_way(tool, tool.compress, names, archive)
        size = archive.stat().st_size
        back = one_way(tool, tool.decompress, names, output)
        same = filecmp.cmp(file, output, shallow=False)
        if not same and tool.name != "polypress":
            raise Failed("decodes to other bytes")
    finally:
        for path in (copied, archive, output):
            path.unlink(missing_ok=True)
    return {
        "size": str(size),
        "model": str(model.stat().st_size) if model else "0",
        "compress_s": f"{there.cpu:.2f}",
        "decompress_s": f"{back.cpu:.2f}",
        "note": "" if same else "other bytes",
    }


def columns_alone(python: str, script: str, file: Path, scratch: Path) -> Row:
    """The size of what a script in another interpreter makes of the table's columns."""
    target = scratch / "columns"
    cost = run([python, "-c", script, str(file.resolve()), str(target)], folder=scratch)
    size = target.stat().st_size
    target.unlink()
    return {
        "size": str(size),
        "model": "0",
        "compress_s": f"{cost.cpu:.2f}",
        "note": "columns alone",
    }


def train(asked: argparse.Namespace, scratch: Path) -> tuple[Path, float]:
    """A circuit trained on a file, and the CPU seconds that it took."""
    pack = scratch / "circuit.pc"
    program = shutil.which("llmzip") or str(Path(sys.executable).parent / "llmzip")
    words = ["train", str(asked.train.resolve()), "-o", str(pack), "-T1", "-f", "-q"]
    words += ["--states", str(asked.states), "--passes", str(asked.passes)]
    return pack, run([program, *words], folder=scratch).cpu


def measure_all(asked: argparse.Namespace) -> None:
    """Every tool on every file."""
    levels = [int(level) for level in asked.levels.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        chosen = [] if asked.alone else general(levels, asked.polypress)
        pack: Path | None = None
        trained = ""
        if asked.train:
            pack, seconds = train(asked, scratch)
            trained = f"{seconds:.1f}"
            base = chosen[0]
            words = ("-p", "circuit", "-m", str(pack))
            course = f"{asked.states} states, {asked.passes} passes of {asked.train.name}"
            name = f"{base.name} -m circuit, {course}"
            back = ("-m", str(pack), *base.decompress)
            chosen = [Tool(name, base.program, (*words, *base.compress), back)]
        for file in asked.files:
            about = {
                "file": file.name,
                "bytes": str(file.stat().st_size),
                "train_s": trained,
                "date": datetime.date.today().isoformat(),
                "machine": machine(),
            }
            for tool in chosen:
                try:
                    row = measure(tool, file, scratch, pack)
                except Failed as error:
                    print(f"{file.name}: {tool.name}: {error}", file=sys.stderr)
                    continue
                put(asked.results, dict.fromkeys(FIELDS, "") | about | {"tool": tool.name} | row)
                print(file.name, tool.name, row)
            others = (
                ("parquet, zstd -19", asked.parquet, PARQUET),
                ("openzl, numbers of values", asked.openzl, OPENZL),
            )
            for name, python, script in others:
                if python and not asked.train:
                    row = columns_alone(python, script, file, scratch)
                    put(asked.results, dict.fromkeys(FIELDS, "") | about | {"tool": name} | row)
                    print(file.name, name, row)


def tables(rows: list[Row]) -> str:
    """A table for each file, the smallest first, as Markdown."""
    parts = []
    head = ("tool", "bytes", "model", "adjusted", "bits/byte", "s there", "s back", "note")
    for file in dict.fromkeys(row["file"] for row in rows):
        own = [row for row in rows if row["file"] == file]
        own.sort(key=lambda row: int(row["size"]) + int(row["model"] or 0))
        body = []
        for row in own:
            size, model = int(row["size"]), int(row["model"] or 0)
            shown = (f"{size:,}", f"{model:,}" if model else "", f"{size + model:,}")
            bits = f"{8 * size / int(row['bytes']):.4f}"
            note = row["note"] or (f"trained in {row['train_s']} s" if row["train_s"] else "")
            body.append((row["tool"], *shown, bits, row["compress_s"], row["decompress_s"], note))
        parts.append(f"{file}, {int(own[0]['bytes']):,} bytes:\n\n{grid(head, body)}")
    note = f"{rows[-1]['machine']}, until {max(row['date'] for row in rows)}."
    return "\n\n".join(parts) + f"\n\n{note}\n"


def fill(text: str, rows: list[Row]) -> str:
    """Replaces the marked tables in a Markdown text."""
    return PLACE.sub(lambda place: place[1] + (tables(rows) if rows else "") + place[2], text)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Tables and stacks of images, beside peers.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--levels", default="6,8")
    parser.add_argument("--polypress", help="its program")
    parser.add_argument("--parquet", help="a Python that has pyarrow")
    parser.add_argument("--openzl", help="a Python that has openzl and numpy")
    parser.add_argument("--alone", action="store_true", help="only those of columns alone")
    parser.add_argument("--train", type=Path)
    parser.add_argument("--states", type=int, default=16)
    parser.add_argument("--passes", type=int, default=10)
    asked = parser.parse_args()
    if str(asked.files[0]) == "readme":
        for file in asked.files[1:]:
            file.write_text(fill(file.read_text(), load(asked.results)))
        return
    measure_all(asked)


if __name__ == "__main__":
    main()
