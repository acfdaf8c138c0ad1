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

__all__ = ["Region", "has_front_table", "plan", "plan_prefix"]

_START = 16


def _front_parser(start: bytes) -> Parser | None:
    """What parses a file that begins with `start` and has its table in front."""
    if start[:4] == b"GGUF":
        from llmzip.tensors import gguf

        return gguf.tensors if gguf.claims(start) else None
    if start[:2] == b"\x93N":
        from llmzip.tensors import npy

        return npy.tensors if npy.claims(start) else None
    if start[:1] == b"\x80" and start[2:4] == b"\x8a\x0a":
        from llmzip.tensors import torch_legacy

        return torch_legacy.tensors if torch_legacy.claims(start) else None
    if start[8:9] == b"{":
        from llmzip.tensors import safetensors

        return safetensors.tensors if safetensors.claims(start) else None
    return None


def _zip_tensors(source: BinaryIO, size: int) -> list[Region]:
    """The tensors of a zip file of `size` bytes."""
    from llmzip.tensors import npz, torch_zip
    from llmzip.tensors.members import members

    found = members(source, size)
    pickle = torch_zip.claims(found)
    regions = torch_zip.tensors(source, found, pickle) if pickle else npz.tensors(source, found)
    if not regions:
        raise Malformed("a zip file without tensors")
    return regions


def _tensors(source: BinaryIO, size: int) -> list[Region]:
    """The tensors of a file of `size` bytes in the order of its table."""
    source.seek(0)
    start = read_exactly(source, min(_START, size))
    parser = _front_parser(start)
    if parser is None and start[:4] == b"PK\3\4":
        return _zip_tensors(source, size)
    if parser is None and start[:1] == b"\x08":
        from llmzip.tensors import onnx

        parser = onnx.tensors if onnx.claims(start) else None
    if parser is None:
        raise Malformed("no known format")
    return parser(Cursor(source, 0, size), size)


def plan(source: BinaryIO, size: int) -> tuple[Region, ...] | None:
    """Regions that cover the file `source` of `size` bytes, in order and without gaps.

    None where it is of no known format, or broken: then nothing is known of where tensors lie. The
    position of `source` changes. Raises OSError alone.
    """
    try:
        return cover(_tensors(source, size), size)
    except Malformed:
        return None


def has_front_table(start: bytes) -> bool:
    """Whether an input that begins with `start`, 16 bytes or more, may have a table in front."""
    return _front_parser(start[:_START]) is not None


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
