"""Where the bits go: what each byte or token costs, each column of a table, each field of tensors.

`explain` looks at a file, `page` in `llmzip.explain.page` shows what it found.
"""

from llmzip.explain.explaining import DEFAULT_BYTES, explain
from llmzip.explain.results import Column, Explained, Field, Place, Share, Tensor, Units

__all__ = [
    "DEFAULT_BYTES",
    "Column",
    "Explained",
    "Field",
    "Place",
    "Share",
    "Tensor",
    "Units",
    "explain",
]
