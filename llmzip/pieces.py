"""How content is cut into segments: by size alone, or along the tensors that a plan found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from llmzip.record import Record
from llmzip.tensors.kinds import KINDS
from llmzip.tensors.region import Region

# Bytes of a tensor's segment, but for what its last row lacks: enough that its tables cost
# nothing, few enough that threads and readers of one tensor gain.
_TENSOR = 16 << 20
# Other content up to one part in this many of all tensors is small.
_LITTLE = 1024
# Longer rows are not treated as rows.
_LONGEST_ROW = 1 << 20


class Piece(Record):
    """Content of one segment.

    length: bytes; -1 for all that is left, cut by size.
    label: what the index calls it.
    kind: element kind of a tensor, or "" for other content.
    row: elements of a tensor's row, 0 where it has none.
    base: where in a base file the same tensor has this content, -1 without.
    small: whether it is so little beside the file's tensors that only the time it takes counts.
    """

    length: int
    label: str = ""
    kind: str = ""
    row: int = 0
    small: bool = False
    base: int = -1


def cut(
    regions: Iterable[Region], segment_size: int, base: Mapping[str, Region] | None = None
) -> Iterator[Piece]:
    """The segments of a file with these regions; `segment_size` is for what is no tensor.

    base: the tensors of a base file by name.
    """
    regions = tuple(regions)
    little = sum(region.length for region in regions if region.kind) // _LITTLE
    for region in regions:
        if region.length < 0:
            yield Piece(-1)
            return
        size, row = segment_size, 0
        if region.kind:
            elements, unit = KINDS[region.kind]
            row = _row(region.shape)
            units, odd = divmod(row, elements)
            if odd or row > _LONGEST_ROW:
                row = 0
            whole = units * unit if row else unit
            size = max(_TENSOR // whole, 1) * whole
        like = base.get(region.label) if base and region.kind else None
        if like and (like.kind, like.shape) != (region.kind, region.shape):
            like = None
        for at in range(0, region.length, size):
            length = min(size, region.length - at)
            small = not region.kind and region.length <= little
            where = like.offset + at if like else -1
            yield Piece(length, region.label, region.kind, row, small, where)


def _row(shape: tuple[int, ...]) -> int:
    if len(shape) < 2:
        return 0
    row = 1
    for length in shape[1:]:
        row *= length
    return row
