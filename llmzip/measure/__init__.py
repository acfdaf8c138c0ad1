"""What compressors make of files: sizes of archives that were decoded, times both ways, memory.

`measure` measures whole files; `measure_chunks` and `measure_tokens` count as two papers do.
"""

from __future__ import annotations

from llmzip.measure.measuring import Step, measure
from llmzip.measure.results import Cost, Result, Run, Total

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from llmzip.measure.chunks import ChunkResult, measure_chunks
    from llmzip.measure.tokens import TokenResult, measure_tokens

__all__ = [
    "ChunkResult",
    "Cost",
    "Result",
    "Run",
    "Step",
    "TokenResult",
    "Total",
    "measure",
    "measure_chunks",
    "measure_tokens",
]

# Imported when they are asked for, with what they need.
_HOMES = {
    "ChunkResult": "chunks",
    "measure_chunks": "chunks",
    "TokenResult": "tokens",
    "measure_tokens": "tokens",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'llmzip.measure' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"llmzip.measure.{home}"), name)
