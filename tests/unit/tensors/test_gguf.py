"""GGUF: metadata of every type, block types, alignment, and tables that lie."""

from __future__ import annotations

import struct

import pytest

from llmzip.tensors.layout import Region, plan_prefix
from unit.tensors.helpers import check_prefix, planned, survives, tensors


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def meta(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(kind: int, count: int, values: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + values


def info(name: str, sides: tuple[int, ...], kind: int, offset: int) -> bytes:
    """An entry of the table; `sides` innermost first, as in the file."""
    return text(name) + struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides, kind, offset)


def gguf(metadata: list[bytes], infos: list[bytes], data: bytes, version=3, align=32) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(infos), len(metadata))
    head += b"".join(metadata) + b"".join(infos)
    return head + bytes(-len(head) % align) + data


EVERY_TYPE = [
    *(meta(f"k{kind}", kind, bytes(width)) for kind, width in enumerate([1, 1, 2, 2, 4, 4, 4, 1])),
    meta("s", 8, text("value é")),
    *(meta(f"k{kind}", kind, bytes(8)) for kind in (10, 11, 12)),
    meta("names", 9, array(8, 3, text("a") + text("") + text("ccc"))),
    meta("numbers", 9, array(5, 4, bytes(16))),
    meta("nested", 9, array(9, 2, array(8, 1, text("x")) + array(10, 2, bytes(16)))),
]
DATA = bytes(range(160))
SMALL = gguf(EVERY_TYPE, [info("a", (3, 2), 0, 0), info("b", (32, 2), 2, 32)], DATA[:68])


@pytest.mark.parametrize("version", [2, 3])
def test_tensors_behind_metadata_of_every_type(version):
    infos = [info("b", (32, 2), 2, 32), info("a", (3, 2), 0, 0), info("none", (0, 4), 0, 64)]
    file = gguf(EVERY_TYPE, infos, DATA[:68], version)
    data = len(file) - 68
    regions = (
        Region(0, data),
        Region(data, 24, "a", "f32", (2, 3)),
        Region(data + 24, 8),
        Region(data + 32, 36, "b", "q4_0", (2, 32)),
    )
    assert planned(file) == regions
    assert check_prefix(file[:data]) == (*regions, Region(len(file), -1))


@pytest.mark.parametrize(
    ("kind", "row", "length", "name", "shape"),
    [
        (1, 5, 10, "f16", (2, 5)),
        (30, 5, 10, "bf16", (2, 5)),
        (28, 5, 40, "f64", (2, 5)),
        (3, 32, 20, "q4_1", (2, 32)),
        (6, 32, 22, "q5_0", (2, 32)),
        (7, 32, 24, "q5_1", (2, 32)),
        (8, 32, 34, "q8_0", (2, 32)),
        (10, 256, 84, "q2_k", (2, 256)),
        (11, 256, 110, "q3_k", (2, 256)),
        (12, 256, 144, "q4_k", (2, 256)),
        (13, 256, 176, "q5_k", (2, 256)),
        (14, 512, 420, "q6_k", (2, 512)),
        (15, 256, 292, "q8_k", (2, 256)),
        (16, 256, 66, "u8", (2, 66)),
        (20, 32, 18, "u8", (2, 18)),
        (39, 64, 34, "u8", (2, 34)),
    ],
)
def test_types(kind, row, length, name, shape):
    data = bytes(length * 2)
    assert tensors(gguf([], [info("x", (row, 2), kind, 0)], data)) == {"x": (name, shape, data)}
    assert planned(gguf([], [info("x", (row, 2), kind, 0)], data[:-1])) is None


def test_types_agree_with_the_library():
    gguf_library = pytest.importorskip("gguf", reason="the package gguf is missing")
    for kind, (elements, length) in gguf_library.GGML_QUANT_SIZES.items():
        if kind.name == "Q8_1":
            continue
        file = gguf([], [info("x", (elements,), int(kind), 0)], bytes(length))
        assert len(tensors(file)["x"][2]) == length, kind


@pytest.mark.parametrize("align", [8, 64, 4096])
def test_alignment(align):
    metadata = [meta("general.alignment", 4, struct.pack("<I", align))]
    file = gguf(metadata, [info("x", (4,), 24, 0)], b"abcd", align=align)
    assert tensors(file) == {"x": ("i8", (4,), b"abcd")}


def test_a_scalar_has_one_element():
    assert tensors(gguf([], [info("x", (), 0, 0)], b"abcd")) == {"x": ("f32", (1,), b"abcd")}


def test_a_name_too_long_is_left_out():
    file = gguf([], [info("x" * 4097, (4,), 24, 0)], b"abcd")
    assert [region.label for region in planned(file)] == ["", ""]


HUGE = (1 << 64) - 1


@pytest.mark.parametrize(
    "file",
    [
        gguf([], [info("x", (4,), 24, 0), info("y", (4,), 24, 2)], DATA),
        gguf([], [info("x", (4,), 24, len(DATA) - 3)], DATA),
        gguf([], [info("x", (4,), 24, HUGE)], DATA),
        gguf([], [info("x", (HUGE, HUGE, HUGE, HUGE), 24, 0)], DATA),
        gguf([], [info("x", (33,), 2, 0)], DATA),
        gguf([], [info("x", (4,), 5, 0)], DATA),
        gguf([], [info("x", (1,) * 9, 24, 0)], DATA),
        gguf([meta("k", 13, b"")], [], DATA),
        gguf([meta("k", 8, struct.pack("<Q", HUGE))], [], DATA),
        gguf([meta("k", 9, array(0, HUGE, b""))], [], DATA),
        gguf([meta("k", 9, array(8, HUGE, b""))], [], DATA),
        gguf([meta("k", 9, array(9, 1, b"") * 100)], [], DATA),
        gguf([meta("general.alignment", 4, bytes(4))], [info("x", (4,), 24, 0)], DATA),
        b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0) + DATA,
        b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE) + DATA,
        b"GGUF" + struct.pack("<IQQ", 3, 1_000_000, 1_000_000) + bytes(100),
        b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + DATA,
        b"GGUF" + struct.pack("<III", 1, 0, 0) + DATA,
    ],
    ids=range(18),
)
def test_a_table_that_lies_has_no_plan(file):
    assert planned(file) is None


def test_a_table_beyond_the_prefix_has_no_plan():
    assert plan_prefix(SMALL[:100]) is None


def test_cut_anywhere_and_flipped_anywhere():
    survives(SMALL)
