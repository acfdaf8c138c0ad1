"""PyTorch's zip files: pickles followed without unpickling, hostile ones too."""

from __future__ import annotations

import struct
import sys
import tracemalloc
import zipfile
from io import BytesIO
from time import process_time

import pytest

from unit.tensors.helpers import planned, survives, tensors

PROTOCOL = b"\x80\x02"
V2 = "torch._utils _rebuild_tensor_v2"
V3 = "torch._utils _rebuild_tensor_v3"


def name(value: str) -> bytes:
    module, attribute = value.split(" ")
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def tuple_of(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def call(function: str, *arguments: bytes) -> bytes:
    return name(function) + tuple_of(*arguments) + b"R"


def storage(kind: str, key: str, count: int) -> bytes:
    return tuple_of(text("storage"), name(kind), text(key), text("cpu"), integer(count)) + b"Q"


def view(source: bytes, size, stride, offset=0, function=V2, dtype=b"") -> bytes:
    numbers = [tuple_of(*map(integer, numbers)) for numbers in (size, stride)]
    hooks = call("collections OrderedDict")
    return call(function, source, integer(offset), *numbers, b"\x89", hooks, dtype)


def dict_of(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def checkpoint(root: bytes, storages: dict[str, bytes], **others: bytes) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data.pkl", PROTOCOL + root + b".")
        for key, data in others.items():
            archive.writestr(f"model/{key}", data)
        for key, data in storages.items():
            archive.writestr(f"model/data/{key}", data)
        archive.writestr("model/version", b"3\n")
    return file.getvalue()


FLOATS = struct.pack("<6f", *range(6))
WEIGHT = view(storage("torch FloatStorage", "0", 6), (2, 3), (3, 1))
HALF = view(storage("torch BFloat16Storage", "1", 4), (4,), (1,))
SMALL = checkpoint(dict_of(w=WEIGHT, b=HALF), {"0": FLOATS, "1": b"abcdefgh"})


def found(root: bytes, data: bytes = FLOATS) -> dict[str, tuple[str, tuple[int, ...]]]:
    """What a checkpoint of one storage is planned as."""
    return {
        label: (kind, shape)
        for label, (kind, shape, _) in tensors(checkpoint(root, {"0": data})).items()
    }


def test_names_kinds_and_shapes():
    assert tensors(SMALL) == {"w": ("f32", (2, 3), FLOATS), "b": ("bf16", (4,), b"abcdefgh")}


def test_names_are_the_keys_on_the_way():
    module = name("some.module Net") + b")\x81" + dict_of(_modules=dict_of(fc=WEIGHT)) + b"b"
    assert list(found(dict_of(state=dict_of(layer=WEIGHT)))) == ["state.layer"]
    assert list(found(b"](" + integer(7) + WEIGHT + b"e")) == ["1"]
    assert list(found(tuple_of(integer(7), tuple_of(WEIGHT)))) == ["1.0"]
    assert list(found(dict_of(net=module))) == ["net.fc"]
    assert list(found(call("some.module make", dict_of(x=WEIGHT)))) == ["0.x"]
    assert list(found(WEIGHT)) == ["data/0"]
    parameter = call("torch._utils _rebuild_parameter", WEIGHT, b"\x88", b"}")
    assert found(dict_of(p=parameter)) == {"p": ("f32", (2, 3))}


def test_tied_tensors_are_one_region_under_the_first_name():
    memo = WEIGHT.replace(b"Q", b"Qq\x05", 1)
    again = view(b"h\x05", (6,), (1,))
    assert found(dict_of(a=memo, b=again)) == {"a": ("f32", (2, 3))}


@pytest.mark.parametrize(
    ("size", "stride", "offset", "shape"),
    [
        ((3, 2), (1, 3), 0, (2, 3)),
        ((1, 2, 1, 3), (6, 3, 3, 1), 0, (1, 2, 1, 3)),
        ((1, 3, 2), (1, 1, 3), 0, (2, 3)),
        ((2, 2), (3, 1), 0, (6,)),
        ((5,), (1,), 1, (6,)),
        ((6,), (0,), 0, (6,)),
        ((2, 3), (3,), 0, (6,)),
    ],
)
def test_shapes_stand_in_the_order_of_memory(size, stride, offset, shape):
    root = view(storage("torch FloatStorage", "0", 6), size, stride, offset)
    assert found(dict_of(x=root)) == {"x": ("f32", shape)}


def test_untyped_storages_have_the_type_of_their_tensor():
    source = storage("torch.storage UntypedStorage", "0", 24)
    eights = view(source, (4, 6), (6, 1), 0, V3, name("torch float8_e4m3fn"))
    assert found(dict_of(x=eights)) == {"x": ("f8e4m3", (4, 6))}
    shorts = view(source, (3, 4), (4, 1), 0, V3, name("torch uint16"))
    assert found(dict_of(x=shorts)) == {"x": ("u16", (3, 4))}


def test_complex_numbers_have_a_side_of_two():
    root = view(storage("torch ComplexFloatStorage", "0", 3), (3,), (1,))
    assert found(dict_of(x=root)) == {"x": ("f32", (3, 2))}


def test_storages_of_the_pickle_of_constants():
    other = view(storage("torch FloatStorage", "0", 1), (1,), (1,))
    constants = PROTOCOL + tuple_of(other) + b"."
    pairs = {"constants.pkl": constants, "constants/0": b"abcd"}
    file = checkpoint(dict_of(w=WEIGHT), {"0": FLOATS}, **pairs)
    assert tensors(file) == {"0": ("f32", (1,), b"abcd"), "w": ("f32", (2, 3), FLOATS)}


def test_big_endian_storages_have_no_kind():
    file = checkpoint(dict_of(w=WEIGHT), {"0": FLOATS}, byteorder=b"big")
    assert tensors(file) == {"w": ("", (), FLOATS)}
    file = checkpoint(dict_of(w=WEIGHT), {"0": FLOATS}, byteorder=b"little")
    assert tensors(file) == {"w": ("f32", (2, 3), FLOATS)}


UNKNOWN = {
    "an opcode out of use": b"\x82\x01",
    "an unknown object from outside": text("elsewhere") + b"Q",
    "nothing on the stack": b"R",
    "no mark": b"t",
    "a memo that is not there": b"h\x09",
    "a string beyond the end": b"X\xff\xff\xff\x7f",
    "a long number": b"\x8b\xff\xff\xff\x7f",
    "no opcode": b"\xff",
    "a call of a number": integer(1) + integer(1) + b"R",
    "a tensor of no storage": call(V2, integer(0), integer(0), b")", b")"),
    "a size of strings": view(storage("torch FloatStorage", "9", 6), (), ()).replace(b"(t", b"N"),
    "a size of many sides": view(storage("torch FloatStorage", "9", 1), (1,) * 65, (1,) * 65),
    "a dict of odd length": b"}(" + integer(1) + b"u",
    "a name of numbers": integer(1) + integer(1) + b"\x93",
}


@pytest.mark.parametrize("tail", UNKNOWN.values(), ids=UNKNOWN)
def test_what_a_walk_does_not_understand(tail):
    """The storages that it met keep their kind; names take a whole pickle."""
    assert found(dict_of(w=WEIGHT) + tail + b"0") == {"data/0": ("f32", (6,))}


def test_a_storage_that_no_pickle_names_has_its_kind_detected():
    from random import Random

    random = Random(5)
    floats = struct.pack("<4096f", *(random.gauss(0, 0.05) for _ in range(4096)))
    file = checkpoint(b"}", {"0": floats, "1": b"words " * 4000})
    assert {label: value[:2] for label, value in tensors(file).items()} == {
        "data/0": ("f32", (4096,)),
        "data/1": ("", ()),
    }


def test_nothing_is_imported_or_called():
    evil = b"cos\nsystem\n" + tuple_of(text("exit 1")) + b"R" + b"cantigravity\nx\n"
    assert found(tuple_of(evil, WEIGHT)) == {"2": ("f32", (2, 3))}
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("count", [5, 7, -6, 0])
def test_a_storage_of_another_length_has_no_plan(count):
    root = view(storage("torch FloatStorage", "0", count), (6,), (1,))
    assert planned(checkpoint(dict_of(x=root), {"0": FLOATS})) is None


def test_structures_that_hold_themselves_or_grow():
    loop = b"]q\x01h\x01a"
    double = b"]q\x01" + b"".join(b"]q" + bytes([at + 1]) + b"(h" + bytes([at]) + b"h" +
                                  bytes([at]) + b"e" for at in range(1, 100))  # fmt: skip
    deep = b"](" * 100_000 + b"e" * 100_000
    for part in (loop, double, deep):
        assert list(found(tuple_of(part, WEIGHT)).values()) == [("f32", (2, 3))]


def test_paths_do_not_grow_without_end():
    key = text("k" * 1000)
    root = b"}" + (key + b"}") * 300 + text("x") + WEIGHT + b"s" * 301
    assert len(tensors(checkpoint(root, {"0": FLOATS}))) == 1


def limited(root: bytes) -> None:
    """The plan takes time and memory in proportion to the file, whatever it names again."""
    file = checkpoint(root, {"0": FLOATS})
    tracemalloc.start()
    try:
        start = process_time()
        planned(file)
        assert process_time() - start < 30
        assert tracemalloc.get_traced_memory()[1] < 100 * len(file) + 10_000_000
    finally:
        tracemalloc.stop()


def test_what_is_named_again_and_again_is_not_copied():
    long, times = text("k" * 50_000) + b"q\x01", 5_000
    limited(long + b"0" + b"h\x01h\x01\x93" * times)
    limited(long + b"0" + b"}(" + b"h\x01]" * times + b"u")
    limited(long + b"0" + b"]" * times + b"h\x01" * times)
    arguments = b"(" + b"N" * times + b"tq\x01"
    limited(arguments + b"0" + (name("a b") + b"h\x01R") * times)


def test_cut_anywhere_and_flipped_anywhere():
    survives(SMALL)


def saved(value: object) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    torch = pytest.importorskip("torch")
    file = BytesIO()
    torch.save(value, file)
    return tensors(file.getvalue())


class TestTorch:
    """What the library itself writes."""

    @pytest.fixture(autouse=True)
    def _torch(self):
        self.torch = pytest.importorskip("torch", reason="the package torch is missing")

    def test_every_type(self):
        torch = self.torch
        kinds = {
            "float64": "f64",
            "float32": "f32",
            "float16": "f16",
            "bfloat16": "bf16",
            "float8_e4m3fn": "f8e4m3",
            "float8_e5m2": "f8e5m2",
            "int64": "i64",
            "int32": "i32",
            "int16": "i16",
            "uint16": "u16",
            "int8": "i8",
            "uint8": "u8",
            "bool": "bool",
        }
        result = saved({name: torch.ones(3, 4).to(getattr(torch, name)) for name in kinds})
        assert {label: value[:2] for label, value in result.items()} == {
            label: (kind, (3, 4)) for label, kind in kinds.items()
        }

    def test_a_module_its_state_and_an_optimizer(self):
        torch = self.torch
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        optimizer = torch.optim.Adam(net.parameters())
        net(torch.randn(5, 3)).sum().backward()
        optimizer.step()
        names = set(net.state_dict())
        assert set(saved(net.state_dict())) == names
        assert set(saved(net)) == names
        both = saved({"model": net.state_dict(), "optimizer": optimizer.state_dict()})
        assert {f"model.{name}" for name in names} < set(both)
        assert both["optimizer.state.0.exp_avg"][:2] == ("f32", (4, 3))

    def test_tied_and_transposed(self):
        torch = self.torch
        weight = torch.arange(12.0).reshape(3, 4)
        result = saved({"a": weight, "b": weight.T, "c": weight[1:]})
        assert list(result) == ["a"]
        assert result["a"] == ("f32", (3, 4), weight.numpy().tobytes())
        assert saved({"t": weight.T})["t"][1] == (3, 4)

    def test_a_script(self):
        torch = self.torch
        net = torch.jit.script(torch.nn.Linear(3, 4))
        file = BytesIO()
        torch.jit.save(net, file)
        assert {"weight", "bias"} <= set(tensors(file.getvalue()))
