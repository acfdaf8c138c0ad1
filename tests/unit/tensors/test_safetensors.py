"""safetensors: what its table says, and tables that lie."""

from __future__ import annotations

import json
import struct
import tracemalloc

import pytest

from llmzip.tensors.layout import Region
from unit.tensors.helpers import check_prefix, entry, planned, safetensors, survives, tensors

DATA = bytes(range(48))
TABLE = {
    "__metadata__": {"format": "pt", 'quoted " \\ name': "}{,é"},
    "b": entry("BF16", [2, 3], 32, 44),
    "a": entry("F32", [8], 0, 32),
    "zero": entry("F32", [0, 4], 44, 44),
    "scalar": entry("I32", [], 44, 48),
}
SMALL = safetensors(TABLE, DATA, padding=3)


def test_tensors_in_the_order_of_the_file():
    regions = planned(SMALL)
    data = len(SMALL) - 48
    assert regions == (
        Region(0, data),
        Region(data, 32, "a", "f32", (8,)),
        Region(data + 32, 12, "b", "bf16", (2, 3)),
        Region(data + 44, 4, "scalar", "i32", ()),
    )
    assert check_prefix(SMALL[:data]) == (*regions, Region(len(SMALL), -1))
    assert check_prefix(SMALL[: data - 1]) is None


@pytest.mark.parametrize(
    ("dtype", "shape", "length", "kind", "planned_shape"),
    [
        ("F64", [2], 16, "f64", (2,)),
        ("F16", [3], 6, "f16", (3,)),
        ("F8_E4M3", [3], 3, "f8e4m3", (3,)),
        ("F8_E5M2", [3], 3, "f8e5m2", (3,)),
        ("F8_E8M0", [3], 3, "u8", (3,)),
        ("F4", [2, 4], 4, "u4", (2, 4)),
        ("I64", [1, 1], 8, "i64", (1, 1)),
        ("BOOL", [5], 5, "bool", (5,)),
        ("C64", [2], 16, "f32", (2, 2)),
        ("X99_NEW", [7], 5, "", ()),
    ],
)
def test_dtypes(dtype, shape, length, kind, planned_shape):
    data = bytes(range(length))
    found = tensors(safetensors({"x": entry(dtype, shape, 0, length)}, data))
    assert found == {"x": (kind, planned_shape, data)}


def test_names():
    long, longer = "é" * 2048, "é" * 2049
    table = {long: entry("U8", [1], 0, 1), longer: entry("U8", [1], 1, 2)}
    table |= {"\ud800": entry("U8", [1], 2, 3), "x" * 99_999: entry("U8", [1], 3, 4)}
    file = safetensors(table, b"abcd")
    assert list(tensors(file)) == [long]
    assert [region.kind for region in planned(file)] == ["", "u8", "u8", "u8", "u8"]


def test_the_same_bytes_twice_are_one_region_under_the_first_name():
    table = {"tied": entry("F32", [2], 0, 8), "again": entry("F32", [2], 0, 8)}
    assert list(tensors(safetensors(table, bytes(8)))) == ["tied"]


def test_a_name_that_comes_again_is_left_out():
    one, two = (f'"a":{json.dumps(entry("U8", [1], at, at + 1))}' for at in (0, 1))
    file = safetensors(f"{{{one},{two}}}".encode(), b"ab")
    assert [region.label for region in planned(file)] == ["", "a", ""]


def test_tables_written_otherwise_say_the_same():
    """Most entries are read by one pattern; these are not, or only just."""
    plain = '{"a":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}}'
    others = (
        '{"a":{"shape":[2,1],"dtype":"U8","data_offsets":[0,2]}}',
        '{"\\u0061":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}}',
        '{"a":{"dtype":"\\u00558","shape":[2,1],"data_offsets":[0,2]}}',
        '{"a":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2],"more":[[]]}}',
        '{ "a" :{ "dtype" : "U8","shape" :[ 2 , 1 ] ,"data_offsets":[ 0,\n2 ] }\t}',
        '{"__metadata__":{"dtype":"U8"},"a":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}}',
    )
    expected = tensors(safetensors(plain.encode(), b"xy"))
    assert expected == {"a": ("u8", (2, 1), b"xy")}
    for other in others:
        assert tensors(safetensors(other.encode(), b"xy")) == expected, other


