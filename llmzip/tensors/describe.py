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
    raw_bytes, stored_bytes: of its segments, without and with compression, headers included; the
        latter is None for a tensor that shares a segment with its neighbours.
    method: the predictor; "stored", "constant" or "copy" where all of it is, "shared" for what has
        no segment of its own.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    elements: int | None
    raw_bytes: int
    stored_bytes: int | None
    method: str

    @property
    def bits(self) -> float | None:
        """Stored bits for each element."""
        if self.stored_bytes is None or not self.elements:
            return None
        return 8 * self.stored_bytes / self.elements


def tensors_of(archive: ArchiveInfo, source: BinaryIO | None) -> tuple[TensorInfo, ...]:
    """The tensors of `archive`, in order; empty where it was not cut along any.

    source: the file that holds it, if it can seek; it is decoded as far as kinds and shapes stand
        there. What cannot be decoded here leaves them unknown.
    """
    if not any(segment.label for segment in archive.segments):
        return ()
    regions = _regions(archive, source)
    tensors: dict[str, TensorInfo] = {}
    for segment in archive.segments:
        name = segment.label
        if not name:
            continue
        method = _method(segment.predictor, segment.chunks)
        last = tensors.get(name)
        if last is not None and last.stored_bytes is not None:
            tensors[name] = last.replace(
                raw_bytes=last.raw_bytes + segment.raw_len,
                stored_bytes=last.stored_bytes + segment.length,
                method=last.method if last.method == method else segment.predictor,
            )
            continue
        region = regions.get(name)
        kind, shape = (region.kind, region.shape) if region else ("", ())
        its = (_elements(kind, shape), segment.raw_len, segment.length, method)
        tensors[name] = TensorInfo(name, kind, shape, *its)
    for name, region in regions.items():
        if name not in tensors:
            kind, shape = region.kind, region.shape
            count = _elements(kind, shape)
            tensors[name] = TensorInfo(name, kind, shape, count, region.length, None, "shared")
    order = {name: number for number, name in enumerate(regions)}
    return tuple(sorted(tensors.values(), key=lambda tensor: order.get(tensor.name, -1)))


def _elements(kind: str, shape: tuple[int, ...]) -> int | None:
    return prod(shape) if kind else None


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
