"""Puts an archive together around its coded segments."""

from __future__ import annotations

from llmzip import _native, container, route
from llmzip.container import (
    EMBEDDED,
    MODEL,
    Bounds,
    Footer,
    IndexEntry,
    Metadata,
    ModelRef,
    PredictorRef,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from llmzip.options import Options
    from llmzip.segments import Encoded

    Part: TypeAlias = bytes | memoryview


class Assembler:
    """Puts coded segments together to one archive; holds no segment."""

    def __init__(self, options: Options, models: tuple[ModelRef, ...] = ()) -> None:
        self._options = options
        self._models = models
        self._entries: list[IndexEntry] = []
        self._hash = _native.Sha256()
        self._len = 0

    def header(self, predictors: tuple[PredictorRef, ...], largest: int, memory: int) -> bytes:
        """The header: which predictors segments number, bytes in the largest segment, memory."""
        # An empty archive has bounds too; 1 is the least that all of its readers take.
        largest = max(largest, 1)
        bounds = Bounds(largest, min(largest, container.MAX_CHUNK), memory)
        options = self._options
        needed = any(map(route.needs_model, predictors))
        models = tuple(ref for ref in self._models if needed or ref.kind not in (MODEL, EMBEDDED))
        metadata = Metadata(
            predictors, options.level, bounds, models=models, comment=options.comment
        )
        header = container.build_header(metadata)
        self._len += len(header)
        return header

    def model_part(self, part: bytes) -> bytes:
        """The next part of the model that the archive brings."""
        self._len += len(part)
        return part

    def segment(self, encoded: Encoded, label: str = "") -> Part:
        """The next segment."""
        self._entries.append(IndexEntry(len(encoded.data), encoded.raw_len, label))
        self._hash.update(encoded.digests)
        self._len += len(encoded.data)
        return encoded.data

    def end(self) -> bytes:
        """Index and footer."""
        index = container.build_index(self._entries, len(self._entries))
        total = self._len + len(index) + container.FOOTER_LEN
        footer = Footer(len(index), total, self.content_hash)
        return index + container.build_footer(footer)

    @property
    def content_hash(self) -> bytes:
        """The hash over the content of the segments so far."""
        return self._hash.digest()
