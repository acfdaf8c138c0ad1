"""How content is cut into segments: by size alone, or along the tensors that a plan found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from llmzip.container import CopyOf
from llmzip.record import Record
from llmzip.tensors.kinds import KINDS
from llmzip.tensors.region import Region

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.duplicates import Found, Known

# Bytes of a tensor's segment, but for what its last row lacks: enough that its tables cost
# nothing, few enough that threads and readers of one tensor gain.
_TENSOR = 16 << 20
# Other content up to one part in this many of all tensors is small.
_LITTLE = 32
# Shorter tensors, and what stands between them, share segments of about so many bytes where ones of
# their own, each of which costs about so many, would add more than one part in so many.
_TINY = 1024
_SHARED = 256 << 10
# Where there are many, longer ones are tiny too: no more than what is never looked for again.
_MANY = 64
_TINY_OF_MANY = 4096
_COST = 100
_MOST_ADDED = 256
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
    kept: whether later pieces repeat it.
    copy: what it repeats, as its segment says it: what is at byte `again` of the same file, or of
        the tensor `known` of an earlier file.
    """

    length: int
    label: str = ""
    kind: str = ""
    row: int = 0
    small: bool = False
    base: int = -1
    kept: bool = False
    copy: CopyOf | None = None
    again: int = -1
    known: Known | None = None


def counterpart(region: Region, base: Mapping[str, Region] | None) -> Region | None:
    """The tensor of a base file that `region` is a change of."""
    like = base.get(region.label) if base and region.kind else None
    return like if like and (like.kind, like.shape) == (region.kind, region.shape) else None


def cut(
    regions: Iterable[Region],
    segment_size: int,
    base: Mapping[str, Region] | None = None,
    found: Found | None = None,
) -> Iterator[Piece]:
    """The segments of a file with these regions; `segment_size` is for what is no tensor.

    base: the tensors of a base file by name. found: those that occur again.
    """
    regions = _joined(regions)
    little = sum(region.length for region in regions if region.kind) // _LITTLE
    numbers = {archive: n + 1 for n, archive in enumerate(found.archives())} if found else {}
    # Of tensors that are kept, by their offset: the first segment, and the lengths of all.
    kept: dict[int, tuple[int, list[int]]] = {}
    seq = 0
    for region in regions:
        if region.length < 0:
            yield Piece(-1)
            return
        again = found.again.get(region.offset) if found else None
        if again and found:
            first, lengths = kept.get(again.offset, (0, []))
            known = again.known
            at = 0
            for number, length in enumerate(known.lengths if known else lengths):
                copy = CopyOf(0, first + number)
                if known:
                    copy = CopyOf(numbers[known.archive], known.offset + at)
                yield Piece(
                    length,
                    region.label,
                    region.kind,
                    _rows(region)[0],
                    copy=copy,
                    again=at if known else again.offset + at,
                    known=known,
                )
                at += length
                seq += 1
            continue
        size, row = segment_size, 0
        if region.kind:
            row, whole = _rows(region)
            size = max(_TENSOR // whole, 1) * whole
        like = counterpart(region, base)
        keep = found is not None and region.offset in found.kept
        if keep:
            kept[region.offset] = seq, []
        for at in range(0, region.length, size):
            length = min(size, region.length - at)
            small = not region.kind and region.length <= little
            where = like.offset + at if like else -1
            yield Piece(length, region.label, region.kind, row, small, where, keep)
            if keep:
                kept[region.offset][1].append(length)
            seq += 1


def _joined(regions: Iterable[Region]) -> list[Region]:
    """The regions; where many are tiny, those of them that lie side by side as one."""
    regions = list(regions)
    limit = _TINY_OF_MANY
    count = sum(0 <= region.length < limit for region in regions)
    if count < _MANY:
        limit = _TINY
        count = sum(0 <= region.length < limit for region in regions)
    if count * _COST * _MOST_ADDED <= sum(region.length for region in regions):
        return regions
    joined: list[Region] = []
    shares = False
    for region in regions:
        tiny = 0 <= region.length < limit
        if tiny and shares and joined[-1].length < _SHARED:
            joined[-1] = _both(joined[-1], region)
        else:
            joined.append(region)
        shares = tiny
    return joined


def _both(first: Region, second: Region) -> Region:
    """Two regions side by side as one without a name, of elements where both have such ones."""
    length = first.length + second.length
    if not first.kind or first.kind != second.kind:
        return Region(first.offset, length)
    elements, unit = KINDS[first.kind]
    return Region(first.offset, length, "", first.kind, (length // unit * elements,))


def _rows(region: Region) -> tuple[int, int]:
    """Elements of a tensor's row, 0 where it has none, and bytes that are not to be parted."""
    if not region.kind:
        return 0, 1
    elements, unit = KINDS[region.kind]
    row = _row(region.shape)
    units, odd = divmod(row, elements)
    if odd or row > _LONGEST_ROW:
        row = 0
    return row, units * unit if row else unit


def _row(shape: tuple[int, ...]) -> int:
    if len(shape) < 2:
        return 0
    row = 1
    for length in shape[1:]:
        row *= length
    return row
