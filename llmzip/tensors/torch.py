"""Archives of safetensors files as PyTorch tensors, in the shape of `safetensors.torch`."""

from __future__ import annotations

from llmzip.tensors import saving

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from typing import Any

    from llmzip.options import Options

__all__ = ["load_file", "save_file"]


def load_file(
    filename: str | os.PathLike[Any], device: Any = "cpu", *, threads: int = 0
) -> dict[str, Any]:
    """All tensors of a `.llmz` archive, or of a file as it is, by name.

    device: where they go.
    threads: segments decoded at a time; 0 means one for each core.
    """
    return saving.load_file(filename, "pt", device, threads)


def save_file(
    tensors: Mapping[str, Any],
    filename: str | os.PathLike[Any],
    metadata: Mapping[str, str] | None = None,
    *,
    level: int | None = None,
    options: Options | None = None,
) -> None:
    """Writes `tensors` as the archive of a safetensors file; replaces `filename` when complete.

    level, options: as in `llmzip.compress`; one of them at most.
    """
    saving.save_file(tensors, filename, metadata, "pt", level, options)
