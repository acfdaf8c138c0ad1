"""Importing llmzip stays cheap: a command line that starts slowly is not used on small files."""

from __future__ import annotations

import os
import subprocess
import sys
import time

TURNS = 9
BUDGET = 0.060  # seconds beyond bare Python

# Each costs more than the whole budget or drags in what does.
HEAVY = {"torch", "transformers", "numpy", "numba", "click", "json", "concurrent.futures"}


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", code], check=True, cwd=os.sep)
    return time.perf_counter() - start


def test_import_is_quick() -> None:
    """The best of several turns, taken alternately: what else runs here can only add time."""
    seconds("import llmzip")  # writes the bytecode
    bare, imported = [], []
    for _ in range(TURNS):
        bare.append(seconds("pass"))
        imported.append(seconds("import llmzip"))
    assert min(imported) - min(bare) < BUDGET


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, llmzip; print('\\n'.join(sys.modules))"
    listed = subprocess.run(
        [sys.executable, "-P", "-c", code], check=True, cwd=os.sep, capture_output=True, text=True
    )
    assert HEAVY & set(listed.stdout.split()) == set()
