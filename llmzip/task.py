"""A segment that a worker decodes."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from llmzip.preamble import Preamble
    from llmzip.sources import Sources
    from llmzip.walk import Chunk, SegmentStart


class Task:
    """A segment on its way through a worker: its chunks go in, their content comes out.

    memory: bytes that it takes, with what it may hold of coded and of raw bytes (`held` each).
    input: whether chunks may follow; "cut" where they end too early.
    """

    def __init__(
        self,
        start: SegmentStart,
        memory: int,
        held: int,
        sources: Sources | None,
        preamble: Preamble | None,
    ) -> None:
        self.start = start
        self.sources = sources
        self.preamble = preamble
        self.memory = memory
        self.held = held
        self.coded: deque[Chunk] = deque()
        self.coded_bytes = 0
        self.input: Literal["open", "all", "cut"] = "open"
        self.raw: deque[tuple[bytes, bytes]] = deque()
        self.raw_bytes = 0
        self.done = False
        self.error: BaseException | None = None
