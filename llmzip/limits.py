"""What a reader may spend on an archive that it does not trust."""

from __future__ import annotations

from llmzip.errors import UsageError
from llmzip.record import Record


class Limits(Record):
    """Limits on decoding.

    decoder_memory: bytes for one whole decode. Fewer segments are decoded at a time before
        anything fails; `LimitError` when one segment alone needs more.
    max_output: bytes of content, or None for no limit.
    """

    decoder_memory: int = 2 << 30
    max_output: int | None = None

    def __post_init__(self) -> None:
        if self.decoder_memory < 0:
            raise UsageError("the memory limit must not be negative")
        if self.max_output is not None and self.max_output < 0:
            raise UsageError("the output limit must not be negative")
