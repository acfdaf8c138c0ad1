"""Archives as files: `LlmzFile` and `open`, in the shape of `lzma` and `compression.zstd`."""

from __future__ import annotations

import builtins
import io
import os
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from llmzip.base import Bases
from llmzip.incremental import options_for
from llmzip.limits import Limits
from llmzip.options import Options
from llmzip.reader import Broken, EventDecoder, Guard
from llmzip.seeking import RandomAccess
from llmzip.streams import seekable, write_all
from llmzip.walk import pull, walk_file
from llmzip.workers import Meter, cores
from llmzip.writer import ArchiveEncoder

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_BUFFER = 128 << 10


class _Content(io.RawIOBase):
    """The content of all archives in `source`: from front to back, until somebody seeks."""

    def __init__(self, source: BinaryIO, limits: Limits, bases: Bases) -> None:
        self._source = source
        self._limits = limits
        self._bases = bases
        self._seekable = seekable(source)
        self._begin = source.tell() if self._seekable else 0
        self._position = 0
        self._rest = memoryview(b"")
        self._events = pull(source, walk_file(self._begin))
        self._guard = Guard(limits, bases, source)
        self._decoder = EventDecoder(self._guard)
        self._broken = Broken()
        self._random: RandomAccess | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        while target and not self._rest:
            if self._random:
                self._rest = self._random.read(self._position)
                break
            with self._broken:
                event = next(self._events, None)
                if event is None:
                    break
                self._rest = memoryview(self._decoder.decode(event))
        length = min(len(target), len(self._rest))
        target[:length] = self._rest[:length]
        self._rest = self._rest[length:]
        self._position += length
        return length

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if not self._seekable:
            raise io.UnsupportedOperation("the file that the archive is read from cannot seek")
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self._index().size
        elif whence != os.SEEK_SET:
            raise ValueError(f"invalid whence: {whence}")
        if offset < 0:
            raise ValueError(f"negative position: {offset}")
        if offset != self._position:
            self._index()
            self._position = offset
            self._rest = memoryview(b"")
        return offset

    def close(self) -> None:
        self._guard.close()
        if self._random is not None:
            self._random.close()
        super().close()

    def _index(self) -> RandomAccess:
        if self._random is None:
            self._random = RandomAccess(self._source, self._begin, self._limits, self._bases)
            self._rest = memoryview(b"")
        return self._random


