"""Predictor `cm`, version 1: tables, counters, hashes. FORMAT.md, section 8.1 and `mix` of 8.3.

The modules cm_*.py are compiled with numba, for speed only. Whole numbers are int64, which holds
every value here; hashes and the coder's interval wrap at 2^64 and are uint64. The two are never
mixed: numba makes a float of that. A function takes the parts of a State that it needs, since each
array that is passed costs time to compile.
"""

from pathlib import Path

import numpy as np
from numba import njit
from numpy import uint64 as u64

# Nothing divides by zero: not looking for it saves a third of the time.
compiled = njit(error_model="numpy")

TABLES = Path(__file__).parents[2] / "predictors" / "tables"

# 8.1
SQUASH = np.loadtxt(TABLES / "squash.csv", dtype=np.int64)
STRETCH = np.loadtxt(TABLES / "stretch.csv", dtype=np.int64)
HISTORY = np.zeros((256, 4), dtype=np.int64)
_rows = np.loadtxt(TABLES / "bit_history.csv", dtype=np.int64, delimiter=",")
HISTORY[: len(_rows)] = _rows
RECIPROCAL = np.array([8192 // (2 * n + 3) for n in range(1024)])

GOLDEN = u64(0x9E3779B97F4A7C15)
SPREAD = u64(0x6A09E667F3BCC909)
LOW_32 = u64(2**32 - 1)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.int64)


def counter(p: int, n: int) -> int:
    return p << 10 | n


def new_map() -> np.ndarray:
    """8.1: the counters that a map starts with."""
    return np.array(
        [
            counter((5 * ones + 2) * 2**22 // (5 * (zeros + ones) + 4), 6)
            for zeros, ones in HISTORY[:, 2:].tolist()
        ]
    )


@compiled
def clamp(x: int, m: int) -> int:
    return min(max(x, -m), m)


@compiled
def squash(x: int) -> int:
    return SQUASH[(x + 32768) >> 4]


@compiled
def stretched(counter: int) -> int:
    """8.1: `stretch(p12)` of a counter."""
    return STRETCH[counter >> 20]


@compiled
def share(counter: int) -> int:
    """8.5, 8.6: how far a counter's probability is from one half."""
    return ((counter >> 16) - 32768) >> 3


@compiled
def updated(counter: int, bit: bool, limit: int) -> int:
    """8.1: a counter after a bit."""
    p = counter >> 10
    n = counter & 1023
    target = 2**22 - 1 if bit else 0
    p += (((target - p) >> 4) * RECIPROCAL[n]) >> 8
    return p << 10 | (n + 1 if n < limit else n)


@compiled
def mix(h: u64, v: u64) -> u64:
    """8.3: takes a number into a hash."""
    h = (h ^ v) + (v << u64(32))
    h = h * GOLDEN
    return h ^ (h >> u64(29))
