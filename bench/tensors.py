"""llmzip beside other compressors of checkpoints: sizes, and speed in memory on one thread.

Usage: python bench/tensors.py FILE... [--turns 9] [--output bench/tensors.csv]

Peers are Python packages: zipnn, lmz, openzl, zstandard, blosc2; one that is missing is left out
with a note. Peers that want raw elements get the file's tensors as they lie, and their kind from
the file's name (bf16, fp16, fp32, fp8) or bytes. Every result that is counted was decoded and
compared. Turns are interleaved, times are wall time of the calls, medians are kept.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import llmzip
from llmzip.tensors import decompress_into

FIELDS = ("file", "bytes", "tool", "coded", "percent", "compress_mb_s", "decompress_mb_s", "date")
ZIPNN_KINDS = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", "fp8": "float8_e4m3fn"}


@dataclass
class Tool:
    """A compressor: bytes to something, and that back; the size of that something."""

    name: str
    compress: Callable[[bytes], object]
    decompress: Callable[[object], object]
    size: Callable[[object], int]


def _length(coded: object) -> int:
    assert isinstance(coded, (bytes, bytearray, memoryview))
    return len(coded)


def _llmzip(level: int) -> Tool:
    options = llmzip.Options(level=level, threads=1, verify=False)
    warm: dict[int, bytearray] = {}

    def decompress(coded: object) -> object:
        assert isinstance(coded, bytes)
        return decompress_into(coded, warm[0], threads=1) and warm[0]

    def compress(data: bytes) -> object:
        warm.setdefault(0, bytearray(len(data)))
        return llmzip.compress(data, options=options)

    return Tool(f"llmzip -{level}, into a warm buffer", compress, decompress, _length)


def _unwritten(length: int) -> bytearray | memoryview:
    """Memory as a user gets it to decode to: numpy's is not filled with zeros beforehand."""
    try:
        numpy: Any = import_module("numpy")
    except ImportError:
        return bytearray(length)
    return memoryview(numpy.empty(length, numpy.uint8))


def _llmzip_fresh(level: int) -> Tool:
    options = llmzip.Options(level=level, threads=1, verify=False)
    lengths: dict[int, int] = {}

    def compress(data: bytes) -> object:
        lengths[0] = len(data)
        return llmzip.compress(data, options=options)

    def decompress(coded: object) -> object:
        assert isinstance(coded, bytes)
        out = _unwritten(lengths[0])
        decompress_into(coded, out, threads=1)
        return out

    return Tool(f"llmzip -{level}, fresh output", compress, decompress, _length)


def _zipnn(kind: str) -> Tool:
    zipnn: Any = import_module("zipnn")

    def make() -> Any:
        return zipnn.ZipNN(input_format="byte", bytearray_dtype=kind, threads=1)

    # A copy: zipnn changes its input in place.
    return Tool(
        "zipnn",
        lambda data: make().compress(bytearray(data)),
        lambda coded: make().decompress(coded),
        _length,
    )


def _lmz(folder: Path, suffix: str) -> Tool:
    lmz: Any = import_module("lmz")

    raw, coded, back = (folder / name for name in ("raw" + suffix, "coded.lmz", "back"))

    def compress(data: bytes) -> object:
        if not raw.exists():
            raw.write_bytes(data)
        coded.unlink(missing_ok=True)
        lmz.compress(str(raw), str(coded), workers=1)
        return coded

    def decompress(_: object) -> object:
        back.unlink(missing_ok=True)
        lmz.decompress(str(coded), str(back), workers=1)
        return back

    return Tool("lmz (files)", compress, decompress, lambda _: coded.stat().st_size)


def _zstd(level: int) -> Tool:
    zstandard: Any = import_module("zstandard")

    packer = zstandard.ZstdCompressor(level)
    return Tool(
        f"zstd -{level}",
        packer.compress,
        lambda coded: zstandard.ZstdDecompressor().decompress(coded),
        _length,
    )


def tools(path: Path, folder: Path) -> list[Tool]:
    """All that are installed; says which are not."""
    kind = next((ZIPNN_KINDS[word] for word in ZIPNN_KINDS if word in path.name), "bfloat16")
    made = [_llmzip(1), _llmzip(6), _llmzip_fresh(6)]
    makers: list[tuple[str, Callable[[], Tool]]] = [
        ("zipnn", lambda: _zipnn(kind)),
        ("lmz", lambda: _lmz(folder, path.suffix)),
        ("zstandard", lambda: _zstd(3)),
    ]
    for package, make in makers:
        try:
            made.append(make())
        except ImportError:
            print(f"{package} is not installed: left out", file=sys.stderr)
    return made


def _content(decoded: object) -> bytes:
    if isinstance(decoded, Path):
        return decoded.read_bytes()
    assert isinstance(decoded, (bytes, bytearray, memoryview))
    return bytes(decoded)


def measure(path: Path, turns: int) -> list[dict[str, object]]:
    """A row for each tool."""
    data = path.read_bytes()
    with tempfile.TemporaryDirectory(prefix="llmzip-bench-") as folder:
        found = tools(path, Path(folder))
        times: dict[str, tuple[list[float], list[float]]] = {tool.name: ([], []) for tool in found}
        sizes: dict[str, int] = {}
        for turn in range(turns):
            for tool in found:
                began = time.perf_counter()
                coded = tool.compress(data)
                middle = time.perf_counter()
                decoded = tool.decompress(coded)
                ended = time.perf_counter()
                if turn == 0 and _content(decoded) != data:
                    raise SystemExit(f"{tool.name} lost bytes of {path}")
                times[tool.name][0].append(middle - began)
                times[tool.name][1].append(ended - middle)
                sizes[tool.name] = max(sizes.get(tool.name, 0), tool.size(coded))
    today = datetime.date.today().isoformat()
    rows: list[dict[str, object]] = []
    for name, (coding, decoding) in times.items():
        speeds = [round(len(data) * 1e-6 / statistics.median(t)) for t in (coding, decoding)]
        percent = round(100 * sizes[name] / len(data), 3)
        values = (path.name, len(data), name, sizes[name], percent, *speeds, today)
        rows.append(dict(zip(FIELDS, values, strict=True)))
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measures compressors of checkpoints.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "tensors.csv")
    asked = parser.parse_args()
    rows: list[dict[str, object]] = []
    for path in asked.files:
        for row in measure(path, asked.turns):
            rows.append(row)
            print(
                f"{row['file']!s:28} {row['tool']!s:32} {row['percent']:8} % "
                f"{row['compress_mb_s']:6} MB/s {row['decompress_mb_s']:6} MB/s",
                flush=True,
            )
    with asked.output.open("w", newline="") as sink:
        writer = csv.DictWriter(sink, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
