"""PyTorch's files from before it wrote zip files: pickles, then storages."""

from __future__ import annotations

import struct
from io import BytesIO
from random import Random

import pytest

import llmzip
from llmzip.tensors import safe_open
from unit.tensors.helpers import check_prefix, entry, planned, safetensors, survives, tensors
from unit.tensors.test_torch_zip import (
    FLOATS,
    HALF,
    PROTOCOL,
    V3,
    WEIGHT,
    call,
    dict_of,
    name,
    storage,
    text,
    tuple_of,
    view,
)

MAGIC = PROTOCOL + b"\x8a\x0a" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little") + b"."
VERSION = PROTOCOL + b"M" + struct.pack("<H", 1001) + b"."


def facts(little: bytes = b"\x88") -> bytes:
    return PROTOCOL + dict_of(protocol_version=b"M\xe9\x03", little_endian=little) + b"."


def noise(count: int) -> bytes:
    """f32 weights."""
    source = Random(1)
    return struct.pack(f"<{count}f", *(source.gauss(0, 0.05) for _ in range(count)))


def legacy(
    root: bytes, storages: dict[str, tuple[int, bytes]], front: bytes | None = None
) -> bytes:
    """A file with these storages: the number of elements and the bytes of each."""
    front = MAGIC + VERSION + facts() if front is None else front
    keys = PROTOCOL + b"](" + b"".join(map(text, storages)) + b"e."
    data = b"".join(struct.pack("<q", count) + raw for count, raw in storages.values())
    return front + PROTOCOL + root + b"." + keys + data


SMALL = legacy(dict_of(w=WEIGHT, b=HALF), {"1": (4, b"abcdefgh"), "0": (6, FLOATS)})


def test_names_kinds_and_shapes():
    assert tensors(SMALL) == {"w": ("f32", (2, 3), FLOATS), "b": ("bf16", (4,), b"abcdefgh")}
    regions = planned(SMALL)
    assert regions is not None
    assert [(region.label, region.length) for region in regions[1:]] == [
        *(("b", 8), ("", 8), ("w", 24))
    ]


def test_from_a_pipe():
    regions = check_prefix(SMALL)
    assert regions is not None
    assert [region.label for region in regions] == ["", "b", "", "w", ""]
    front = SMALL[: regions[1].offset]
    assert check_prefix(front) == regions
    assert check_prefix(front[:-20]) is None


def test_what_follows_the_storages_is_kept():
    regions = planned(SMALL + b"more")
    assert regions is not None and regions[-1].length == 4


def test_other_protocol():
    front = MAGIC.replace(PROTOCOL, b"\x80\x03") + VERSION + facts()
    assert set(tensors(legacy(dict_of(w=WEIGHT), {"0": (6, FLOATS)}, front))) == {"w"}


def test_storages_of_unknown_use_are_arrays():
    weights = noise(4000)
    source = storage("torch FloatStorage", "k", 4000)
    assert tensors(legacy(dict_of(x=source), {"k": (4000, weights)})) == {
        "storage.k": ("f32", (4000,), weights)
    }
    source = storage("torch.storage UntypedStorage", "k", 16_000)
    assert tensors(legacy(dict_of(x=source), {"k": (16_000, weights)})) == {
        "storage.k": ("f32", (4000,), weights)
    }
    eights = view(source, (160, 100), (100, 1), 0, V3, name("torch float8_e4m3fn"))
    found = tensors(legacy(dict_of(x=eights), {"k": (16_000, weights)}))
    assert found == {"x": ("f8e4m3", (160, 100), weights)}


def test_big_endian_storages_have_no_kind():
    front = MAGIC + VERSION + facts(b"\x89")
    found = tensors(legacy(dict_of(w=WEIGHT), {"0": (6, FLOATS)}, front))
    assert found == {"w": ("", (), FLOATS)}