class LlmzFile(io.BufferedIOBase):
    """A `.llmz` file, read or written as its content.

    file: a path, or a binary file object, which is not closed with this one.
    mode: "r" to read, "w" to write, "x" to create, "a" to add an archive at the end; a "b" is
        allowed.
    level, options: for writing alone; one of them at most.
    limits: for reading alone.
    base: for reading alone: the file that tensors of the archive are changes of, or a folder that
        has it, where it is not beside the archive.
    model: for reading alone: as in `decompress`.

    Reading is sequential and checks everything, the content hash included, until the first `seek`;
    from then on the index is used and every chunk's own check holds. A segment that was asked for
    is decoded in the calling thread. Where the file cannot seek, neither can this.

    Leaving a `with` block by an exception does not complete an archive that is being written.
    """

    def __init__(
        self,
        file: str | bytes | os.PathLike[Any] | BinaryIO,
        mode: str = "r",
        *,
        level: int | None = None,
        options: Options | None = None,
        limits: Limits | None = None,
        base: str | None = None,
        model: str | None = None,
    ) -> None:
        self._owned: BinaryIO | None = None
        self._reader: io.BufferedReader | None = None
        self._encoder: ArchiveEncoder | None = None
        self._written = 0
        kind = mode.replace("b", "", 1)
        if kind not in ("r", "w", "x", "a"):
            raise ValueError(f"invalid mode: {mode!r}")
        if kind == "r" and (level is not None or options is not None):
            raise TypeError("level and options are for writing")
        if kind != "r" and limits is not None:
            raise TypeError("limits are for reading")
        made = None if kind == "r" else options_for(level, options)
        if isinstance(file, (str, bytes, os.PathLike)):
            self._fp = self._owned = cast(BinaryIO, builtins.open(file, kind + "b"))
        elif hasattr(file, "read" if kind == "r" else "write"):
            self._fp = file
        else:
            raise TypeError("file must be a path or a binary file object")
        self._mode = "rb" if kind == "r" else "wb"
        if made is None:
            beside = None
            if isinstance(file, (str, bytes, os.PathLike)):
                beside = os.path.dirname(os.fsdecode(file)) or "."
            content = _Content(self._fp, limits or Limits(), Bases(beside, base, model=model))
            self._reader = io.BufferedReader(content, _BUFFER)
        else:
            threads = made.threads or cores()
            self._encoder = ArchiveEncoder(made, Meter(None, None), threads=threads)

    @property
    def mode(self) -> str:
        """ "rb" or "wb"."""
        return self._mode

    @property
    def name(self) -> Any:
        """The name of the file underneath."""
        return self._fp.name

    def fileno(self) -> int:
        """The file descriptor of the file underneath."""
        self._check_open()
        return self._fp.fileno()

    def readable(self) -> bool:
        """Whether it was opened for reading."""
        self._check_open()
        return self._mode == "rb"

    def writable(self) -> bool:
        """Whether it was opened for writing."""
        self._check_open()
        return self._mode == "wb"

    def seekable(self) -> bool:
        """Whether `seek` works: reading from a file that can seek."""
        return self.readable() and self._reading().seekable()

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes of content, fewer at its end alone; all that is left by default."""
        return self._reading().read(size)

    def read1(self, size: int = -1) -> bytes:
        """Up to `size` bytes of content with little decoding; none at the end alone."""
        return self._reading().read1(size)

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fills `buffer`; returns how many bytes it got."""
        return self._reading().readinto(buffer)

    def readinto1(self, buffer: WriteableBuffer) -> int:
        """As `readinto`, with little decoding."""
        return self._reading().readinto1(buffer)

    def readline(self, size: int | None = -1) -> bytes:
        """One line of content."""
        return self._reading().readline(size)

    def peek(self, size: int = -1) -> bytes:
        """Content from the current position, which stays; at least one byte unless at the end."""
        return self._reading().peek(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a position of the content; behind its end there is nothing to read."""
        return self._reading().seek(offset, whence)

    def tell(self) -> int:
        """The position in the content."""
        self._check_open()
        return self._written if self._reader is None else self._reader.tell()

    def write(self, data: ReadableBuffer) -> int:
        """Takes content in; returns its length in bytes."""
        self._check_open()
        if self._encoder is None:
            raise io.UnsupportedOperation("the file was not opened for writing")
        view = memoryview(data).cast("B")
        for part in self._encoder.feed(view):
            write_all(self._fp, part)
        self._written += len(view)
        return len(view)

    def close(self) -> None:
        """Completes the archive when writing; closes the file if it was opened here."""
        if not self.closed:
            self._end(complete=True)

    def __enter__(self) -> LlmzFile:
        self._check_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if not self.closed:
            self._end(complete=kind is None)

    def _end(self, *, complete: bool) -> None:
        try:
            encoder = self._encoder
            if encoder is not None:
                with encoder:
                    if complete and not encoder.failed:
                        for part in encoder.finish():
                            write_all(self._fp, part)
        finally:
            if self._reader is not None:
                self._reader.close()
            self._encoder = self._reader = None
            try:
                if self._owned is not None:
                    self._owned.close()
            finally:
                super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _reading(self) -> io.BufferedReader:
        self._check_open()
        if self._reader is None:
            raise io.UnsupportedOperation("the file was not opened for reading")
        return self._reader


def open(
    file: str | bytes | os.PathLike[Any] | BinaryIO,
    mode: str = "rb",
    *,
    level: int | None = None,
    options: Options | None = None,
    limits: Limits | None = None,
    model: str | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> LlmzFile | io.TextIOWrapper:
    """Opens a `.llmz` file: as `LlmzFile`, or as text where `mode` has a "t".

    model: as in `LlmzFile`.
    encoding, errors, newline: for text, as in the built-in `open`.
    """
    text = "t" in mode
    if text and "b" in mode:
        raise ValueError(f"invalid mode: {mode!r}")
    if not text and (encoding, errors, newline) != (None, None, None):
        raise ValueError("encoding, errors and newline are for text mode")
    kind = mode.replace("t", "", 1)
    binary = LlmzFile(file, kind, level=level, options=options, limits=limits, model=model)
    return io.TextIOWrapper(binary, encoding, errors, newline) if text else binary
