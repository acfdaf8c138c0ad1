"""PyTorch's zip files (`.pt`, `.pth`, `.bin`, TorchScript): a pickle, and a member per storage."""

from __future__ import annotations

from llmzip.tensors.cursor import Cursor
from llmzip.tensors.detect import SPAN, opaque
from llmzip.tensors.kinds import MAX_DIMENSIONS, byte_length
from llmzip.tensors.members import Member
from llmzip.tensors.pickled import Machine, Storage, Tensor, named_tensors
from llmzip.tensors.region import Malformed, Region, tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

# A pickle holds names and shapes alone; a larger one is not worth its walk.
_MAX_PICKLE = 1 << 26
# Pickles of a file, and where the storages lie that each names.
_PICKLES = ("data", "constants")

# Storages that count bytes: their tensors say of what.
_UNTYPED = "Untyped"

# By the name of the storage's class without "Storage", or of the dtype.
_TYPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "Double": ("f64", ()),
    "Float": ("f32", ()),
    "Half": ("f16", ()),
    "BFloat16": ("bf16", ()),
    "Long": ("i64", ()),
    "Int": ("i32", ()),
    "Short": ("i16", ()),
    "Char": ("i8", ()),
    "Byte": ("u8", ()),
    "Bool": ("bool", ()),
    "ComplexDouble": ("f64", (2,)),
    "ComplexFloat": ("f32", (2,)),
    "QInt8": ("i8", ()),
    "QUInt8": ("u8", ()),
    "QInt32": ("i32", ()),
    "float64": ("f64", ()),
    "float32": ("f32", ()),
    "float16": ("f16", ()),
    "bfloat16": ("bf16", ()),
    "float8_e4m3fn": ("f8e4m3", ()),
    "float8_e4m3fnuz": ("f8e4m3", ()),
    "float8_e5m2": ("f8e5m2", ()),
    "float8_e5m2fnuz": ("f8e5m2", ()),
    "float8_e8m0fnu": ("u8", ()),
    "int64": ("i64", ()),
    "int32": ("i32", ()),
    "int16": ("i16", ()),
    "int8": ("i8", ()),
    "uint64": ("u64", ()),
    "uint32": ("u32", ()),
    "uint16": ("u16", ()),
    "uint8": ("u8", ()),
    "bool": ("bool", ()),
    "complex128": ("f64", (2,)),
    "complex64": ("f32", (2,)),
}


def _shape(view: Tensor, count: int) -> tuple[int, ...]:
    """The shape of a storage of `count` elements: its tensor's, in the order of memory.

    One dimension where the tensor is a part of the storage, or not dense.
    """
    flat = (count,)
    size, stride = view.size, view.stride
    if view.offset or len(size) != len(stride) or len(size) >= MAX_DIMENSIONS:
        return flat
    # The stride of a side of one element means nothing.
    order = sorted(range(len(size)), key=lambda side: (-stride[side], side))
    expected = 1
    for side in reversed(order):
        if size[side] != 1:
            if stride[side] != expected or size[side] < 1:
                return flat
            expected *= size[side]
    if expected != count:
        return flat
    # Sides of one element keep their place if they have one.
    sides = [side for side in order if size[side] != 1]
    return size if sides == sorted(sides) else tuple([size[side] for side in sides])


def _type_name(storage: Storage) -> str:
    return storage.type.rpartition(".")[2].removesuffix("Storage")


def element_width(storage: Storage) -> int | None:
    """Bytes of an element of a storage, by its class; None where that is not known."""
    name = _type_name(storage)
    return 1 if name == _UNTYPED else byte_length(*_TYPES[name]) if name in _TYPES else None


def storage_region(
    member: Member, label: str, storage: Storage, view: Tensor | None
) -> Region | None:
    """The region of a storage, or None where the pickle does not tell its kind."""
    name = _type_name(storage)
    untyped = name == _UNTYPED
    if untyped and view:
        name = view.dtype.rpartition(".")[2]
    if name not in _TYPES:
        return None
    kind, inner = _TYPES[name]
    width = byte_length(kind, inner)
    count = storage.count // width if untyped else storage.count
    shape = (*_shape(view, count), *inner) if view else (count, *inner)
    end = member.offset + member.length
    return tensor(member.offset, member.length, label, kind, shape, end)


def _take(source: BinaryIO, member: Member, most: int) -> bytes:
    """The first `most` bytes of a member, or all there are."""
    return Cursor(source, member.offset, member.offset + member.length).peek(most)


def _walk(source: BinaryIO, pickle: Member) -> tuple[Machine, dict[str, tuple[str, Tensor]]]:
    """What a pickle says: a machine that followed it, and a name and tensor of each storage.

    A pickle that is not understood gives the storages up to there.
    """
    machine = Machine()
    first: dict[str, tuple[str, Tensor]] = {}
    if pickle.length <= _MAX_PICKLE:
        try:
            machine.run(_take(source, pickle, _MAX_PICKLE))
        except Malformed:
            return machine, first
        for name, view in named_tensors(machine.root):
            first.setdefault(view.storage.key, (name, view))
    return machine, first


def claims(members: list[Member]) -> Member | None:
    """The pickle in a zip file of PyTorch, or None where it is another zip file."""
    for member in members:
        if member.name.endswith("/data.pkl"):
            return member
    return None


def tensors(source: BinaryIO, members: list[Member], pickle: Member) -> list[Region]:
    """The storages among the stored members of a file whose main pickle is `pickle`.

    Their labels are the names of the first tensors that use them, or of the members.
    """
    folder = pickle.name.removesuffix("data.pkl")
    by_name = {member.name: member for member in members}
    order = by_name.get(folder + "byteorder")
    swapped = order is not None and _take(source, order, 3) == b"big"
    regions: list[Region] = []
    for name in _PICKLES:
        place = f"{folder}{name}/"
        main = by_name.get(f"{folder}{name}.pkl")
        machine, first = _walk(source, main) if main else (Machine(), {})
        for member in members:
            if not member.name.startswith(place):
                continue
            key = member.name.removeprefix(place)
            label, view = first.get(key, ("", None))
            label = label or member.name.removeprefix(folder)
            storage = machine.storages.get(key)
            if swapped:
                regions.append(Region(member.offset, member.length, label))
                continue
            region = storage_region(member, label, storage, view) if storage else None
            if region is None:
                start = _take(source, member, SPAN)
                region = opaque(member.offset, member.length, label, start)
            regions.append(region)
    return regions