@pytest.mark.parametrize(
    "entry",
    [
        '{"dtype":"U8","shape":[02],"data_offsets":[0,2]}',
        '{"dtype":"U8","shape":[2,],"data_offsets":[0,2]}',
        '{"dtype":"U8","shape":[2 1],"data_offsets":[0,2]}',
        '{"dtype":"U8","shape":[2],"data_offsets":[-2,0]}',
        '{"dtype":"U8","shape":[2],"data_offsets":[0,2],}',
        '{"dtype":"U8","shape":[2],"data_offsets":[0,2]}"x"',
    ],
)
def test_almost_json_is_no_table(entry):
    assert planned(safetensors(f'{{"a":{entry}}}'.encode(), b"xy")) is None
    metadata = entry.replace("[0,2]", '"x"')
    assert planned(safetensors(f'{{"__metadata__":{metadata}}}'.encode(), b"xy")) is None


def test_gaps_and_a_tail_are_regions():
    table = {"a": entry("U8", [2], 1, 3), "b": entry("U8", [1], 5, 6)}
    regions = planned(safetensors(table, bytes(9)))
    assert [region.label for region in regions] == ["", "a", "", "b", ""]
    assert [region.length for region in regions[1:]] == [2, 2, 1, 3]


@pytest.mark.parametrize(
    "table",
    [
        {"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)},
        {"a": entry("F32", [3], 0, 12), "b": entry("F32", [1], 4, 8)},
        {"a": entry("F32", [13], 0, 52)},
        {"a": entry("F32", [1], -4, 0)},
        {"a": entry("F32", [-1], 4, 0)},
        {"a": entry("F32", [-1, -1], 0, 4)},
        {"a": entry("F32", [2], 0, 4)},
        {"a": entry("F32", [1 << 62, 4], 0, 4)},
        {"a": entry("F32", [1], 1 << 70, (1 << 70) + 4)},
        {"a": entry("F32", [1] * 65, 0, 4)},
        {"a": entry("F32", [1.0], 0, 4)},
        {"a": entry("F32", [True], 0, 4)},
        {"a": entry("F32", ["1"], 0, 4)},
        {"a": {"dtype": "F32", "shape": [1]}},
        {"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}},
        {"a": [1]},
        {"__metadata__": {"a": 1}},
        [1],
        b'{"a":1',
        b'{"a" 1}',
        b'{"a":{},}',
        b'{"\xff":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        b'{"a":{"dtype":"U8","shape":[' + b"9" * 4000 + b'],"data_offsets":[0,1]}}',
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b'{"a":' * 100_000,
        b'{"a":{"shape":' + b"[" * 4000 + b"]" * 9 + b"}}",
        b"{" + b'"' * 100_001,
        b"{}}",
    ],
    ids=range(30),
)
def test_a_table_that_lies_has_no_plan(table):
    assert planned(safetensors(table, DATA)) is None


@pytest.mark.parametrize("length", [0, 1, 4000, 100_000_001, (1 << 64) - 1])
def test_a_length_that_lies_has_no_plan(length):
    assert planned(struct.pack("<Q", length) + SMALL[8:]) is None


@pytest.mark.parametrize(
    "table",
    [
        b'{"a":[' + b"[]," * 1_000_000,
        b'{"a":{' + b'"bc",' * 600_000,
        b'{"__metadata__":{' + b'"":"",' * 150_000,
        b'{"__metadata__":{"":"' + b"\\n" * 1_500_000 + b'"}}',
    ],
    ids=["lists", "strings", "metadata", "escapes"],
)
def test_memory_stays_with_the_size_of_the_table(table):
    file = safetensors(table)
    tracemalloc.start()
    try:
        planned(file)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(file) + 1_000_000
    finally:
        tracemalloc.stop()


def test_cut_anywhere_and_flipped_anywhere():
    survives(SMALL)


def test_what_the_library_writes(tmp_path):
    library = pytest.importorskip("safetensors.numpy", reason="the package safetensors is missing")
    numpy = pytest.importorskip("numpy")
    arrays = {
        "w": numpy.arange(12, dtype="<f4").reshape(3, 4),
        "h": numpy.arange(5, dtype="<f2"),
        "b": numpy.array([True, False]),
        "empty": numpy.zeros((0, 3), "<f4"),
        "scalar": numpy.array(7, "<i8"),
    }
    found = tensors(library.save(arrays))
    assert set(found) == set(arrays) - {"empty"}
    for name, (_, shape, data) in found.items():
        assert shape == arrays[name].shape
        assert data == arrays[name].tobytes()
