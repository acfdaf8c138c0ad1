"""Compressing and decompressing piece by piece, in the shape of `lzma` and `compression.zstd`."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from llmzip.base import Bases
from llmzip.errors import UsageError
from llmzip.limits import Limits
from llmzip.options import DEFAULT_LEVEL, Options
from llmzip.reader import Broken, EventDecoder, Guard
from llmzip.walk import Push, walk_archive
from llmzip.workers import Meter
from llmzip.writer import ArchiveEncoder

Data: TypeAlias = bytes | bytearray | memoryview


def options_for(level: int | None, options: Options | None) -> Options:
    """`options`, or the default ones for `level`; both at once are refused."""
    if level is not None and options is not None:
        raise UsageError("give a level or options, not both: options have a level")
    return options or Options(level=DEFAULT_LEVEL if level is None else level)


class Compressor:
    """Makes archives out of content that comes in pieces. Works in the calling thread.

    Nothing comes out before a segment is full (`Options.segment_size`) or ended by a mode: a
    segment's header, which stands in front, says how long it is. After an error the object cannot
    be used again.
    """

    CONTINUE: ClassVar[int] = 0
    FLUSH_SEGMENT: ClassVar[int] = 1
    FLUSH_ARCHIVE: ClassVar[int] = 2

    def __init__(self, level: int | None = None, *, options: Options | None = None) -> None:
        self._options = options_for(level, options)
        self._encoder: ArchiveEncoder | None = None
        self.last_mode = self.FLUSH_ARCHIVE

    def compress(self, data: Data, mode: int = CONTINUE) -> bytes:
        """Takes `data` in, and returns what is ready of the archive.

        mode: `CONTINUE`; `FLUSH_SEGMENT` ends the segment, so that all data so far can be decoded
            from what was returned; `FLUSH_ARCHIVE` ends the archive: data after that begin another.
        """
        if mode not in (self.CONTINUE, self.FLUSH_SEGMENT, self.FLUSH_ARCHIVE):
            raise ValueError("mode must be CONTINUE, FLUSH_SEGMENT or FLUSH_ARCHIVE")
        if self._encoder is None:
            self._encoder = ArchiveEncoder(self._options, Meter(None, None))
        out = bytearray().join(self._encoder.feed(data))
        if mode == self.FLUSH_SEGMENT:
            out += b"".join(self._encoder.end_segment())
        elif mode == self.FLUSH_ARCHIVE:
            out += b"".join(self._encoder.finish())
            self._encoder = None
        self.last_mode = mode
        return bytes(out)

    def flush(self, mode: int = FLUSH_ARCHIVE) -> bytes:
        """Ends the segment or the archive, and returns what is left of it."""
        if mode not in (self.FLUSH_SEGMENT, self.FLUSH_ARCHIVE):
            raise ValueError("mode must be FLUSH_SEGMENT or FLUSH_ARCHIVE")
        return self.compress(b"", mode)


class Decompressor:
    """Decodes one archive that comes in pieces. Works in the calling thread.

    model: as in `decompress`.
    eof: the archive's end was read, and everything was checked and returned.
    needs_input: `decompress` can return nothing more without more input.
    unused_data: what was given beyond the archive's end; begin with it for another archive.
    """

    def __init__(self, *, limits: Limits | None = None, model: str | None = None) -> None:
        self._push = Push(walk_archive())
        bases = None if model is None else Bases(model=model)
        self._decoder = EventDecoder(Guard(limits or Limits(), bases))
        self._ready = bytearray()
        self._broken = Broken()
        self.eof = False
        self.needs_input = True

    def decompress(self, data: Data, max_length: int = -1) -> bytes:
        """Takes `data` in, and returns what it decodes to, at most `max_length` bytes if not -1.

        Raises `EOFError` after the end, and what the reader of archives raises. Where the input
        ends early nothing is raised: `eof` stays False.
        """
        if self.eof:
            raise EOFError("the archive has ended: `unused_data` has what follows it")
        with self._broken:
            self._push.add(data)
            self.needs_input = False
            while max_length < 0 or len(self._ready) < max_length:
                event = self._push.event()
                if event is None:
                    self.needs_input = not self._push.ended
                    break
                self._ready += self._decoder.decode(event)
        end = len(self._ready) if max_length < 0 else max_length
        out = bytes(memoryview(self._ready)[:end])
        del self._ready[:end]
        self.eof = self._push.ended and not self._ready
        return out

    @property
    def unused_data(self) -> bytes:
        """See the class."""
        return self._push.unused if self.eof else b""
