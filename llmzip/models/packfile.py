"""What a model pack says of itself, without its tensors; FORMAT.md, section 10."""

from __future__ import annotations

import json
import os

from llmzip.errors import CorruptError, UnsupportedError
from llmzip.fileio import named
from llmzip.models.pack import MAGIC, VERSION
from llmzip.streams import read_exactly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# A table of some thousand tensors takes less than a megabyte.
_MAX_HEADER = 1 << 26
_FRONT = len(MAGIC) + 12


def is_pack(path: str) -> bool:
    """Whether the file begins as packs do; OSError as `open` has it."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


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
        tensors = header["tensors"].values()
        end = max(tensor["offset"] + tensor["length"] for tensor in tensors)
        known = {key: header[key] for key in ("architecture", "config", "importer", "tokenizer")}
        whole = end <= size and isinstance(known["config"], dict)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise CorruptError("the model pack is cut off or damaged; import the model again")
    return header  # type: ignore[no-any-return]
