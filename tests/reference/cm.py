"""Predictor `cm`, version 1, written from FORMAT.md, section 8.

cm_plans.py says what a level and class use, cm_steps.py what is done for each bit; the other
modules cm_*.py hold the parts.
"""

import zlib
from functools import lru_cache

import numpy as np

from .cm_basics import TABLES
from .cm_contexts import new_contexts
from .cm_grey import new_grey
from .cm_history import new_past
from .cm_matches import new_matches, new_runs
from .cm_mixer import new_curves, new_mixer
from .cm_pixels import new_pixels
from .cm_plans import Plan, plan_of
from .cm_steps import CANARY_BYTES, CODER, State, advance
from .errors import CorruptError, UnsupportedError

LEVELS = range(3, 9)
CLASSES = range(5)
GREY = 4
PRIMER = (TABLES / "primer.txt").read_bytes()
NO_CODER = np.zeros(0, dtype=CODER)


def new_state(plan: Plan, stride: int, table_bits: int, plane: int = 0, offset: int = 0) -> State:
    """Without a primer."""
    return State(
        past=new_past(stride),
        contexts=new_contexts(plan, table_bits),
        matches=new_matches(plan),
        runs=new_runs(plan, table_bits),
        pixels=new_pixels(plan.pixels),
        grey=new_grey(plan, stride, plane, offset),
        mixer=new_mixer(plan),
        curves=new_curves(plan),
    )


def advanced(state: State, coder: np.ndarray, data: bytes, length: int, first: np.ndarray) -> State:
    """A state that went over `length` bytes; shares all but the history with `state`."""
    room = np.zeros(length, dtype=np.uint8)
    past = state.past._replace(history=np.concatenate([state.past.history, room]))
    state = state._replace(past=past)
    advance(state, coder, np.frombuffer(data, dtype=np.uint8), length, first)
    return state


@lru_cache(maxsize=3)
def primed_state(level: int, class_: int, table_bits: int) -> State:
    """8.3: after the primer, to be copied: going over it takes longer than all the rest.

    What is primed is text, and no context of text takes the stride.
    """
    state = new_state(plan_of(level, class_), 0, table_bits)
    return advanced(state, NO_CODER, PRIMER, len(PRIMER), np.zeros(0, dtype=np.uint32))


def read_settings(settings: bytes) -> tuple[int, int, int, int, int]:
    """Level, class, stride, plane and offset."""
    known = len(settings) >= 4 and settings[0] in LEVELS and settings[1] in CLASSES
    if not known or len(settings) != (12 if settings[1] == GREY else 4):
        raise UnsupportedError("cm has settings of 4 bytes: level 3 to 8, class 0 to 4, stride")
    level, class_ = settings[:2]
    stride, plane, offset = (
        int.from_bytes(settings[i:j], "little") for i, j in ((2, 4), (4, 8), (8, 12))
    )
    if class_ == GREY and stride < 2:
        raise UnsupportedError("cm has rows of at least 2 grey pixels")
    return level, class_, stride, plane, offset


def new_coder(payload: bytes) -> np.ndarray:
    """Section 6: a decoder that stands before the first bit."""
    window = int.from_bytes(payload[:8].ljust(8, b"\0"), "big")
    return np.array([(0, 2**64 - 1, window, 8)], dtype=CODER)


def check_used(coder: np.ndarray, payload: bytes) -> None:
    if coder[0]["used"] < len(payload):
        raise CorruptError("bytes are left over in a coded chunk")


def table_bits_of(plan: Plan, raw_len: int) -> int:
    """8.5: log2 of the bytes of the hash table."""
    sized = 8 * len(plan.contexts) * (raw_len + (len(PRIMER) if plan.primer else 0))
    return min(max(sized.bit_length(), 16), plan.table_bits)


class Advancing:
    """Chunks of a predictor that goes from byte to byte in `_advance`."""

    def _advance(self, coder: np.ndarray, data: bytes, length: int) -> bytes:
        raise NotImplementedError

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        coder = new_coder(payload)
        raw = self._advance(coder, payload, raw_len)
        check_used(coder, payload)
        return raw

    def train(self, raw: bytes) -> None:
        self._advance(NO_CODER, raw, len(raw))


class Cm(Advancing):
    """The predictor of one segment. FORMAT.md, section 8."""

    def __init__(self, settings: bytes, raw_len: int) -> None:
        level, class_, stride, plane, offset = read_settings(settings)
        plan = plan_of(level, class_)
        table_bits = table_bits_of(plan, raw_len)
        if plan.primer:
            primed = primed_state(level, class_, table_bits)
            parts = (type(part)(*(array.copy() for array in part)) for part in primed)
            self.state = State(*parts)
        else:
            self.state = new_state(plan, stride, table_bits, plane, offset)
        self.seen = 0
        self.first = np.zeros(8 * CANARY_BYTES, dtype="<u4")

    def _advance(self, coder: np.ndarray, data: bytes, length: int) -> bytes:
        self.state = advanced(self.state, coder, data, length, self.first[8 * self.seen :])
        self.seen += length
        history = self.state.past.history
        return history[len(history) - length :].tobytes()

    def canary(self) -> int:
        return zlib.crc32(self.first[: 8 * self.seen].tobytes())
