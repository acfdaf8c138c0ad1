"""Predictor `cm`, version 1: match models and run maps. FORMAT.md, sections 8.6 and 8.7."""

from typing import NamedTuple

import numpy as np
from numpy import uint64 as u64

from .cm_basics import GOLDEN, LOW_32, SPREAD, compiled, counter, share, stretched, updated, zeros
from .cm_history import Past, back, tail
from .cm_plans import Plan

LIMIT = 1023

# What a match model keeps.
MATCH = np.dtype(
    [
        (name, np.int64)
        for name in ("shortest", "length", "misses", "pointer", "expected", "counter", "len16")
    ]
)
# What a context keeps of its run; `count` and `byte` as they were when the byte began.
RUN = np.dtype([(name, np.int64) for name in ("entry", "count", "byte", "counter")])
# An entry of the table of all contexts.
ENTRY = np.dtype([(name, np.int64) for name in ("check", "byte", "count")])


class Matches(NamedTuple):
    """One row for each model."""

    models: np.ndarray
    positions: np.ndarray
    counters: np.ndarray


class Runs(NamedTuple):
    """One row for each context, but for the table of entries; empty where there are no run maps."""

    runs: np.ndarray
    entries: np.ndarray
    counters: np.ndarray


def new_match_counters() -> np.ndarray:
    """8.6: by class and misses."""
    return np.array(
        [[counter(2**22 - 2**22 // (3 + 2 * class_), 0)] * 4 for class_ in range(32)]
    ).reshape(-1)


def new_run_counters() -> np.ndarray:
    """8.7: by position and class."""
    return np.array(
        [counter(2**22 - 2**22 // (2 + 2 * class_), 4) for class_ in range(32)] * 8
    ).reshape(8, 32)


def new_matches(plan: Plan) -> Matches:
    count = len(plan.lengths)
    models = np.zeros(count, dtype=MATCH)
    models["shortest"], models["expected"] = plan.lengths, -1
    return Matches(models, zeros(count, 2**18), np.tile(new_match_counters(), (count, 1)))


def new_runs(plan: Plan, table_bits: int) -> Runs:
    n = len(plan.contexts) if plan.runs else 0
    entries = np.zeros(2 ** (table_bits - 4) if plan.runs else 0, dtype=ENTRY)
    return Runs(np.zeros(n, dtype=RUN), entries, np.tile(new_run_counters(), (n, 1, 1)))


@compiled
def find_match(past: Past, s: Matches, model: int) -> None:
    """8.6: after each byte."""
    seen = past.values[0].seen
    m = s.models[model]
    bytes_ = past.history
    if m.length > 0:
        if bytes_[seen - 1] == bytes_[m.pointer]:
            m.length = min(m.length + 1, 65535)
            if m.length % 16 == 0 and m.misses > 0:
                m.misses -= 1
        else:
            m.misses += 1
            m.length = 1 if m.misses < 4 else 0
        m.pointer += 1
    if seen >= m.shortest:
        b = u64(0)
        for d in range(min(m.shortest, 12), 8, -1):
            b = b << u64(8) | back(past, d)
        a = tail(past.values[0], min(m.shortest, 8))
        entry = np.int64((a * GOLDEN + b * SPREAD) >> u64(46))
        candidate = s.positions[model, entry]
        s.positions[model, entry] = seen
        if candidate > 0 and (m.length == 0 or (m.misses > 0 and m.length < 16)):
            run = 0
            while run < min(candidate, 400):
                if bytes_[candidate - 1 - run] != bytes_[seen - 1 - run]:
                    break
                run += 1
            if run >= m.shortest and run > m.length:
                m.length = run
                m.pointer = candidate
                m.misses = 0
    m.expected = np.int64(bytes_[m.pointer]) if m.length > 0 else -1


@compiled
def length_class(length: int) -> int:
    """8.6: the class of a match's length."""
    if length < 16:
        return length
    if length < 32:
        return 16 + (length - 16) // 4
    if length < 96:
        return 20 + (length - 32) // 16
    if length < 512:
        return 24 + (length - 96) // 104
    log = 9
    while length >> (log + 1):
        log += 1
    return 28 + min(log - 9, 3)


@compiled
def match_inputs(v: np.void, s: Matches, model: int, inputs: np.ndarray) -> None:
    """8.6: two inputs, and `len16`."""
    m = s.models[model]
    if m.expected >= 0 and (m.expected | 256) >> (8 - v.pos) != v.partial:
        m.expected = -1
    inputs[0] = inputs[1] = 0
    m.len16 = 0
    m.counter = -1
    if m.expected >= 0:
        class_ = length_class(m.length)
        m.len16 = 1 + class_ * 15 // 32
        m.counter = 4 * class_ + min(m.misses, 3)
        sign = 1 if (m.expected >> (7 - v.pos)) & 1 else -1
        state = s.counters[model, m.counter]
        inputs[0] = sign * stretched(state)
        inputs[1] = sign * share(state)


@compiled
def update_match(v: np.void, s: Matches, model: int, bit: int) -> None:
    m = s.models[model]
    if m.counter >= 0:
        came = bit == (m.expected >> (7 - v.pos)) & 1
        old = s.counters[model, m.counter]
        s.counters[model, m.counter] = updated(old, came, LIMIT)


@compiled
def find_runs(v: np.void, hashes: np.ndarray, s: Runs) -> None:
    """8.7: after each byte."""
    last = np.int64(tail(v, 1))
    for k in range(len(s.runs)):
        run = s.runs[k]
        entry = s.entries[run.entry]
        if entry.count > 0 and entry.byte == last:
            entry.count = min(entry.count + 1, 255)
        else:
            entry.byte = last
            entry.count = 1
        run.entry = (hashes[k] ^ (hashes[k] >> 15)) % len(s.entries)
    for k in range(len(s.runs)):
        run = s.runs[k]
        entry = s.entries[run.entry]
        check = np.int64(((u64(hashes[k]) * u64(0x2545F491)) & LOW_32) >> u64(16))
        if entry.check != check:
            entry.check = check
            entry.byte = 0
            entry.count = 0
        run.count = entry.count
        run.byte = entry.byte


@compiled
def run_inputs(v: np.void, s: Runs, inputs: np.ndarray) -> None:
    """8.7: an input of each context."""
    for k in range(len(s.runs)):
        run = s.runs[k]
        inputs[k] = 0
        run.counter = -1
        if run.count > 0 and (run.byte | 256) >> (8 - v.pos) == v.partial:
            run.counter = run.count if run.count < 16 else 15 + run.count // 16
            sure = stretched(s.counters[k, v.pos, run.counter])
            inputs[k] = sure if (run.byte >> (7 - v.pos)) & 1 else -sure


@compiled
def update_runs(v: np.void, s: Runs, bit: int) -> None:
    for k in range(len(s.runs)):
        run = s.runs[k]
        if run.counter >= 0:
            came = bit == (run.byte >> (7 - v.pos)) & 1
            old = s.counters[k, v.pos, run.counter]
            s.counters[k, v.pos, run.counter] = updated(old, came, LIMIT)
