"""What one tensor out of a large archive takes, beside the same tensor alone in an archive.

Usage: python bench/one_tensor.py FILE.llmz [--turns 15]

Prints, for tensors of about 100 KB, 5 MB and 40 MB: milliseconds for opening the archive and
reading the tensor, and for reading it where the archive is open already; of the archive that has
it alone; and the ratios. One thread, CPU time, medians, with turns interleaved. Needs numpy (and
ml_dtypes for bf16).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from llmzip.tensors import safe_open
from llmzip.tensors.numpy import save_file

SIZES = (100_000, 5_000_000, 40_000_000)


def _milliseconds(runs: list[Callable[[], object]], turns: int) -> list[float]:
    """The median of each."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(turns):
        for run, its in zip(runs, times, strict=True):
            began = time.process_time()
            run()
            its.append(1e3 * (time.process_time() - began))
    return [statistics.median(its) for its in times]


def _cold(path: Path, name: str) -> Callable[[], object]:
    def run() -> object:
        with safe_open(path, "np", threads=1) as file:
            return file.get_tensor(name)

    return run


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Times reading one tensor of an archive.")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--turns", type=int, default=15)
    asked = parser.parse_args()
    archive: Path = asked.archive
    with safe_open(archive, "np", threads=1) as file, tempfile.TemporaryDirectory() as folder:
        lengths = {name: file.get_tensor(name).nbytes for name in file.offset_keys()}
        print(f"{archive.name}: {archive.stat().st_size:,} bytes, {len(lengths):,} tensors")
        for size in SIZES:
            name = min(lengths, key=lambda name: abs(lengths[name] - size))
            alone = Path(folder, "alone.llmz")
            save_file({"alone": file.get_tensor(name)}, alone)
            with safe_open(alone, "np", threads=1) as other:
                runs: list[Callable[[], object]] = [
                    _cold(archive, name),
                    _cold(alone, "alone"),
                    lambda name=name: file.get_tensor(name),  # type: ignore[misc]
                    lambda other=other: other.get_tensor("alone"),  # type: ignore[misc]
                ]
                cold, cold_alone, warm, warm_alone = _milliseconds(runs, asked.turns)
            print(
                f"{lengths[name]:>11,} bytes  with opening {cold:8.2f} ms, alone {cold_alone:8.2f} "
                f"({cold / cold_alone:.2f}x)  opened {warm:8.2f} ms, alone {warm_alone:8.2f} "
                f"({warm / warm_alone:.2f}x)  {name}"
            )


if __name__ == "__main__":
    main()
