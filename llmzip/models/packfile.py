"""What a model pack says of itself, without its tensors; FORMAT.md, section 10."""

from __future__ import annotations

import json
import os

from llmzip import _native
from llmzip.errors import CorruptError, UnsupportedError
from llmzip.fileio import named
from llmzip.models.loaded import CIRCUIT_MAGIC
from llmzip.models.pack import MAGIC, VERSION
from llmzip.streams import read_exactly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DAMAGED = "the model pack is cut off or damaged; import the model again"
# A table of some thousand tensors takes less than a megabyte.
_MAX_HEADER = 1 << 26
_FRONT = len(MAGIC) + 12


def is_pack(path: str) -> bool:
    """Whether the file begins as packs do; OSError as `open` has it."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def is_circuit(path: str) -> bool:
    """Whether the file begins as packs of circuits do; OSError as `open` has it."""
    with open(path, "rb") as file:
        return file.read(len(CIRCUIT_MAGIC)) == CIRCUIT_MAGIC


def read_header(path: str) -> dict[str, Any]:
    """The header of the pack at `path`.

    Raises `CorruptError` for anything else, and where tensors leave the file; `UnsupportedError`
    for a pack of a later version; OSError.
    """
    try:
        with open(path, "rb") as file:
            front = read_exactly(file, _FRONT)
            if front[: len(MAGIC)] != MAGIC or len(front) < _FRONT:
                raise CorruptError("no model pack; import the model again")
            version = int.from_bytes(front[len(MAGIC) : len(MAGIC) + 4], "little")
            if version != VERSION:
                raise UnsupportedError(f"a model pack of version {version}: update llmzip")
            length = int.from_bytes(front[len(MAGIC) + 4 :], "little")
            size = os.fstat(file.fileno()).st_size
            text = read_exactly(file, length) if length <= min(size, _MAX_HEADER) else b""
    except OSError as error:
        raise named(error, path) from None
    try:
        header = json.loads(str(text, "utf-8"))
        whole = isinstance(header["architecture"], str) and isinstance(header["tokenizer"], dict)
        whole = whole and _sizes([header["importer"], *header["config"].values()])
        for tensor in header["tensors"].values():
            offset, length = tensor["offset"], tensor["length"]
            whole = whole and _sizes([offset, length, *tensor["shape"]]) and offset + length <= size
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise CorruptError(_DAMAGED)
    return header  # type: ignore[no-any-return]


def _sizes(values: list[object]) -> bool:
    return all(type(value) is int and value >= 0 for value in values)


def check(pack: bytes) -> None:
    """Asks the core whether it could evaluate the pack, and cut text for it.

    Raises `CorruptError` where it is damaged, `UnsupportedError` where it is newer.
    """
    try:
        _native.check_pack(pack)
    except _native.CorruptData as error:
        raise CorruptError(f"{_DAMAGED} ({error})") from None
    except _native.UnsupportedData as error:
        raise UnsupportedError(f"{error}: update llmzip") from None
