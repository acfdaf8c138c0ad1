"""Compressing and decompressing bytes in memory."""

from __future__ import annotations

from io import BytesIO

from llmzip import _native
from llmzip.archive import archive_parts, read_archive
from llmzip.base import Bases
from llmzip.incremental import Data, options_for
from llmzip.limits import Limits
from llmzip.options import Options

DEFAULT_MAX_OUTPUT = 64 << 20

# Less than this is not worth starting threads for.
_THREADS_FROM = 1 << 20


def compress(data: Data, level: int | None = None, *, options: Options | None = None) -> bytes:
    """One archive with content `data`.

    level: 1 (fastest) to 9 (smallest); or give `options`.
    """
    content = data if isinstance(data, bytes) else memoryview(data).cast("B")
    # As long as the content from the start: it does not have to move while it grows.
    room = bytes(len(content))
    _native.prefer_huge_pages(room)
    sink = BytesIO(room)
    # What is another's too is copied before it is written to.
    del room
    for part in archive_parts(content, options_for(level, options)):
        sink.write(part)
        # Its memory is there for the next.
        del part
    sink.truncate()
    return sink.getvalue()


def decompress(
    data: Data,
    *,
    max_output: int | None = DEFAULT_MAX_OUTPUT,
    limits: Limits | None = None,
    model: str | None = None,
) -> bytes:
    """The content of all archives in `data`, one after the other.

    max_output: the most bytes to return, or None for as many as there are; `LimitError` above it.
    limits: what else decoding may take; its own `max_output` holds where it is lower.
    model: the language model that the archive needs, where it is not in the store: the path of its
        pack.
    """
    limits = limits or Limits()
    both = [most for most in (max_output, limits.max_output) if most is not None]
    limits = limits.replace(max_output=min(both, default=None))
    sink = BytesIO()
    view = memoryview(data).cast("B")
    threads = 1 if len(view) < _THREADS_FROM else 0
    bases = None if model is None else Bases(model=model)
    read_archive(BytesIO(view), sink, threads=threads, limits=limits, bases=bases)
    return sink.getvalue()
