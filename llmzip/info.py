"""`llmzip.info`: the door to `llmzip.describe`, which is imported when it is needed.

The package binds the function under this module's own name, so both are imported with it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any, BinaryIO

    from llmzip.describe import ArchiveInfo as ArchiveInfo
    from llmzip.describe import ChunkCounts as ChunkCounts
    from llmzip.describe import Info as Info
    from llmzip.describe import ModelInfo as ModelInfo
    from llmzip.describe import PredictorInfo as PredictorInfo
    from llmzip.describe import SegmentInfo as SegmentInfo


def info(file: str | os.PathLike[str] | BinaryIO) -> Info:
    """Describes the archives in `file`, a path or a binary file object; see `describe.describe`.

    Raises `NotAnArchiveError`, `CorruptError` or `UnsupportedError`.
    """
    from llmzip.describe import describe

    return describe(file)


def __getattr__(name: str) -> Any:
    if not name.endswith("Info") and name != "ChunkCounts":
        raise AttributeError(f"module 'llmzip.info' has no attribute {name!r}")
    from llmzip import describe

    return getattr(describe, name)
