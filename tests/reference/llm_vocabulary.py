"""Predictor `llm`: a vocabulary, and what a model's logits say of it. FORMAT.md, section 11.3."""

import math
from bisect import bisect_left

import numpy as np

from .transformer import Pack

NO_TOKEN = -1
LOG2_E = 6196328019
LN_2 = 45426


def roots() -> list[int]:
    found, last = [], 2**62
    for _ in range(16):
        last = math.isqrt(last * 2**63)
        found.append(last)
    return found


ROOTS = roots()


def power(i: int, first: int) -> int:
    product = 2**63
    for bit in range(8):
        if i >> bit & 1:
            product = product * ROOTS[first + 7 - bit] >> 63
    return (product + 2**31) >> 32


COARSE, FINE = (np.array([power(i, first) for i in range(256)]) for first in (0, 8))


def logarithm(m: int) -> int:
    z, log = 2**62 + (2 * m + 1) * 2**49, 0
    for _ in range(16):
        z = z * z >> 62
        digit = z >= 2**63
        z >>= digit
        log = 2 * log + digit
    return log


LOG = [logarithm(m) for m in range(4096)]


def log2(v: int) -> int:
    """In units of 2^-16."""
    e = v.bit_length() - 1
    return (e << 16) + LOG[(v << 63 - e) >> 51 & 4095]


def stretch(a: int, b: int) -> int:
    """S(a, b), in units of 2^-11 nats."""
    return min(max(((log2(a) - log2(b)) * LN_2) >> 21, -32767), 32767)


def class_of(s: int) -> int:
    """C(s)."""
    shifted = s + (512 if s >= 0 else -512)
    return min(max(abs(shifted) // 1024 * (1 if shifted >= 0 else -1), -15), 15) + 16


class Vocabulary:
    """The tokens in order of their bytes, each spelling once, all bytes among them."""

    def __init__(self, pack: Pack) -> None:
        spelt, start = pack.bytes("vocab.bytes"), 0
        tokens: dict[bytes, int] = {}
        ends = np.frombuffer(pack.bytes("vocab.ends"), "<u4").tolist()
        for token, end in enumerate(ends):
            if end > start:
                tokens.setdefault(spelt[start:end], token)
            start = end
        for byte in range(256):
            tokens.setdefault(bytes([byte]), NO_TOKEN)
        self.spellings = sorted(tokens)
        self.tokens = np.array([tokens[spelling] for spelling in self.spellings])

    def masses(self, logits: np.ndarray) -> list[int]:
        """Sums of the masses of all ranks below each, and of all."""
        known = self.tokens >= 0
        of = logits[np.where(known, self.tokens, 0)]
        x = np.minimum(of[known].max() - of, 2**22).clip(0)
        y = (x * LOG2_E) >> 32
        mass = (COARSE[(y >> 8) & 255] * FINE[y & 255]) >> 31
        mass = np.where(known, np.maximum(mass >> np.minimum(y >> 16, 63), 1), 1)
        return [0, *np.cumsum(mass).tolist()]

    def node(self, begun: bytes) -> tuple[int, int]:
        """The ranks of the tokens that begin with these bytes."""
        after = begun.rstrip(b"\xff")
        after = after[:-1] + bytes([after[-1] + 1]) if after else b""
        end = bisect_left(self.spellings, after) if after else len(self.spellings)
        return bisect_left(self.spellings, begun), end

    def rank(self, spelling: bytes) -> int | None:
        """The rank of the token with just these bytes."""
        at = bisect_left(self.spellings, spelling)
        same = at < len(self.spellings) and self.spellings[at] == spelling
        return at if same else None
