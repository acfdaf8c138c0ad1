"""What an archive of llmzip tells beside its size: bits along the content, models it needs.

Run as a program, `python -m llmzip.measure.along ARCHIVE CONTENT`, it prints that as JSON: coding
once more takes as much memory as coding, which a process that measures others must not have had.
"""

from __future__ import annotations

import json
import sys

from llmzip import route
from llmzip.container import CODED, MODEL, STORED_AFTER_CODING
from llmzip.errors import VerifyError
from llmzip.record import Record
from llmzip.walk import ArchiveStart, Chunk, SegmentStart, pull, walk_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from llmzip import _native

# Content up to this size is coded once more, to see what less than a chunk of it costs: a longer
# file has some chunks anyhow, and takes long.
FINE_BYTES = 8 << 20
_STEPS = 160
_LEAST_STEP = 256


class Inside(Record):
    """`along` as `results.Result` has it; the models' names, and their bytes together."""

    along: tuple[tuple[int, float], ...]
    model: str
    model_bytes: int


def inside(archive: BinaryIO, content: BinaryIO) -> Inside:
    """Reads all of an archive and of what it holds.

    A step of `along` is a chunk with its head. Where the content is short, segments of predictor
    `cm` are coded again, and a step is shorter. What stands around segments (header, index, a model
    inside) is in none.

    Raises `VerifyError` where coding again gives other bytes.
    """
    models: dict[bytes, tuple[str, int]] = {}
    along: list[tuple[int, float]] = []
    size = content.seek(0, 2)
    again: _Again | None = None
    at = begin = 0
    for event in pull(archive, walk_file()):
        if isinstance(event, ArchiveStart):
            needed = [ref for ref in event.header.metadata.models if ref.kind == MODEL]
            models.update((ref.sha256, (ref.name, ref.length)) for ref in needed)
        elif isinstance(event, SegmentStart):
            # The segment's own head counts for its first chunk.
            begin = event.offset
            again = _Again(event, content, at, size) if _tells(event, size) else None
        elif isinstance(event, Chunk):
            pieces = again.chunk(event, at) if again else _whole(event)
            around = event.end - begin - len(event.payload)
            for count, coded in pieces:
                along.append((at, round(8 * (coded + around) / count, 4)))
                at, around = at + count, 0
            begin = event.end
    names = ", ".join(name for name, _ in models.values())
    return Inside(tuple(along), names, sum(length for _, length in models.values()))


def _tells(start: SegmentStart, size: int) -> bool:
    """Whether a segment says, while it is coded, what it has taken so far."""
    return size <= FINE_BYTES and start.predictor.id == "cm" and not start.header.is_copy


def _whole(event: Chunk) -> Iterator[tuple[int, int]]:
    yield event.head.raw_len, len(event.payload)


class _Again:
    """A segment of `cm`, coded a second time."""

    def __init__(self, start: SegmentStart, raw: BinaryIO, at: int, size: int) -> None:
        self._raw = raw
        self._step = max(_LEAST_STEP, -(-size // _STEPS))
        header = start.header
        self._encoder: _native.Encoder = route.new_encoder(
            start.predictor, header.settings, header.raw_len
        )
        raw.seek(at)
        self._encoder.look_ahead(raw.read(header.raw_len))

    def chunk(self, event: Chunk, at: int) -> Iterator[tuple[int, int]]:
        """Bytes of content, and the coded bytes that they took, for each piece of a chunk."""
        head = event.head
        if head.type not in (CODED, STORED_AFTER_CODING):
            # It never came to the predictor.
            yield from _whole(event)
            return
        self._raw.seek(at)
        data = self._raw.read(head.raw_len)
        found = []
        told = 0
        for begin in range(0, len(data), self._step):
            piece = data[begin : begin + self._step]
            self._encoder.write(piece)
            so_far = self._encoder.coded_so_far
            found.append((len(piece), so_far - told))
            told = so_far
        payload = self._encoder.finish_chunk()
        if head.type == STORED_AFTER_CODING:
            yield from _whole(event)
            return
        if payload != event.payload:
            raise VerifyError("coding the content again gives other bytes")
        count, coded = found[-1]
        yield from found[:-1]
        yield count, coded + len(payload) - told


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as _archive, open(sys.argv[2], "rb") as _content:
        print(json.dumps(inside(_archive, _content).as_dict()))
