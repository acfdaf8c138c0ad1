"""`.npy` and `.npz`: headers as they are written, and headers that lie."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO

import pytest

from llmzip.tensors.layout import Region
from unit.tensors.helpers import check_prefix, planned, survives, tensors


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode("utf-8" if version == 3 else "latin-1")
    size = 10 if version == 1 else 12
    text += b" " * (-(size + len(text) + 1) % 64) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def header(descr: str, shape: str, fortran: bool = False) -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment=b"") -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.comment = comment
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


FLOATS = struct.pack("<6f", *range(6))
SMALL = npy(header("'<f4'", "(2, 3)"), FLOATS)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_versions(version):
    file = npy(header("'<f4'", "(2, 3)"), FLOATS, version)
    regions = (Region(0, 128), Region(128, 24, "arr_0", "f32", (2, 3)))
    assert planned(file) == regions
    assert check_prefix(file[:128]) == (*regions, Region(152, -1))


@pytest.mark.parametrize(
    ("descr", "shape", "kind", "planned_shape"),
    [
        ("'<f8'", "(3,)", "f64", (3,)),
        ('"<f2"', "( 12 , )", "f16", (12,)),
        ("'|u1'", "(2,3,4)", "u8", (2, 3, 4)),
        ("'|b1'", "(24,)", "bool", (24,)),
        ("'<i8'", "(1, 3)", "i64", (1, 3)),
        ("'<c8'", "(3,)", "f32", (3, 2)),
        ("'>f4'", "(6,)", "", ()),
        ("'<U1'", "(6,)", "", ()),
        ("'|O'", "(6,)", "", ()),
        ("[('a', '<f4', (2,)), ('b', '|i1')]", "(2,)", "", ()),
    ],
)
def test_types(descr, shape, kind, planned_shape):
    file = npy(header(descr, shape), FLOATS)
    assert tensors(file) == {"arr_0": (kind, planned_shape, FLOATS)}


def test_a_scalar():
    assert tensors(npy(header("'<i4'", "()"), b"abcd")) == {"arr_0": ("i32", (), b"abcd")}


def test_sides_stand_in_the_order_of_memory():
    assert tensors(npy(header("'<f4'", "(2, 3)", True), FLOATS))["arr_0"][1] == (3, 2)


def test_fields_in_another_order():
    text = "{'shape': (6,), 'descr': '<f4', 'fortran_order': False}"
    assert tensors(npy(text, FLOATS))["arr_0"][:2] == ("f32", (6,))


@pytest.mark.parametrize(
    "text",
    [
        header("'<f4'", "(2, 4)"),
        header("'<f4'", "(-1,)"),
        header("'<f4'", "(4294967296, 4294967296, 4294967296)"),
        header("'<f4'", "(" + "9" * 5000 + ",)"),
        header("'<f4'", "(" + "1," * 65 + ")"),
        header("'<f4'", "6"),
        header("'<f4'", "(6 6)"),
        header("'<f4'", "(,)"),
        header("'<f4'", "True"),
        header("'<f4'", "(__import__('os').abort(),)"),
        header("'<f4'", "(6,)") + "}",
        "{'descr': '<f4', 'shape': (6,)}",
        "{'descr': '<f4', 'shape': (6,), 'shape': (6,)}",
        "[" * 9000,
        "-" * 9000,
        "",
    ],
    ids=range(16),
)
def test_a_header_that_lies_has_no_plan(text):
    assert planned(npy(text, FLOATS)) is None


def test_a_length_that_lies_has_no_plan():
    start = b"\x93NUMPY\2\0"
    for length in (0, 9_999, 10_001, 0xFFFFFFFF):
        assert planned(start + struct.pack("<I", length) + SMALL[10:]) is None


def test_arrays_of_an_npz():
    other = npy(header("'|u1'", "(5,)"), b"abcde")
    file = npz({"a.npy": SMALL, "folder/b.npy": other, "notes.txt": b"text"})
    assert tensors(file) == {
        "a": ("f32", (2, 3), FLOATS),
        "folder/b": ("u8", (5,), b"abcde"),
    }


def test_arrays_of_an_npz_with_a_comment():
    assert list(tensors(npz({"a.npy": SMALL}, comment=b"a comment"))) == ["a"]


def test_a_broken_member_leaves_the_others():
    broken = npy(header("'<f4'", "(7,)"), FLOATS)
    assert list(tensors(npz({"a.npy": broken, "b.npy": SMALL}))) == ["b"]


@pytest.mark.parametrize(
    "file",
    [
        npz({"a.npy": SMALL}, zipfile.ZIP_DEFLATED),
        npz({"a.txt": SMALL}),
        npz({}),
        npz({"a.npy": SMALL})[:-22],
        npz({"a.npy": SMALL}) + b"x",
    ],
    ids=["compressed", "no arrays", "empty", "no directory", "a tail"],
)
def test_a_zip_file_without_arrays_has_no_plan(file):
    assert planned(file) is None


def entry_at(file: bytes) -> int:
    return file.index(b"PK\1\2")


@pytest.mark.parametrize(
    ("place", "value"),
    [(8, b"\1\0"), (20, b"\xff\xff\xff\xff"), (24, b"\1\0\0\0"), (42, b"\xff\xff\xff\x7f")],
    ids=["encrypted", "size", "length", "offset"],
)
def test_a_directory_that_lies_has_no_plan(place, value):
    file = bytearray(npz({"a.npy": SMALL}))
    at = entry_at(file) + place
    file[at : at + len(value)] = value
    assert planned(bytes(file)) is None


def test_members_that_overlap_have_no_plan():
    file = npz({"a.npy": SMALL, "a.npz": SMALL})
    # The second entry names bytes within the first member, under a local header of its own.
    inner = npz({"b.npy": npy(header("'|u1'", "(200,)"), bytes(200))})
    data = inner[: entry_at(inner)]
    outer = npz({"a.npy": npy(header("'|u1'", f"({len(data)},)"), data), "b.npy": SMALL})
    assert planned(file) is not None
    forged = bytearray(outer)
    entry = forged.rindex(b"PK\1\2")
    forged[entry + 20 : entry + 28] = inner[entry_at(inner) + 20 : entry_at(inner) + 28]
    forged[entry + 42 : entry + 46] = struct.pack("<I", outer.index(data))
    assert planned(bytes(forged)) is None


def test_members_at_one_place_have_no_plan():
    file = npz({"a.npy": SMALL})
    entry, end = entry_at(file), file.index(b"PK\5\6")
    entries = 2 * file[entry:end]
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(entries), entry, 0)
    assert planned(file[:entry] + entries + tail) is None


def test_zip64(monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    file = npz({"a.npy": SMALL, "b.npy": SMALL})
    assert b"PK\6\6" in file
    assert list(tensors(file)) == ["a", "b"]
    survives(file)


def test_cut_anywhere_and_flipped_anywhere():
    survives(SMALL)
    survives(npz({"a.npy": SMALL, "b.npy": npy(header("'|u1'", "(2,)"), b"ab")}))


def test_what_the_library_writes():
    numpy = pytest.importorskip("numpy", reason="the package numpy is missing")
    arrays = {
        "w": numpy.arange(12, dtype="<f4").reshape(3, 4),
        "f": numpy.asfortranarray(numpy.arange(12, dtype="<f8").reshape(3, 4)),
        "scalar": numpy.array(7, "<i8"),
        "records": numpy.zeros(3, [("a", "<f4"), ("b", "|i1")]),
        "empty": numpy.zeros((0, 3)),
    }
    file = BytesIO()
    numpy.savez(file, **arrays)
    found = tensors(file.getvalue())
    assert {name: value[:2] for name, value in found.items()} == {
        "w": ("f32", (3, 4)),
        "f": ("f64", (4, 3)),
        "scalar": ("i64", ()),
        "records": ("", ()),
    }
    assert found["f"][2] == arrays["f"].tobytes(order="F")
