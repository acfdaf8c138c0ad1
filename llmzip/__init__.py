"""llmzip: a learned lossless compressor."""

from __future__ import annotations

try:
    from llmzip import _native
except ModuleNotFoundError as error:
    raise ImportError(
        "llmzip's native module is not built: run `pip install -e .` in the source folder"
    ) from error

from llmzip import errors
from llmzip.errors import LlmzError
from llmzip.info import info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from llmzip import explain, measure, similarity, windows
    from llmzip.file import LlmzFile, open
    from llmzip.generation import generate
    from llmzip.incremental import Compressor, Decompressor
    from llmzip.limits import Limits
    from llmzip.oneshot import compress, decompress
    from llmzip.options import Options
    from llmzip.segments import SegmentSettings, decode_segment, encode_segment

__version__ = _native.VERSION

__all__ = [
    "Compressor",
    "Decompressor",
    "Limits",
    "LlmzError",
    "LlmzFile",
    "Options",
    "SegmentSettings",
    "compress",
    "decode_segment",
    "decompress",
    "encode_segment",
    "errors",
    "explain",
    "generate",
    "info",
    "measure",
    "open",
    "similarity",
    "windows",
]

# Imported when they are asked for: a program that only imports llmzip should start at once.
_HOMES = {
    "Compressor": "incremental",
    "Decompressor": "incremental",
    "Limits": "limits",
    "LlmzFile": "file",
    "Options": "options",
    "SegmentSettings": "segments",
    "compress": "oneshot",
    "decode_segment": "segments",
    "decompress": "oneshot",
    "encode_segment": "segments",
    "generate": "generation",
    "open": "file",
}


# Packages that are there as soon as they are named.
_PACKAGES = ("explain", "measure", "similarity", "windows")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        from importlib import import_module

        return import_module(f"llmzip.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'llmzip' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"llmzip.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
