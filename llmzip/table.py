"""Rows of archives: lines of content, by number, without decoding all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from llmzip import route
from llmzip.base import Bases
from llmzip.directory import read_segment_header
from llmzip.errors import UsageError
from llmzip.limits import Limits
from llmzip.seeking import RandomAccess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


def read_rows(
    archive: str | os.PathLike[str],
    start: int = 0,
    stop: int | None = None,
    *,
    limits: Limits | None = None,
    model: str | None = None,
) -> list[bytes]:
    """Lines `start` to `stop` (not included) of an archive's content, with their line ends.

    Lines are counted from 0; the first one may be a header. What is asked for beyond the last line
    is not there. Segments of predictors `pc` and `circuit` tell how many lines they have: of these
    only those with the lines asked for are decoded, one by `pc` from its start, one by `circuit`,
    which is short, whole. Others before the lines are decoded to count their lines.

    model: as in `Bases`. Raises `UsageError` for negative numbers, and as reading an archive does.
    """
    path = os.fspath(archive)
    with open(path, "rb") as source:
        bases = Bases(os.path.dirname(path) or ".", model=model)
        return list(iter_rows(source, start, stop, limits, bases))


def iter_rows(
    source: BinaryIO,
    start: int,
    stop: int | None,
    limits: Limits | None,
    bases: Bases | None,
) -> Iterator[bytes]:
    """As `read_rows`, of the archives in `source`, which can seek, one line after the other."""
    if start < 0 or (stop is not None and stop < start):
        raise UsageError(f"rows {start}:{'' if stop is None else stop}: from 0 on, and upwards")
    content = RandomAccess(source, 0, limits or Limits(), bases)
    try:
        yield from _rows(source, content, start, stop)
    finally:
        content.close()


def _rows(source: BinaryIO, content: RandomAccess, start: int, stop: int | None) -> Iterator[bytes]:
    if stop == start:
        return
    # The number of the line that the next byte belongs to, and what is there of it.
    number, open_line = 0, b""
    for segment, begin in enumerate(content.starts):
        place = content.place(segment)
        header, _ = read_segment_header(source, place.offset)
        told = None
        if not header.is_copy:
            ref = place.archive.header.metadata.predictors[header.predictor]
            told = route.lines(ref, header.settings)
        if told is not None and number + told < start:
            number += told
            continue
        end = begin + place.raw_len
        while begin < end:
            chunk = bytes(content.read(begin))
            begin += len(chunk)
            lines = _split(open_line + chunk)
            open_line = lines.pop()
            for line in lines:
                if number >= start:
                    yield line
                number += 1
                if number == stop:
                    return
            if number < start:
                # The start of a line that nobody wants.
                open_line = b""
    if open_line and number >= start:
        yield open_line


def _split(data: bytes) -> list[bytes]:
    """Lines with their line feeds, and what follows the last one."""
    lines = data.split(b"\n")
    rest = lines.pop()
    return [*(line + b"\n" for line in lines), rest]
