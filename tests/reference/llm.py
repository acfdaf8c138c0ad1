"""Predictor `llm`, version 1, written from FORMAT.md, section 11.

cm_*.py have the mixer and its contexts, transformer.py the model; llm_vocabulary.py says what its
logits mean for bytes, llm_steps.py how that is mixed, llm_lines.py makes lines of text without
their ends.
"""

import copy
import zlib
from collections.abc import Callable

import numpy as np

from .binary_coder import Decoder
from .cm import CLASSES, GREY, LEVELS, PRIMER, new_state
from .cm_mixer import new_curves
from .cm_plans import plan_of
from .cm_steps import CANARY_BYTES, start_byte
from .errors import CorruptError, UnsupportedError
from .fields import Fields
from .llm_lines import Lines, Unfolding
from .llm_steps import (
    Ends,
    expected,
    joined_curves,
    joined_mixer,
    joined_predict,
    joined_update,
    learn,
)
from .llm_vocabulary import NO_TOKEN, Vocabulary, class_of, stretch
from .transformer import Adapter, Model, Pack

BLOCK = 16384
# A bit for a probability of a one.
Code = Callable[[int], bool]


def longest_of(rest: bytes) -> int:
    """The settings behind the sixth byte: the longest segment that goes on, or nothing."""
    if not rest:
        return 0
    fields = Fields(rest, whole=True)
    try:
        longest = fields.varint()
        fields.end()
    except CorruptError:
        longest = 0
    if not longest:
        raise UnsupportedError("what llm's settings end with is no length")
    return longest


