"""Predictor `cm`, version 1, written from FORMAT.md, section 8.

Classes 0 and 1 at levels 3 to 6, class 2 at levels 3 to 5: what that section specifies in full.
cm_steps.py has what is done for each bit.
"""

import zlib
from typing import NamedTuple

import numpy as np

from .cm_steps import CANARY_BYTES, HISTORY, SQUASH, advance
from .errors import CorruptError, UnsupportedError

ONE = 2**30  # of a weight
HASH_BITS = {3: 22, 4: 23, 5: 24, 6: 26}  # 8.3: m
# 8.3: how many contexts of the text plan and of the binary plan a level uses
CONTEXTS = {True: {3: 5, 4: 6, 5: 7, 6: 8}, False: {3: 5, 4: 6, 5: 7, 6: 10}}


class State(NamedTuple):
    """What a segment's predictor knows; `v` holds one record of single values."""

    v: np.ndarray
    history: np.ndarray  # bytes that it was advanced over
    first: np.ndarray  # the first probabilities, for the canary
    # 8.3
    values: np.ndarray  # of each context of the plan, used or not
    hashes: np.ndarray
    table: np.ndarray
    places: np.ndarray  # where each context's slot starts, -1 if none was opened yet
    slots: np.ndarray  # each context's own copy of 15 histories
    maps: np.ndarray
    # 8.4
    positions: np.ndarray
    match_counters: np.ndarray
    # 8.5: three tables of the first layer, then that of the second
    inputs: np.ndarray
    weights: np.ndarray
    trained: np.ndarray
    last_inputs: np.ndarray
    last_weights: np.ndarray
    last_trained: np.ndarray
    selected: np.ndarray
    # 8.6
    curves: np.ndarray
    bases: np.ndarray
    points: np.ndarray  # the one of each set to be updated


VALUES = np.dtype(
    [(name, np.uint64) for name in ("low", "high", "window", "last8", "word", "previous")]
    + [
        (name, np.int64)
        for name in (
            *("contexts", "is_text", "stride"),
            *("used", "seen", "partial", "pos", "line_start", "line_above"),
            *("length", "misses", "pointer", "expected", "match_counter"),
            *("estimate",),
        )
    ]
)


def counter(p: int, n: int) -> int:
    return p << 10 | n


def new_state(level: int, class_: int, stride: int, raw_len: int) -> State:
    is_text = class_ == 0
    n = CONTEXTS[is_text][level]
    v = np.zeros(1, dtype=VALUES)
    v["contexts"], v["is_text"], v["stride"] = n, is_text, stride
    v["partial"] = 1

    table_bits = min(max((8 * n * raw_len).bit_length(), 16), HASH_BITS[level])
    maps = [
        counter((5 * ones + 2) * 2**22 // (5 * (zeros + ones) + 4), 6)
        for zeros, ones in HISTORY[:, 2:].tolist()
    ]
    match_counters = [counter(2**22 - 2**22 // (3 + 2 * class_), 0) for class_ in range(32)]
    weights = [ONE * 21 // (8 * n)] * n + [0, 2**27, 0]
    curve = [SQUASH[((i << 11) - 31744 + 32768) >> 4] >> 16 for i in range(32)]
    return State(
        v=v,
        history=np.zeros(0, dtype=np.uint8),
        first=np.zeros(8 * CANARY_BYTES, dtype=np.uint32),
        values=np.zeros(10, dtype=np.uint64),
        hashes=np.zeros(n, dtype=np.int64),
        table=np.zeros(2**table_bits, dtype=np.uint8),
        places=np.full(n, -1),
        slots=np.zeros((n, 15), dtype=np.uint8),
        maps=np.tile(np.array(maps), (n, 1)),
        positions=np.zeros(2**18, dtype=np.int64),
        match_counters=np.repeat(np.array(match_counters), 4),
        inputs=np.zeros(n + 3, dtype=np.int64),
        weights=np.tile(np.array(weights), (3, 1024, 1)),
        trained=np.zeros((3, 1024), dtype=np.int64),
        last_inputs=np.zeros(3, dtype=np.int64),
        last_weights=np.full((256, 3), ONE // 3),
        last_trained=np.zeros(256, dtype=np.int64),
        selected=np.zeros(3, dtype=np.int64),
        curves=np.tile(np.array(curve, dtype=np.uint16), (2, 65536, 1)),
        bases=np.zeros(2, dtype=np.int64),
        points=np.zeros((2, 2), dtype=np.int64),
    )


class Cm:
    """The predictor of one segment. FORMAT.md, section 8."""

    def __init__(self, settings: bytes, raw_len: int) -> None:
        if len(settings) != 4 or not 3 <= settings[0] <= 8 or settings[1] > 2:
            raise UnsupportedError("cm has settings of 4 bytes: level 3 to 8, class 0 to 2, stride")
        level, class_ = settings[:2]
        if level > (5 if class_ == 2 else 6):
            raise UnsupportedError(f"cm at level {level} and class {class_} is not specified yet")
        self.state = new_state(level, class_, int.from_bytes(settings[2:], "little"), raw_len)

    @property
    def seen(self) -> int:
        return int(self.state.v[0]["seen"])

    def _advance(self, data: bytes, length: int, coded: bool) -> bytes:
        seen = self.seen
        history = np.concatenate([self.state.history[:seen], np.zeros(length, dtype=np.uint8)])
        self.state = self.state._replace(history=history)
        advance(self.state, np.frombuffer(data, dtype=np.uint8), length, coded)
        return history[seen:].tobytes()

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        coder = self.state.v[0]
        coder["low"], coder["high"] = 0, 2**64 - 1
        coder["window"] = int.from_bytes(payload[:8].ljust(8, b"\0"), "big")
        coder["used"] = 8
        raw = self._advance(payload, raw_len, True)
        if coder["used"] < len(payload):
            raise CorruptError("bytes are left over in a coded chunk")
        return raw

    def train(self, raw: bytes) -> None:
        self._advance(raw, len(raw), False)

    def canary(self) -> int:
        return zlib.crc32(self.state.first[: 8 * self.seen].astype("<u4").tobytes())
