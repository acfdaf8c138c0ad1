"""llmzip: a learned lossless compressor."""

from __future__ import annotations

try:
    from llmzip import _native
except ModuleNotFoundError as error:
    raise ImportError(
        "llmzip's native module is not built: run `pip install -e .` in the source folder"
    ) from error

__version__ = _native.VERSION
