"""What `llmzip list` says about an archive's tensors: from its index and headers alone."""

from __future__ import annotations

from math import prod
from typing import BinaryIO, cast

from llmzip.errors import LlmzError
from llmzip.limits import Limits
from llmzip.record import Record
from llmzip.seeking import RandomAccess
from llmzip.tensors.layout import plan
from llmzip.tensors.view import ContentReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.describe import ArchiveInfo, ChunkCounts
    from llmzip.tensors.region import Region


class TensorInfo(Record):
    """One tensor of an archive.

    kind, shape: of its elements, outermost side first; "" and () where they are not known.
    elements: how many; None where that is not known.
    raw_bytes, stored_bytes: of its segments, without and with compression, headers included.
    method: the predictor; "stored", "constant" or "copy" where all of it is.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    elements: int | None
    raw_bytes: int
    stored_bytes: int
    method: str

    @property
    def bits(self) -> float | None:
        """Stored bits for each element."""
        return 8 * self.stored_bytes / self.elements if self.elements else None


def tensors_of(archive: ArchiveInfo, source: BinaryIO | None) -> tuple[TensorInfo, ...]:
    """The tensors of `archive`, in order; empty where it was not cut along any.

    source: the file that holds it, if it can seek; it is decoded as far as kinds and shapes stand
        there. What cannot be decoded here leaves them unknown.
    """
    if not any(segment.label for segment in archive.segments):
        return ()
    found = _regions(archive, source)
    tensors: list[TensorInfo] = []
    for segment in archive.segments:
        if not segment.label:
            continue
        method = _method(segment.predictor, segment.chunks)
        if tensors and tensors[-1].name == segment.label:
            last = tensors[-1]
            tensors[-1] = last.replace(
                raw_bytes=last.raw_bytes + segment.raw_len,
                stored_bytes=last.stored_bytes + segment.length,
                method=last.method if last.method == method else segment.predictor,
            )
            continue
        region = found.get(segment.label)
        kind, shape = (region.kind, region.shape) if region else ("", ())
        elements = prod(shape) if kind else None
        tensors.append(
            TensorInfo(
                segment.label, kind, shape, elements, segment.raw_len, segment.length, method
            )
        )
    return tuple(tensors)


def _regions(archive: ArchiveInfo, source: BinaryIO | None) -> dict[str, Region]:
    if source is None:
        return {}
    try:
        content = ContentReader(RandomAccess(source, archive.offset, Limits()))
        regions = plan(cast(BinaryIO, content), archive.raw_bytes) or ()
    except LlmzError:
        # A predictor that is not here, or damage, which `test` is there to find.
        return {}
    return {region.label: region for region in regions if region.label}


def _method(predictor: str, chunks: ChunkCounts) -> str:
    if not chunks.coded and not chunks.constant and not chunks.copied:
        return "stored"
    others = chunks.coded, chunks.stored, chunks.stored_after_coding, chunks.copied
    if not any(others):
        return "constant"
    return predictor
