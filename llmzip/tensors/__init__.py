"""Files of weights: their tensors, out of archives and out of plain files.

Nothing of a file is ever run or unpickled. numpy and PyTorch are imported when they are asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from llmzip.tensors.content import decompress_into
    from llmzip.tensors.folder import unpacked
    from llmzip.tensors.opening import safe_open

__all__ = ["decompress_into", "safe_open", "unpacked"]

_HOMES = {"decompress_into": "content", "safe_open": "opening", "unpacked": "folder"}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'llmzip.tensors' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"llmzip.tensors.{home}"), name)
