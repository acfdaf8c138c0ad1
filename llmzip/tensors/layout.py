"""Where the tensors of a file lie, whatever its format."""

from __future__ import annotations

from llmzip.streams import read_exactly
from llmzip.tensors.cursor import Cursor
from llmzip.tensors.region import UNKNOWN, Malformed, Region, cover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO, TypeAlias

    Parser: TypeAlias = Callable[[Cursor, int], list[Region]]

__all__ = ["Region", "plan", "plan_prefix"]

_START = 16


def _front_parser(start: bytes) -> Parser | None:
    """What parses a file that begins with `start` and has its table in front."""
    from llmzip.tensors import safetensors

    if safetensors.claims(start):
        return safetensors.tensors
    return None


def _parser(start: bytes) -> Parser | None:
    return _front_parser(start)


def plan(source: BinaryIO, size: int) -> tuple[Region, ...] | None:
    """Regions that cover the file `source` of `size` bytes, in order and without gaps.

    None where it is of no known format, or broken: then nothing is known of where tensors lie. The
    position of `source` changes. Raises OSError alone.
    """
    source.seek(0)
    parser = _parser(read_exactly(source, min(_START, size)))
    if parser is None:
        return None
    try:
        return cover(parser(Cursor(source, 0, size), size), size)
    except Malformed:
        return None


def plan_prefix(prefix: bytes) -> tuple[Region, ...] | None:
    """What `plan` would return for an input that begins with `prefix`, of unknown size.

    The last region has a length of -1 and holds the rest, which may be nothing. None where the
    format has no table in front, or one that is longer than `prefix`. The input may end before the
    tensors do: only its end tells.
    """
    from io import BytesIO

    parser = _front_parser(prefix[:_START])
    if parser is None:
        return None
    try:
        return cover(parser(Cursor(BytesIO(prefix), 0, len(prefix)), UNKNOWN), UNKNOWN)
    except Malformed:
        return None
