"""What an archive of llmzip says beside its size: bits along the content, and the models it needs."""

from __future__ import annotations

from llmzip.container import MODEL
from llmzip.record import Record
from llmzip.walk import ArchiveStart, Chunk, SegmentStart, pull, walk_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


class Inside(Record):
    """`along` as `results.Result` has it; the models' names, and their bytes together."""

    along: tuple[tuple[int, float], ...]
    model: str
    model_bytes: int


def inside(archive: Path) -> Inside:
    """Reads all of an archive; a chunk with its head is a step of `along`.

    What stands around the chunks (header, index) is left out of it, and so is a model inside.
    """
    along: list[tuple[int, float]] = []
    models: dict[bytes, tuple[str, int]] = {}
    at = 0
    with open(archive, "rb") as source:
        for event in pull(source, walk_file()):
            if isinstance(event, ArchiveStart):
                needed = [ref for ref in event.header.metadata.models if ref.kind == MODEL]
                models.update((ref.sha256, (ref.name, ref.length)) for ref in needed)
            elif isinstance(event, SegmentStart):
                # The segment's own head counts for its first chunk.
                begin = event.offset
            elif isinstance(event, Chunk):
                along.append((at, round(8 * (event.end - begin) / event.head.raw_len, 4)))
                at += event.head.raw_len
                begin = event.end
    names = ", ".join(name for name, _ in models.values())
    return Inside(tuple(along), names, sum(length for _, length in models.values()))