def test_a_module_with_its_source():
    net = tuple_of(text("module"), name("some Net"), text("net.py"), text("class Net: ...")) + b"Q"
    root = net + b")\x81" + dict_of(_parameters=dict_of(w=WEIGHT)) + b"b"
    assert set(tensors(legacy(root, {"0": (6, FLOATS)}))) == {"w"}


@pytest.mark.parametrize(
    "data",
    [
        SMALL[:-1],
        legacy(dict_of(w=WEIGHT), {"0": (7, FLOATS + b"more")}),
        legacy(dict_of(w=WEIGHT), {"0": (5, FLOATS)}),
        legacy(dict_of(w=WEIGHT), {"0": (-1, FLOATS)}),
        legacy(dict_of(w=WEIGHT), {"other": (6, FLOATS)}),
        legacy(
            dict_of(w=view(storage("torch OddStorage", "0", 6), (6,), (1,))), {"0": (6, FLOATS)}
        ),
        legacy(dict_of(w=storage("torch FloatStorage", "0", -6)), {"0": (-6, FLOATS)}),
        legacy(dict_of(w=WEIGHT), {"0": (6, FLOATS)}, MAGIC + MAGIC + facts()),
        legacy(b"Q", {}),
        MAGIC,
        MAGIC + VERSION,
        MAGIC + VERSION + facts() + PROTOCOL + b"N." + PROTOCOL + b"N.",
        MAGIC * 1000,
    ],
)
def test_what_does_not_add_up_has_no_plan_and_comes_back(data):
    assert planned(data) is None
    assert llmzip.decompress(llmzip.compress(data, level=1)) == data


def test_cut_anywhere_and_flipped_anywhere():
    survives(SMALL)


def test_a_table_of_safetensors_may_begin_alike():
    starts = set()
    for padding in range(300):
        file = safetensors({"w": entry("F32", [6], 0, 24)}, FLOATS, padding=padding)
        assert set(tensors(file)) == {"w"}
        starts.add(file[0])
    assert {0x80, 0x93} <= starts


def test_an_archive_gives_its_tensors(tmp_path):
    weights = noise(30_000)
    roots = [view(storage("torch FloatStorage", key, 30_000), (300, 100), (100, 1)) for key in "ab"]
    root = call("collections OrderedDict") + b"(" + text("x") + roots[0] + text("y") + roots[1]
    data = legacy(root + b"u", {"a": (30_000, weights), "b": (30_000, weights)})
    archive = tmp_path / "model.pt.llmz"
    archive.write_bytes(llmzip.compress(data))
    assert len(archive.read_bytes()) < len(weights)
    assert llmzip.decompress(archive.read_bytes()) == data
    with safe_open(archive) as file:
        assert file.keys() == ["x", "y"]
        assert file.get_tensor("y").tobytes() == weights
        assert file.get_tensor("y").shape == (300, 100)


class TestTorch:
    """What the library itself writes."""

    @pytest.fixture(autouse=True)
    def _torch(self):
        self.torch = pytest.importorskip("torch", reason="the package torch is missing")

    def saved(self, value: object) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
        file = BytesIO()
        self.torch.save(value, file, _use_new_zipfile_serialization=False)
        return tensors(file.getvalue())

    def test_types_views_and_modules(self):
        torch = self.torch
        kinds = {"float64": "f64", "float32": "f32", "bfloat16": "bf16", "float8_e5m2": "f8e5m2"}
        kinds |= {"int64": "i64", "uint8": "u8", "bool": "bool"}
        found = self.saved({name: torch.ones(3, 4).to(getattr(torch, name)) for name in kinds})
        assert {label: value[:2] for label, value in found.items()} == {
            label: (kind, (3, 4)) for label, kind in kinds.items()
        }
        weight = torch.arange(12.0).reshape(3, 4)
        found = self.saved({"a": weight, "b": weight.T, "c": weight[1:]})
        assert found == {"a": ("f32", (3, 4), weight.numpy().tobytes())}
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        assert set(self.saved(net.state_dict())) == set(net.state_dict())
        assert set(self.saved(net)) == set(net.state_dict())
