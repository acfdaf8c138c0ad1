"""Predictor `llm`: blocks without their line ends, written from FORMAT.md, section 11.9."""

from collections.abc import Callable

from .cm_basics import counter, updated
from .errors import CorruptError

SPACE, FEED, RETURN = 0x20, 0x0A, 0x0D
EXCESSES = 32


def columns(raw: bytes) -> int:
    return sum(not 0x80 <= byte <= 0xBF for byte in raw)


class Lines:
    """What a segment knows of its lines."""

    def __init__(self) -> None:
        self.column = self.indent = self.last = 0
        self.counters = [counter(2**21, 0)] * EXCESSES

    def follow(self, raw: bytes) -> None:
        for byte in raw:
            if byte == FEED:
                self.column = self.indent = 0
            else:
                if byte == SPACE and self.indent == self.column:
                    self.indent += 1
                self.column += columns(bytes([byte]))
            self.last = byte


class Unfolding:
    """Makes raw bytes of the text of one block."""

    def __init__(self, lines: Lines, width: int, both: bool, length: int) -> None:
        self.lines, self.width, self.both, self.length = lines, width, both, length
        self.raw = b""
        self.run = self.word = b""
        self.behind_word = False

    def put(self, raw: bytes) -> None:
        self.raw += raw
        self.lines.follow(raw)

    def take(self, byte: int, code: Callable[[int], bool]) -> None:
        if self.run and byte > SPACE:
            self.word += bytes([byte])
        elif self.run == b" " and not self.word and byte == SPACE:
            self.run += b" "
        else:
            if self.run:
                self.behind_word = bool(self.word)
                self.close(code)
            if byte == SPACE and self.behind_word:
                self.run = b" "
            else:
                if byte == FEED and self.both and self.lines.last != RETURN:
                    self.put(b"\r")
                self.put(bytes([byte]))
                self.behind_word = byte > SPACE
        if len(self.raw) + len(self.run) + len(self.word) > self.length:
            raise CorruptError("a line goes on past its block")

    def close(self, code: Callable[[int], bool]) -> None:
        between = self.run
        if self.word:
            excess = self.lines.column + 1 + columns(self.word) - self.width
            if excess > 0:
                which = min(excess, EXCESSES) - 1
                own = self.lines.counters[which]
                is_end = code(max(own >> 10, 1) << 10)
                self.lines.counters[which] = updated(own, is_end, 255)
                if is_end:
                    between = (b"\r\n" if self.both else b"\n") + b" " * self.lines.indent
        word, self.run, self.word = self.word, b"", b""
        self.put(between)
        self.put(word)

    def is_whole(self) -> bool:
        """Whether the text ends; what is open then is no line end."""
        if len(self.raw) + len(self.run) + len(self.word) < self.length:
            return False
        run, word, self.run, self.word = self.run, self.word, b"", b""
        self.put(run + word)
        return True
