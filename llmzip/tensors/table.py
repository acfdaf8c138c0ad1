"""The tensors of a file by name, whatever its format."""

from __future__ import annotations

import json
from operator import itemgetter

from llmzip.errors import NoSuchTensorError, UsageError
from llmzip.record import Record
from llmzip.streams import read_exactly
from llmzip.tensors import safetensors
from llmzip.tensors.cursor import Cursor
from llmzip.tensors.kinds import KINDS
from llmzip.tensors.layout import plan
from llmzip.tensors.region import Malformed, check_apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from llmzip.tensors.region import Region
    from llmzip.tensors.safetensors import Entry


# Types of which `plan` checks that their shape and their bytes agree, element by element.
_NUMBERS = "F64 F32 F16 BF16 F8_E4M3 F8_E5M2 F8_E4M3FNUZ F8_E5M2FNUZ F8_E8M0 C64 BOOL"
_INTEGERS = "I64 U64 I32 U32 I16 U16 I8 U8"
_NO_TABLE = "no table of tensors that llmzip knows: it reads other files as bytes"
ELEMENTS = frozenset(f"{_NUMBERS} {_INTEGERS}".split())


class Tensor(Record):
    """One tensor: bytes `begin` to `end` of the file's content, little-endian.

    dtype: safetensors' name of the element type, as "BF16"; for the block types of GGUF theirs, as
        "Q4_0"; "" where the format does not say, or says something unknown.
    shape: in elements, outermost first in memory; of bytes where `dtype` is "".
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Table(Record):
    """All tensors of a file, in the order of their bytes, and the text that it says of itself.

    tensors: the fields of each by its name.
    """

    tensors: dict[str, Entry]
    metadata: dict[str, str] | None

    def find(self, name: str) -> Tensor:
        """The tensor called `name`; `NoSuchTensorError` names those that come close."""
        if name in self.tensors:
            return Tensor(*self.tensors[name])
        from difflib import get_close_matches

        near = get_close_matches(name, self.tensors, 3, 0.5)
        count = len(self.tensors)
        more = f"; near: {', '.join(near)}" if near else f" among the {count:,} here"
        raise NoSuchTensorError(f"no tensor {name!r}{more}")


def read_table(source: BinaryIO, size: int) -> Table:
    """The table of the file `source` of `size` bytes.

    Reads what stands around tensors alone. Raises `UsageError` where no tensors are found.
    """
    source.seek(0)
    start = read_exactly(source, 9)
    if safetensors.claims(start):
        return _safetensors(source, size)
    regions = plan(source, size)
    if regions is None:
        raise UsageError(_NO_TABLE)
    named = (_of_region(region) for region in regions if region.label)
    return Table({entry[0]: entry for entry in named}, None)


def _of_region(region: Region) -> Entry:
    shape = region.shape if region.kind else (region.length,)
    dtype = region.kind.upper().replace("F8E", "F8_E")
    return region.label, dtype, shape, region.offset, region.offset + region.length


def _safetensors(source: BinaryIO, size: int) -> Table:
    """Its own names and types, and tied tensors too."""
    try:
        found, metadata = safetensors.entries(Cursor(source, 0, size), size)
        found.sort(key=itemgetter(3, 4))
        check_apart(map(itemgetter(3, 4), found))
    except Malformed:
        raise UsageError(_NO_TABLE) from None
    return Table({entry[0]: entry for entry in found}, json.loads(str(metadata, "utf-8")))


def array_shape(tensor: Tensor) -> tuple[int, ...]:
    """Shape of the array of whole elements or bytes that holds the tensor.

    Elements that are coded in blocks (GGUF) or in pairs (F4, U4) come as bytes: the last side of
    such a shape counts those of a row. There is but one side where rows share blocks, and where
    nothing is known of the type.
    """
    dtype = tensor.dtype
    if dtype in ELEMENTS:
        return tensor.shape
    elements, unit = KINDS["u4"] if dtype == "F4" else KINDS.get(dtype.lower(), (0, 0))
    if elements and tensor.shape and tensor.shape[-1] % elements == 0:
        return (*tensor.shape[:-1], tensor.shape[-1] // elements * unit)
    return (tensor.end - tensor.begin,)
