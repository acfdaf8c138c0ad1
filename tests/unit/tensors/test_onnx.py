"""ONNX: tensors wherever messages may hold them, and messages that lie."""

from __future__ import annotations

import struct

import pytest

from unit.tensors.helpers import check_prefix, planned, survives, tensors


def varint(value: int) -> bytes:
    data = b""
    while value > 0x7F:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(body)) + body


def tensor(
    name: str, kind: int, dims: list[int], *data: bytes, packed: bool = False
) -> list[bytes]:
    """The fields of a tensor, whose data are fields already."""
    sides = [message(1, *map(varint, dims))] if packed else [number(1, side) for side in dims]
    return [*sides, number(2, kind), *data, message(8, name.encode())]


def raw(data: bytes) -> bytes:
    return message(9, data)


def model(*fields: bytes) -> bytes:
    return number(1, 8) + message(2, b"a writer") + b"".join(fields)


def graph(*fields: bytes) -> bytes:
    return message(7, *fields)


FLOATS = struct.pack("<6f", *range(6))
WEIGHT = message(5, *tensor("w", 1, [2, 3], raw(FLOATS)))
NUMBERS = message(5, *tensor("c", 7, [2], raw(bytes(range(16)))))
VALUE = message(5, message(1, b"value"), NUMBERS)
CONSTANT = message(1, message(1, b"in"), message(4, b"Constant"), VALUE)
SMALL = model(graph(CONSTANT, message(2, b"main"), WEIGHT), message(8, number(2, 17)))


def test_initializers_and_constants():
    assert tensors(SMALL) == {"c": ("i64", (2,), bytes(range(16))), "w": ("f32", (2, 3), FLOATS)}
    assert check_prefix(SMALL) is None


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("kind", "dims", "length", "name", "shape"),
    [
        (2, [3], 3, "u8", (3,)),
        (6, [], 4, "i32", ()),
        (9, [1, 3], 3, "bool", (1, 3)),
        (10, [3], 6, "f16", (3,)),
        (16, [300], 600, "bf16", (300,)),
        (17, [3], 3, "f8e4m3", (3,)),
        (19, [3], 3, "f8e5m2", (3,)),
        (22, [5], 3, "u4", (5,)),
        (14, [2], 16, "f32", (2, 2)),
        (99, [3], 5, "", ()),
    ],
)
def test_types(kind, dims, length, name, shape, packed):
    data = bytes(index % 251 for index in range(length))
    fields = tensor("x", kind, dims, raw(data), packed=packed)
    assert tensors(model(graph(message(5, *fields)))) == {"x": (name, shape, data)}


def test_packed_floats_and_doubles():
    one = message(5, *tensor("f", 1, [6], message(4, FLOATS)))
    two = message(5, *tensor("d", 11, [3], message(10, FLOATS)))
    found = tensors(model(graph(one, two)))
    assert found == {"f": ("f32", (6,), FLOATS), "d": ("f64", (3,), FLOATS)}


def test_what_is_no_plain_bytes_is_left_alone():
    integers = message(5, *tensor("i", 6, [3], message(5, b"\1\2\3")))
    external = message(5, *tensor("e", 1, [3]), message(13, message(1, b"location")), number(14, 1))
    single = message(5, *tensor("s", 1, [1], varint(4 << 3 | 5) + b"abcd"))
    assert planned(model(graph(integers, external, single))) is None
    assert list(tensors(model(graph(integers, external, single, WEIGHT)))) == ["w"]


def test_tensors_of_inner_graphs_sparse_tensors_and_functions():
    inner = message(5, message(1, b"body"), message(6, WEIGHT))
    values = message(1, *tensor("v", 1, [1], raw(b"abcd")))
    function = message(25, message(7, message(5, message(5, *tensor("f", 2, [1], raw(b"x"))))))
    file = model(graph(message(1, inner), message(15, values)), function)
    assert list(tensors(file)) == ["w", "v", "f"]


def test_a_name_too_long_is_left_out():
    file = model(graph(message(5, *tensor("x" * 4097, 2, [3], raw(b"abc")))))
    assert [region.label for region in planned(file)] == ["", "", ""]


def nested(depth: int) -> bytes:
    data = graph(WEIGHT)
    for _ in range(depth):
        data = message(1, message(5, message(6, data[2:])))
    return model(message(7, data))


@pytest.mark.parametrize(
    "file",
    [
        model(graph(message(5, *tensor("w", 1, [7], raw(FLOATS))))),
        model(graph(message(5, *tensor("w", 1, [(1 << 64) - 1], raw(FLOATS))))),
        model(graph(message(5, *tensor("w", 1, [1] * 65, raw(FLOATS))))),
        model(graph(message(5, *tensor("w", 2, [1], raw(b"a"), raw(b"b"))))),
        model(graph(message(5) + varint(5 << 3 | 2) + varint(1 << 63))),
        model(graph(varint(5 << 3 | 2) + b"\xff" * 20)),
        model(graph(varint(5 << 3 | 2) + varint(100), WEIGHT)),
        model(graph(b"\x0b" + WEIGHT)),
        model(graph(b"\x00\x00" + WEIGHT)),
        model(number(7, 5), graph(WEIGHT)),
        model(graph(WEIGHT), number(50, 1)),
        model(graph(number(1, 5), WEIGHT)),
        model(graph(WEIGHT)) + b"\x3a",
        model(graph()),
        nested(3000),
    ],
    ids=range(15),
)
def test_a_model_that_lies_has_no_plan(file):
    assert planned(file) is None


def test_many_small_fields_take_no_time_beyond_their_number():
    assert planned(model(graph(WEIGHT), message(6, bytes(1_000_000)))) is not None
    assert planned(model(graph(b"\x18\x00" * 100_000))) is None


def test_cut_anywhere_and_flipped_anywhere():
    survives(SMALL)