class Llm:
    """The predictor of one segment; `model` has the bytes of a pack before anything is decoded."""

    model = b""

    def __init__(self, settings: bytes, raw_len: int) -> None:
        known = len(settings) >= 6 and settings[0] in LEVELS and settings[1] in CLASSES[:GREY]
        if not known or settings[4] > 24 or settings[5] > 3:
            raise UnsupportedError("llm has settings of cm, a window of 0 to 24, and 0 to 3")
        self.longest = longest_of(settings[6:])
        self.settings, self.room = settings, raw_len + self.longest
        self.canary_bytes = b""
        self.seen = 0
        self.lines = Lines()
        self.started = False

    def start(self) -> None:
        level, class_ = self.settings[:2]
        plan = plan_of(level, class_)
        plan = plan._replace(curves=joined_curves(level >= 7))
        stride = int.from_bytes(self.settings[2:4], "little")
        primer = PRIMER if plan.primer else b""
        sized = 8 * len(plan.contexts) * (self.room + len(primer))
        table_bits = min(max(sized.bit_length(), 16), plan.table_bits)
        state = new_state(plan, stride, table_bits)
        room = np.zeros(len(primer) + self.room, dtype=np.uint8)
        state = state._replace(past=state.past._replace(history=room), curves=new_curves(plan))
        self.states = [state._replace(mixer=joined_mixer(plan, on)) for on in (False, True)]
        start_byte(state)
        learn(self.states[0], np.array(list(primer), dtype=np.int64))
        pack = Pack(self.model)
        self.vocabulary = Vocabulary(pack)
        self.ends = Ends()
        self.first = max(pack.tokenizer["bos"], 0)
        self.begin_text()
        adapts = self.settings[5] & 1
        self.adapter = Adapter(self.network.head, self.network.norm) if adapts else None
        first = np.array(self.network.logits(self.first), dtype="<i4")
        self.canary_bytes = first.tobytes()
        self.begin_text()
        self.open = b""
        self.started = True

    def going_on(self) -> "Llm":
        """11.8: another segment that starts from this state."""
        other = copy.deepcopy(self)
        other.canary_bytes, other.seen = b"", 0
        return other

    def begin_text(self) -> None:
        """The model forgets all."""
        config = Pack(self.model).config
        window = min(config["context"], 32768)
        if self.settings[4]:
            window = min(window, 1 << self.settings[4])
        self.network = Model(self.model, window)
        self.next = self.first

    def plain_byte(self, code: Code) -> int:
        """A byte without the model."""
        state = self.states[0]
        byte = 0
        nothing = np.zeros(2, dtype=np.int64)
        for pos in range(8):
            bit = code(joined_predict(state, nothing, np.array([pos, pos])))
            joined_update(state, int(bit))
            byte = 2 * byte + bit
        return byte

    def take_logits(self) -> None:
        """A new token: the model's masses for it."""
        self.logits = np.asarray(self.network.logits(self.next), dtype=np.int64)
        if self.adapter:
            self.logits = self.adapter.adapt(self.logits)
        self.below = self.vocabulary.masses(self.logits)

    def mass(self, begin: int, end: int) -> int:
        return self.below[end] - self.below[begin]

    def end_token(self) -> None:
        rank = self.vocabulary.rank(self.open)
        if rank is None:
            raise CorruptError("a token goes on past its block")
        token = int(self.vocabulary.tokens[rank])
        if self.adapter and token != NO_TOKEN:
            self.adapter.learn(self.logits, token)
        self.next = self.first if token == NO_TOKEN else token
        self.open = b""

    def decide_end(self, code: Code) -> None:
        """11.5, where the open token's bytes are a token."""
        rank = self.vocabulary.rank(self.open)
        if rank is None:
            return
        begin, end = self.vocabulary.node(self.open)
        if begin + 1 < end:
            own, others = self.mass(rank, rank + 1), self.mass(rank + 1, end)
            s = stretch(own, others)
            byte, len16 = expected(self.states[1])
            context = 0
            if len16:
                child = self.vocabulary.node(self.open + bytes([byte]))
                share = 0
                if child[0] < child[1]:
                    digits = (own // (self.mass(*child) + 1)).bit_length()
                    share = 1 + min(6, (digits + 1) // 2)
                context = 8 * len16 + share
            ends = code(self.ends.predict(s, (context, class_of(s), rank % 65536)))
            self.ends.update(ends)
            if not ends:
                return
        self.end_token()

    def token_byte(self, code: Code) -> int:
        """11.4: a byte of the open token."""
        state = self.states[1]
        begin, end = self.vocabulary.node(self.open)
        if self.vocabulary.rank(self.open) is not None:
            begin += 1
        depth = min(len(self.open), 4)
        _, len16 = expected(state)
        byte = 0
        for pos in range(8):
            place = 128 >> pos
            middle = self.vocabulary.node(self.open + bytes([byte | place]))[0]
            middle = min(max(middle, begin), end)
            a, b = self.mass(middle, end), self.mass(begin, middle)
            other = (depth * 8 + len16 // 2) * 8 + pos
            if a == 0 or b == 0:
                bit = b == 0
                s = half = 32767 if bit else -32767
            else:
                s = stretch(a, b)
                half = abs(a - b) * 4096 // (a + b) * (1 if a >= b else -1)
            inputs = np.array([s, half])
            p = joined_predict(state, inputs, np.array([class_of(s) * 8 + pos, other]))
            if a and b:
                bit = code(p)
            joined_update(state, int(bit))
            if bit:
                byte |= place
                begin = middle
            else:
                end = middle
        self.open += bytes([byte])
        return byte

    def watched(self, code: Code) -> Code:
        """`code`, with what it is asked about noted for the canary while that is open."""

        def noted(p: int) -> bool:
            if self.seen < CANARY_BYTES:
                self.canary_bytes += int(p).to_bytes(4, "little")
            return code(p)

        return noted

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        if not self.started:
            self.start()
        coder = Decoder(payload)
        code = self.watched(coder.decode)
        raw = bytearray()
        block_end = 0
        while len(raw) < raw_len:
            if len(raw) == block_end:
                if self.open:
                    self.end_token()
                block_end += BLOCK
                on = coder.decode(2**31)
                if not on:
                    self.begin_text()
                elif self.settings[5] & 2 and coder.decode(2**31):
                    raw += self.unfolded(coder, raw_len - len(raw))
                    block_end = len(raw)
                    continue
            byte = self.text_byte(code) if on else self.plain_byte(code)
            raw.append(byte)
            self.lines.follow(bytes([byte]))
            self.seen += 1
        if self.open:
            self.end_token()
        coder.finish()
        return bytes(raw)

    def text_byte(self, code: Code) -> int:
        """A byte with the model, after the decision whether a token ends before it."""
        if self.open:
            self.decide_end(code)
        if not self.open:
            self.take_logits()
        return self.token_byte(code)

    def unfolded(self, coder: Decoder, most: int) -> bytes:
        """11.9: a block without its line ends, of at most so many bytes."""

        def number(bits: int) -> int:
            return sum(coder.decode(2**31) << place for place in reversed(range(bits)))

        width = number(8) + 1
        both = bool(number(1))
        length = BLOCK if number(1) else number(14) + 1
        if length > most:
            raise CorruptError("a block goes on past its chunk")
        block = Unfolding(self.lines, width, both, length)
        code = self.watched(coder.decode)
        before = self.seen
        while not block.is_whole():
            block.take(self.text_byte(code), coder.decode)
            self.seen = before + len(block.raw)
        self.seen = before + length
        return block.raw

    def train(self, raw: bytes) -> None:
        if not self.started:
            self.start()
        self.begin_text()
        for byte in raw:
            self.plain_byte(self.watched(known_bits(byte)))
            self.lines.follow(bytes([byte]))
            self.seen += 1

    def canary(self) -> int:
        return zlib.crc32(self.canary_bytes)


def known_bits(byte: int) -> Code:
    """Says the bits of a byte, one after the other."""
    bits = iter(f"{byte:08b}")
    return lambda p: next(bits) == "1"
