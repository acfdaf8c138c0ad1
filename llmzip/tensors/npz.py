"""NumPy's `.npz`: a zip file of `.npy` files."""

from __future__ import annotations

from llmzip.tensors import npy
from llmzip.tensors.cursor import Cursor
from llmzip.tensors.members import Member
from llmzip.tensors.region import Malformed, Region

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_SUFFIX = ".npy"


def tensors(source: BinaryIO, members: list[Member]) -> list[Region]:
    """The arrays among the stored members of a zip file, without the suffix of their names."""
    regions: list[Region] = []
    for member in members:
        if member.name.endswith(_SUFFIX):
            end = member.offset + member.length
            cursor = Cursor(source, member.offset, end)
            # A member is a file of its own: what is wrong with it says nothing of the others.
            try:
                regions.append(npy.array(cursor, member.name.removesuffix(_SUFFIX), end))
            except Malformed:
                continue
    return regions
