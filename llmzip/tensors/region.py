"""Regions of a file, and how the tensors of a format's table become a cover of the file."""

from __future__ import annotations

from llmzip.record import Record
from llmzip.tensors.kinds import MAX_DIMENSIONS, byte_length

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_REGIONS = 1_000_000
MAX_LABEL = 4096

# The size of an input that is not known, larger than every file.
UNKNOWN = 1 << 63


class Region(Record):
    """Bytes of a file that are coded together: one tensor, or what stands around tensors.

    `offset` and `length` are in bytes. `label` is a tensor's name, at most `MAX_LABEL` bytes of
    UTF-8 and no other region's; "" for headers, padding and anything else. `kind` is one of `KINDS`
    or "" (also for a tensor of elements of a kind not in `KINDS`), `shape` in elements, outermost
    first in memory. Where `kind` is not "", it and `shape` give `length`.
    """

    offset: int
    length: int
    label: str = ""
    kind: str = ""
    shape: tuple[int, ...] = ()


class Malformed(Exception):
    """The file does not follow the format; never leaves this package."""


def tensor(
    offset: int, length: int, label: str, kind: str, shape: tuple[int, ...], total: int
) -> Region:
    """A tensor within a file of `total` bytes; `Malformed` as `check` says."""
    check(offset, length, kind, shape, total)
    return Region(offset, length, label, kind, shape)


def check(offset: int, length: int, kind: str, shape: tuple[int, ...], total: int) -> None:
    """`Malformed` if a tensor leaves the file of `total` bytes, or does not add up."""
    if not 0 <= offset <= total or not 0 <= length <= total - offset:
        raise Malformed("a tensor leaves the file")
    if kind:
        if len(shape) > MAX_DIMENSIONS or (shape and min(shape) < 0):
            raise Malformed("no shape")
        if byte_length(kind, shape) != length:
            raise Malformed("a tensor's length does not match its shape")


def check_apart(spans: Iterable[tuple[int, int]]) -> None:
    """`Malformed` if ranges of bytes, which come in order, overlap without being the same."""
    last, end = (0, 0), 0
    for span in spans:
        if span[0] < span[1]:
            if span[0] < end and span != last:
                raise Malformed("tensors overlap")
            last, end = span, span[1]


def _labelled(region: Region, seen: set[str]) -> Region:
    """`region` without a label that is too long or was seen."""
    label = region.label
    if label:
        # Names from JSON may hold lone surrogates, which no encoding takes.
        if label in seen or len(label.encode("utf-8", "surrogatepass")) > MAX_LABEL:
            return region.replace(label="")
        if not label.isascii() and any("\ud800" <= sign <= "\udfff" for sign in label):
            return region.replace(label="")
        seen.add(label)
    return region


def cover(tensors: list[Region], total: int) -> tuple[Region, ...]:
    """Regions from byte 0 to `total` without gaps: `tensors`, and nameless ones between them.

    `tensors` come in the order of the file's table. Of those that share all their bytes the first
    stays; empty ones go. `total` may be `UNKNOWN`: then the last region holds the rest of the
    input, which may be nothing, and has a length of -1. `Malformed` if tensors overlap otherwise.
    """
    first: dict[tuple[int, int], Region] = {}
    for region in tensors:
        if region.length:
            first.setdefault((region.offset, region.length), region)
    regions: list[Region] = []
    seen: set[str] = set()
    end = 0
    tensors = sorted(first.values(), key=lambda region: region.offset)
    check_apart((region.offset, region.offset + region.length) for region in tensors)
    for region in tensors:
        if region.offset > end:
            regions.append(Region(end, region.offset - end))
        regions.append(_labelled(region, seen))
        end = region.offset + region.length
    if total == UNKNOWN:
        regions.append(Region(end, -1))
    elif total > end:
        regions.append(Region(end, total - end))
    if len(regions) > MAX_REGIONS:
        raise Malformed("too many tensors")
    return tuple(regions)
