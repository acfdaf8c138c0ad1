"""The predictors that this reader knows. FORMAT.md, section 5.

A predictor is an object with

- `decode(payload, raw_len)`: the raw bytes of a coded chunk (type 1); at most a little more than
  `raw_len` bytes where the payload is damaged, which the caller's length check refuses;
- `train(raw)`: takes in the raw bytes of a chunk of type 3;
- `seen`: how many bytes it was advanced over;
- `canary()`: the hash of its first predictions so far.

`cm`, `tensor`, `llm`, `pc` and `circuit` have modules of their own.
"""

from collections.abc import Callable
from typing import Protocol

import zstandard

from .circuit_images import new_circuit
from .cm import Cm
from .errors import CorruptError, UnsupportedError
from .llm import Llm
from .pc import Pc
from .tensor import Tensor


class Predictor(Protocol):
    seen: int

    def decode(self, payload: bytes, raw_len: int) -> bytes: ...
    def train(self, raw: bytes) -> None: ...
    def canary(self) -> int: ...


class Store:
    """Raw bytes; its coded bytes are never shorter, so no chunk of type 1 can be right."""

    def __init__(self, settings: bytes, raw_len: int) -> None:
        if settings:
            raise UnsupportedError("store has no settings")
        self.seen = 0

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        self.seen += len(payload)
        return payload

    def train(self, raw: bytes) -> None:
        self.seen += len(raw)

    def canary(self) -> int:
        return 0


class Zstd:
    """One frame of Zstandard, cut at block boundaries, without an end."""

    # 64 bytes hold at most 21 blocks, each of which decodes to at most 128 KiB.
    STEP = 64

    def __init__(self, settings: bytes, raw_len: int) -> None:
        if len(settings) != 1 or not 1 <= settings[0] <= 19:
            raise UnsupportedError("zstd has one setting, a level of 1 to 19")
        self.seen = 0
        self._new_frame()

    def header(self, payload: bytes) -> int:
        """The length of the frame's header, if it is in this payload (RFC 8878, 3.1.1.1)."""
        if self.started or len(payload) < 5:
            return 0
        descriptor = payload[4]
        single = descriptor >> 5 & 1
        content_size = [single, 2, 4, 8][descriptor >> 6]
        return 6 - single + [0, 1, 2, 4][descriptor & 3] + content_size

    def _new_frame(self) -> None:
        self.started = False
        self.frame = zstandard.ZstdDecompressor(max_window_size=2**24).decompressobj()

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        raw = bytearray()
        try:
            for at in range(0, len(payload), self.STEP):
                raw += self.frame.decompress(payload[at : at + self.STEP])
                if len(raw) > raw_len:
                    break
        except zstandard.ZstdError as error:
            raise CorruptError(f"zstd: {error}") from error
        if self.frame.eof:
            raise CorruptError("the zstd frame of a segment has an end")
        check_blocks(payload[self.header(payload) :])
        self.started = True
        self.seen += len(raw)
        return bytes(raw)

    def train(self, raw: bytes) -> None:
        self.seen += len(raw)
        self._new_frame()

    def canary(self) -> int:
        return 0


def check_blocks(data: bytes) -> None:
    """Whether `data` is whole blocks (RFC 8878, 3.1.1.2)."""
    at = 0
    while at < len(data):
        header = int.from_bytes(data[at : at + 3], "little")
        repeated = header >> 1 & 3 == 1
        at += 3 + (1 if repeated else header >> 3)
    if at > len(data):
        raise CorruptError("a coded chunk ends inside a block of zstd")


# (id, version, coder id) -> made from a segment's settings and raw length
PREDICTORS: dict[tuple[str, int, int], Callable[[bytes, int], Predictor]] = {
    ("store", 1, 0): Store,
    ("zstd", 1, 0): Zstd,
    ("cm", 1, 1): Cm,
    ("tensor", 1, 3): Tensor,
    ("llm", 1, 1): Llm,
    ("pc", 1, 1): Pc,
    ("circuit", 1, 1): new_circuit,
}
