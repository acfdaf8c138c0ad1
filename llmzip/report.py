"""What long work tells its caller, while it runs and at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from llmzip.container import ARCHIVE, MODEL
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from llmzip.container import ModelRef

    Phase: TypeAlias = Literal["compress", "verify", "decompress", "get"]


class Progress(Record):
    """How far a phase is: raw bytes done, of how many (if known), and coded bytes so far.

    Segments are compressed and verified at the same time, so the two phases may interleave; each
    counts for itself.
    """

    phase: Phase
    done: int
    total: int | None
    coded: int


Report: TypeAlias = Callable[[Progress], None]
Notice: TypeAlias = Callable[[str], None]
"""Called with one line that a user may want to know and that is no error."""


class Summary(Record):
    """What was written or read: bytes of content and of archives, and what they are made of.

    `predictors` are the ids of those that segments use, in order of first use, and "copy" where one
    repeats another. `needs` are the names of other files whose archives have some of the content.
    `model_bytes` are those of the models that reading needs and the archives do not bring.
    """

    raw_bytes: int
    archive_bytes: int
    segments: int
    archives: int
    predictors: tuple[str, ...]
    needs: tuple[str, ...] = ()
    model_bytes: int = 0

    @property
    def adjusted_bytes(self) -> int:
        """Bytes of archives and of the models that reading them needs."""
        return self.archive_bytes + self.model_bytes

    @property
    def bits_per_byte(self) -> float:
        """Bits of archive for each byte of content; 0 where there is no content."""
        return 8 * self.archive_bytes / self.raw_bytes if self.raw_bytes else 0.0


class Tally:
    """Adds up a `Summary`."""

    def __init__(self) -> None:
        self.raw_bytes = 0
        self.archive_bytes = 0
        self.segments = 0
        self.archives = 0
        self._needs: dict[str, None] = {}
        self._models: dict[bytes, int] = {}
        self._predictors: dict[str, None] = {}

    def segment(self, raw_len: int, predictor: str) -> None:
        """Counts a segment."""
        self.segments += 1
        self.raw_bytes += raw_len
        self._predictors[predictor] = None

    def need(self, models: Iterable[ModelRef]) -> None:
        """Notes the archives and the models, not brought along, that are among `models`."""
        models = tuple(models)
        self._needs.update((ref.name, None) for ref in models if ref.kind == ARCHIVE)
        self._models.update((ref.sha256, ref.length) for ref in models if ref.kind == MODEL)

    def summary(self) -> Summary:
        """The sums so far."""
        return Summary(
            self.raw_bytes,
            self.archive_bytes,
            self.segments,
            self.archives,
            tuple(self._predictors),
            tuple(self._needs),
            sum(self._models.values()),
        )
