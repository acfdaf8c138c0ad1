"""What cutting a file into segments costs: bytes of each segment size against one segment.

Usage: python bench/segments.py FILE [--levels 3,6,8] [--sizes 1M,4M,16M,64M]

A segment starts with an untrained predictor, so smaller segments buy threads, random access and
recovery with bytes. Every archive that is counted was decoded and compared.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import io
import os
import sys
from pathlib import Path
from typing import BinaryIO, cast

from llmzip.archive import read_archive, write_archive
from llmzip.limits import Limits
from llmzip.options import Options

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
COLUMNS = ("file", "raw_bytes", "level", "segment_bytes", "segments", "archive_bytes", "date")


class Hasher(io.RawIOBase):
    """A sink that keeps only the SHA-256 of what it is given."""

    def __init__(self) -> None:
        self.sum = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(cast(bytes, data))
        self.sum.update(view)
        return view.nbytes


def parse_size(text: str) -> int:
    """``16M`` as a number of bytes."""
    unit = UNITS.get(text[-1:].upper())
    return int(text[:-1]) * unit if unit else int(text)


def measure(data: bytes, level: int, segment: int, threads: int) -> tuple[int, int]:
    """Bytes and segments of the archive of ``data``.

    Raises ``RuntimeError`` when the archive decodes to other bytes.
    """
    archive = io.BytesIO()
    options = Options(level=level, segment_size=segment, threads=threads, verify=False)
    summary = write_archive(io.BytesIO(data), archive, options)
    archive.seek(0)
    decoded = Hasher()
    read_archive(archive, cast(BinaryIO, decoded), threads=threads, limits=Limits())
    if decoded.sum.digest() != hashlib.sha256(data).digest():
        raise RuntimeError("the archive decodes to other bytes")
    return archive.getbuffer().nbytes, summary.segments


def main() -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="bytes that segment sizes cost")
    parser.add_argument("file", type=Path)
    parser.add_argument("--levels", default="3,6,8")
    parser.add_argument("--sizes", default="1M,2M,4M,8M,16M,32M,64M")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("segments.csv"))
    asked = parser.parse_args()
    data = asked.file.read_bytes()
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    sizes = [size for size in map(parse_size, asked.sizes.split(",")) if size < len(data)]
    if not sizes:
        sys.exit(f"bench: {asked.file} is no larger than the smallest segment")
    lines = []
    print(f"{'level':>5} {'segment':>12} {'segments':>8} {'bytes':>12} {'loss':>8}")
    for level in map(int, asked.levels.split(",")):
        whole, _ = measure(data, level, len(data), asked.threads)
        for size in [*sizes, len(data)]:
            coded, count = (
                measure(data, level, size, asked.threads) if size < len(data) else (whole, 1)
            )
            loss = 100 * (coded - whole) / whole
            print(f"{level:>5} {size:>12,} {count:>8} {coded:>12,} {loss:>7.2f}%")
            lines.append((asked.file.name, len(data), level, size, count, coded, day))
    with open(asked.output, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *lines])


if __name__ == "__main__":
    main()
