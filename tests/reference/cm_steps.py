"""Predictor `cm`, version 1, bit by bit: FORMAT.md, sections 8.1 to 8.6.

Compiled with numba, for speed only. Whole numbers are int64, which holds every value here; hashes
and the coder's interval wrap at 2^64 and are uint64. The two are never mixed: numba makes a float
of that. `v`, the single values of a State, is `s.v[0]`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy import uint64 as u64

if TYPE_CHECKING:
    from .cm import State

TABLES = Path(__file__).parents[2] / "predictors" / "tables"
CANARY_BYTES = 64

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


@njit(cache=False)
def clamp(x: int, m: int) -> int:
    return min(max(x, -m), m)


@njit(cache=False)
def squash(x: int) -> int:
    return SQUASH[(x + 32768) >> 4]


@njit(cache=False)
def updated(counter: int, bit: bool, limit: int) -> int:
    """8.1: a counter after a bit."""
    p = counter >> 10
    n = counter & 1023
    target = 2**22 - 1 if bit else 0
    p += (((target - p) >> 4) * RECIPROCAL[n]) >> 8
    return p << 10 | min(n + 1, limit)


@njit(cache=False)
def mix(h: u64, v: u64) -> u64:
    """8.2: takes a number into a hash."""
    h = (h ^ v) + (v << u64(32))
    h = h * GOLDEN
    return h ^ (h >> u64(29))


@njit(cache=False)
def back(s: State, distance: int) -> u64:
    """8.2: the byte at a distance."""
    seen = s.v[0].seen
    return u64(s.history[seen - distance]) if 1 <= distance <= seen else u64(0)


@njit(cache=False)
def take_byte(s: State, byte: int) -> None:
    """8.2: a whole byte joins the history."""
    v = s.v[0]
    s.history[v.seen] = byte
    v.seen += 1
    v.last8 = v.last8 << u64(8) | u64(byte)
    if byte == 10:
        v.line_above = v.line_start
        v.line_start = v.seen
    if 65 <= byte <= 90:
        byte += 32
    if 97 <= byte <= 122 or byte >= 128:
        v.word = mix(v.word, u64(byte + 1))
    elif v.word != u64(0):
        v.previous = v.word
        v.word = u64(0)


@njit(cache=False)
def form_contexts(s: State) -> None:
    """8.3: values and hashes for the first nibble."""
    v = s.v[0]
    last = v.last8
    stride = v.stride
    byte = last & u64(255)
    values = s.values
    values[0] = byte
    values[1] = last & u64(0xFFFF)
    values[2] = last & u64(0xFFFFFF)
    if v.is_text:
        column = v.seen - v.line_start
        above = 0
        if v.line_above + column < v.line_start:
            above = s.history[v.line_above + column]
        values[3] = last & LOW_32
        values[4] = mix(v.word, byte)
        values[5] = last & u64(2**48 - 1)
        values[6] = u64(min(column, 255)) + u64(256) * u64(above) + u64(65536) * byte
        values[7] = mix(mix(v.word, byte), v.previous)
    else:
        values[3] = last & u64(2**48 - 1)
        h = mix(u64(0), byte)
        for f in range(4):
            h = mix(h, back(s, stride - f))
        values[4] = h
        h = mix(u64(0), u64(0))
        for d in (stride, 2 * stride):
            h = mix(h, back(s, d))
        values[5] = h
        h = mix(u64(0), last & u64(0xFFFF))
        for d in (stride, stride + 1, stride - 1):
            h = mix(h, back(s, d))
        values[6] = h
        values[7] = last & u64(0xFFFF00)
        values[8] = last
        trend = u64(2) * back(s, stride) - back(s, 2 * stride)
        values[9] = mix(trend & u64(255), byte)
    for k in range(v.contexts):
        salted = (values[k] * GOLDEN) ^ (u64(k + 1) * SPREAD)
        s.hashes[k] = np.int64(((salted * GOLDEN) >> u64(32)) ^ (salted >> u64(40)))


@njit(cache=False)
def open_slots(s: State) -> None:
    """8.3: each context's slot for the next nibble."""
    for k in range(len(s.hashes)):
        if s.places[k] >= 0:
            for j in range(15):
                s.table[s.places[k] + j] = s.slots[k, j]
        hash_ = s.hashes[k]
        check = hash_ & 255
        bucket = 64 * ((hash_ >> 8) % (len(s.table) // 64))
        chosen = -1
        for i in range(4):
            if chosen < 0 and s.table[bucket + i] == check:
                chosen = i
        if chosen < 0:
            fewest = 1000
            for i in range(4):
                row = HISTORY[s.table[bucket + 4 + 15 * i]]
                if row[2] + row[3] < fewest:
                    fewest = row[2] + row[3]
                    chosen = i
            s.table[bucket + chosen] = check
            for j in range(15):
                s.table[bucket + 4 + 15 * chosen + j] = 0
        s.places[k] = bucket + 4 + 15 * chosen
        for j in range(15):
            s.slots[k, j] = s.table[s.places[k] + j]


@njit(cache=False)
def find_match(s: State) -> None:
    """8.4: after each byte."""
    v = s.v[0]
    seen = v.seen
    bytes_ = s.history
    if v.length > 0:
        if bytes_[seen - 1] == bytes_[v.pointer]:
            v.length = min(v.length + 1, 65535)
            if v.length % 16 == 0 and v.misses > 0:
                v.misses -= 1
        else:
            v.misses += 1
            v.length = 1 if v.misses < 4 else 0
        v.pointer += 1
    if seen >= 6:
        h = u64(0)
        for d in range(6, 0, -1):
            h = ((h + back(s, d) + u64(1)) * u64(0x2F0B4C47)) & LOW_32
            h = h ^ (h >> u64(15))
        entry = np.int64(h & u64(2**18 - 1))
        candidate = s.positions[entry]
        s.positions[entry] = seen
        if candidate > 0 and (v.length == 0 or (v.misses > 0 and v.length < 16)):
            run = 0
            while run < min(candidate, 400):
                if bytes_[candidate - 1 - run] != bytes_[seen - 1 - run]:
                    break
                run += 1
            if run >= 6 and run > v.length:
                v.length = run
                v.pointer = candidate
                v.misses = 0
    v.expected = np.int64(bytes_[v.pointer]) if v.length > 0 else -1


@njit(cache=False)
def length_class(length: int) -> int:
    """8.4: the class of a match's length."""
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


@njit(cache=False)
def start_byte(s: State) -> None:
    """8.2: what is formed after each byte and before the first."""
    v = s.v[0]
    v.partial = 1
    v.pos = 0
    form_contexts(s)
    s.bases[0] = 256 * np.int64(v.last8 & u64(255))
    s.bases[1] = np.int64(((v.last8 & u64(0xFFFF)) * GOLDEN) >> u64(48))
    open_slots(s)
    find_match(s)


@njit(cache=False)
def node(v: np.void) -> int:
    """8.3: the index in a slot of the history of this bit."""
    if v.pos < 4:
        return v.partial - 1
    size = 1 << (v.pos - 4)
    return size + v.partial % size - 1


@njit(cache=False)
def mixed(inputs: np.ndarray, weights: np.ndarray) -> int:
    """8.5: a vector's estimate."""
    total = 0
    for i in range(len(inputs)):
        total += (inputs[i] * (weights[i] >> 16)) >> 9
    total = ((total + 2**31) & (2**32 - 1)) - 2**31
    return clamp(total >> 5, 32767)


@njit(cache=False)
def train(inputs: np.ndarray, weights: np.ndarray, estimate: int, bit: int, rate: int) -> None:
    """8.5: trains a vector."""
    err = (bit << 16) - (squash(estimate) >> 16)
    err = clamp((err * rate) >> 10, 65535)
    for i in range(len(inputs)):
        weights[i] = clamp(weights[i] + ((inputs[i] * err + 8) >> 4), 2**31 - 1 - 2**28)


@njit(cache=False)
def predict(s: State) -> int:
    """8.3 to 8.6: the probability of a one."""
    v = s.v[0]
    n = v.contexts
    hits = 0
    for k in range(n):
        bits = s.slots[k, node(v)]
        s.inputs[k] = 0
        if bits != 0:
            hits += 1
            s.inputs[k] = STRETCH[s.maps[k, bits] >> 20]

    s.inputs[n] = 256
    s.inputs[n + 1] = s.inputs[n + 2] = 0
    len16 = 0
    v.match_counter = -1
    if v.expected >= 0 and (v.expected | 256) >> (8 - v.pos) != v.partial:
        v.expected = -1
    if v.expected >= 0:
        class_ = length_class(v.length)
        len16 = 1 + class_ * 15 // 32
        v.match_counter = 4 * class_ + min(v.misses, 3)
        expected_bit = (v.expected >> (7 - v.pos)) & 1
        sign = 1 if expected_bit else -1
        state = s.match_counters[v.match_counter]
        s.inputs[n + 1] = sign * STRETCH[state >> 20]
        s.inputs[n + 2] = sign * (((state >> 16) - 32768) >> 3)

    s.selected[0] = v.partial
    s.selected[1] = np.int64(v.last8 & u64(255))
    s.selected[2] = min(hits, 15) * 64 + v.pos * 8 + len16 // 2
    for i in range(3):
        s.last_inputs[i] = mixed(s.inputs, s.weights[i, s.selected[i]])
    v.estimate = mixed(s.last_inputs, s.last_weights[v.partial])

    x = min(max(v.estimate, -31744), 31743) + 31744
    i = x >> 11
    f = x & 2047
    p = 2 * squash(v.estimate)
    for k in range(2):
        curve = s.bases[k] ^ v.partial
        point = s.curves[k, curve]
        q = (point[i] * (2048 - f) + point[i + 1] * f) << 5
        p += (2 + 2 * k) * q
        s.points[k, 0] = curve
        s.points[k, 1] = i + (f >> 10)
    return max(1, p >> 3)


@njit(cache=False)
def update(s: State, bit: int) -> None:
    """8.2: learns a bit and moves on."""
    v = s.v[0]
    rate = 150 + 1000 // (1 + min(s.last_trained[v.partial] >> 7, 255))
    train(s.last_inputs, s.last_weights[v.partial], v.estimate, bit, rate)
    s.last_trained[v.partial] += 1
    for i in range(3):
        at = s.selected[i]
        rate = 400 + 4000 // (1 + min(s.trained[i, at] >> 6, 255))
        train(s.inputs, s.weights[i, at], s.last_inputs[i], bit, rate)
        s.trained[i, at] += 1

    for k in range(2):
        point = s.curves[k, s.points[k, 0]]
        i = s.points[k, 1]
        point[i] += (65535 * bit - np.int64(point[i]) + 32) >> 6

    if v.match_counter >= 0:
        came = bit == (v.expected >> (7 - v.pos)) & 1
        old = s.match_counters[v.match_counter]
        s.match_counters[v.match_counter] = updated(old, came, 1023)

    for k in range(v.contexts):
        bits = s.slots[k, node(v)]
        s.maps[k, bits] = updated(s.maps[k, bits], bit == 1, 255)
        s.slots[k, node(v)] = HISTORY[bits, bit]

    v.partial = 2 * v.partial + bit
    v.pos += 1
    if v.pos == 4:
        for k in range(v.contexts):
            h = (u64(s.hashes[k] ^ v.partial) * u64(0x9E3779B1)) & LOW_32
            s.hashes[k] = np.int64(h ^ (h >> u64(15)))
        open_slots(s)
    elif v.pos == 8:
        take_byte(s, v.partial & 255)
        start_byte(s)


@njit(cache=False)
def decode_bit(s: State, payload: np.ndarray, p: int) -> int:
    """Section 6."""
    v = s.v[0]
    width = v.high - v.low
    share = u64(p)
    mid = v.low + (width >> u64(32)) * share + (((width & LOW_32) * share) >> u64(32))
    bit = 1 if v.window <= mid else 0
    if bit:
        v.high = mid
    else:
        v.low = mid + u64(1)
    while v.low >> u64(56) == v.high >> u64(56):
        byte = u64(payload[v.used]) if v.used < len(payload) else u64(0)
        v.low = v.low << u64(8)
        v.high = v.high << u64(8) | u64(255)
        v.window = v.window << u64(8) | byte
        v.used += 1
    return bit


@njit(cache=False)
def advance(s: State, data: np.ndarray, length: int, coded: bool) -> None:
    """Goes over `length` bytes, which are decoded from `data` or are in it."""
    v = s.v[0]
    if v.seen == 0:
        start_byte(s)
    for at in range(length):
        for pos in range(8):
            p = predict(s)
            if v.seen < CANARY_BYTES:
                s.first[8 * v.seen + pos] = p
            bit = decode_bit(s, data, p) if coded else (np.int64(data[at]) >> (7 - pos)) & 1
            update(s, bit)
