"""`safe_open`, `load_file` and `save_file`: arrays out of archives and plain files, and back."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import llmzip
from llmzip import tensors
from llmzip.archive import write_archive
from llmzip.errors import CorruptError, MissingPackageError, NoSuchTensorError, UsageError
from llmzip.tensors import frameworks, safe_open
from llmzip.tensors import safetensors as parser
from llmzip.tensors.table import ELEMENTS
from unit.tensors.helpers import entry, safetensors

np = pytest.importorskip("numpy")

NOISE = Random(4).randbytes(4000)
TABLE = {
    "__metadata__": {"format": "pt"},
    "layer.weight": entry("F32", [20, 10], 0, 800),
    "layer.bias": entry("F16", [20], 800, 840),
    "tied": entry("F32", [20, 10], 0, 800),
    "empty": entry("F32", [0, 3], 840, 840),
    "scalar": entry("I64", [], 840, 848),
    "cube": entry("U8", [4, 5, 6], 848, 968),
    "flags": entry("BOOL", [3], 968, 971),
    "bf16": entry("BF16", [2, 8], 971, 1003),
    "fp8": entry("F8_E4M3", [9], 1003, 1012),
    "pairs": entry("F4", [3, 4], 1012, 1018),
    "unknown": entry("F99", [7], 1018, 1023),
    "complex": entry("C64", [2], 1023, 1039),
}
DATA = NOISE[:968] + b"\1\0\1" + NOISE[971:1039]
FILE = safetensors(TABLE, DATA)


def packed(data: bytes, **options: object) -> bytes:
    """The archive of a file."""
    sink = io.BytesIO()
    write_archive(io.BytesIO(data), sink, llmzip.Options(level=3, threads=1, **options))
    return sink.getvalue()


@pytest.fixture(scope="module", params=["archive", "file"])
def path(request, tmp_path_factory) -> str:
    data = packed(FILE) if request.param == "archive" else FILE
    path = tmp_path_factory.mktemp("opening") / "model"
    path.write_bytes(data)
    return str(path)


def values(name: str, dtype: str) -> np.ndarray:
    begin, end = TABLE[name]["data_offsets"]
    return np.frombuffer(DATA[begin:end], dtype).reshape(TABLE[name]["shape"])


def test_every_tensor(path):
    with safe_open(path, "np") as file:
        assert file.keys() == sorted(TABLE.keys() - {"__metadata__"})
        assert set(file.offset_keys()) == set(file.keys())
        starts = [TABLE[name]["data_offsets"][0] for name in file.offset_keys()]
        assert starts == sorted(starts)
        assert file.metadata() == {"format": "pt"}
        for name, dtype in [
            ("layer.weight", "<f4"),
            ("layer.bias", "<f2"),
            ("tied", "<f4"),
            ("empty", "<f4"),
            ("scalar", "<i8"),
            ("cube", "u1"),
            ("flags", "?"),
            ("complex", "<c8"),
        ]:
            found, expected = file.get_tensor(name), values(name, dtype)
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            assert found.tobytes() == expected.tobytes()
            assert found.flags.writeable


def test_elements_that_numpy_does_not_have(path):
    with safe_open(path) as file:
        pairs, unknown = file.get_tensor("pairs"), file.get_tensor("unknown")
        assert (pairs.shape, pairs.dtype) == ((3, 2), np.uint8)
        assert pairs.tobytes() == DATA[1012:1018]
        assert (unknown.shape, unknown.tobytes()) == ((5,), DATA[1018:1023])
        ml_dtypes = pytest.importorskip("ml_dtypes")
        assert file.get_tensor("bf16").dtype == ml_dtypes.bfloat16
        assert file.get_tensor("bf16").tobytes() == DATA[971:1003]
        assert file.get_tensor("fp8").dtype == ml_dtypes.float8_e4m3fn


def test_a_package_that_is_missing(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with safe_open(path) as file:
        with pytest.raises(MissingPackageError, match="pip install ml_dtypes") as caught:
            file.get_tensor("bf16")
        assert isinstance(caught.value, ImportError)
        assert len(file.get_tensor("layer.bias")) == 20
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingPackageError, match="pip install torch"):
        safe_open(path, "pt")


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        3,
        slice(None),
        slice(1, 3),
        slice(-2, None),
        slice(3, 1),
        slice(0, 4, 2),
        (slice(1, 3), 2),
        (2, 3, 4),
        (slice(None), slice(1, 4), slice(0, 6, 3)),
        (..., 1),
        (2, ...),
        [0, 2],
        (),
    ],
)
def test_slices(path, index):
    cube = values("cube", "u1")
    with safe_open(path) as file:
        part = file.get_slice("cube")
        assert (part.get_shape(), part.get_dtype()) == ([4, 5, 6], "U8")
        found = part[index]
        assert found.shape == cube[index].shape
        assert np.array_equal(found, cube[index])


def test_slices_of_what_has_no_rows(path):
    with safe_open(path) as file:
        assert file.get_slice("scalar")[()] == values("scalar", "<i8")
        assert file.get_slice("empty")[:].shape == (0, 3)
        assert file.get_slice("flags")[1:].tolist() == [False, True]
        with pytest.raises(IndexError):
            file.get_slice("cube")[4]
        with pytest.raises(UsageError, match="forward"):
            file.get_slice("cube")[::-1]


def test_a_slice_decodes_its_rows_alone(tmp_path, monkeypatch):
    """Of three segments, the ones that were not asked for may be damaged."""
    table = {"t": entry("U8", [48, 1 << 20], 0, 48 << 20)}
    data = bytearray(packed(safetensors(table, bytes(range(256)) * (48 << 12))))
    (archive,) = llmzip.info(io.BytesIO(data)).archives
    first = next(segment for segment in archive.segments if segment.label == "t")
    data[first.offset + first.length - 1] ^= 1
    (tmp_path / "a").write_bytes(data)
    with safe_open(tmp_path / "a") as file:
        row = file.get_slice("t")[20]
        assert row.tobytes() == bytes(range(256)) * (1 << 12)
        with pytest.raises(CorruptError):
            file.get_tensor("t")


def test_names_that_are_not_there(path):
    with safe_open(path) as file:
        with pytest.raises(NoSuchTensorError, match=r"layer\.weight"):
            file.get_tensor("layer.wait")
        with pytest.raises(NoSuchTensorError, match="12 here"):
            file.get_slice("#")
    with pytest.raises(UsageError, match="closed"):
        file.get_tensor("cube")


def test_what_holds_no_tensors(tmp_path):
    for data in (b"", b"text", packed(b"text"), packed(b"")):
        (tmp_path / "f").write_bytes(data)
        with pytest.raises(UsageError, match="no table of tensors"):
            safe_open(tmp_path / "f")
    with pytest.raises(UsageError, match="framework"):
        safe_open(tmp_path / "f", "jax")
    with pytest.raises(FileNotFoundError):
        safe_open(tmp_path / "missing")


def test_an_archive_that_was_not_cut_along_tensors(tmp_path):
    (tmp_path / "a").write_bytes(packed(FILE, predictor="zstd", segment_size=100))
    with safe_open(tmp_path / "a") as file:
        assert file.get_tensor("cube").tobytes() == values("cube", "u1").tobytes()


def test_numpy_files_open_too(tmp_path):
    array = np.arange(60, dtype=np.float64).reshape(5, 12)
    sink = io.BytesIO()
    np.save(sink, array)
    (tmp_path / "a.npy.llmz").write_bytes(packed(sink.getvalue()))
    with safe_open(tmp_path / "a.npy.llmz") as file:
        (name,) = file.keys()
        assert file.get_slice(name).get_dtype() == "F64"
        assert np.array_equal(file.get_tensor(name), array)
        assert file.metadata() is None


def test_blocks_come_as_rows_of_bytes():
    from llmzip.tensors.table import Tensor, array_shape

    blocks = Tensor("q", "Q4_0", (7, 64), 0, 7 * 36)
    assert array_shape(blocks) == (7, 36)
    assert array_shape(blocks.replace(shape=(64,), end=36)) == (36,)
    assert array_shape(blocks.replace(shape=(4, 16), end=36)) == (36,)


def arrays() -> dict[str, np.ndarray]:
    return {
        "f64": np.linspace(-1, 1, 7),
        "f32": np.arange(6, dtype=np.float32).reshape(2, 3),
        "swapped": np.arange(6, dtype=">f4"),
        "turned": np.arange(12, dtype=np.int16).reshape(3, 4).T,
        "scalar": np.array(5, np.uint8),
        "empty": np.empty((0, 3), np.float16),
        "nan": np.array([np.nan, np.inf, -0.0, 5e-324]),
        "é": np.array([True, False]),
    }


@pytest.mark.parametrize("metadata", [None, {"format": "pt", "ü": ""}])
def test_what_was_saved_is_loaded(tmp_path, metadata):
    path = tmp_path / "saved.llmz"
    for level in (1, 6):
        tensors_numpy().save_file(arrays(), path, metadata, level=level)
        found = tensors_numpy().load_file(path)
        assert found.keys() == arrays().keys()
        for name, array in arrays().items():
            assert found[name].shape == array.shape
            assert found[name].dtype == array.dtype.newbyteorder("=")
            assert found[name].tobytes() == array.astype(found[name].dtype).tobytes()
        with safe_open(path) as file:
            assert file.metadata() == metadata
    assert [p.name for p in tmp_path.iterdir()] == ["saved.llmz"]


def test_equal_arrays_are_saved_once(tmp_path):
    path = tmp_path / "tied.llmz"
    array = np.random.default_rng(3).standard_normal((300, 200), np.float32)
    turned = array.T.copy().T
    saved = {"a": array, "b": array, "c": turned, "d": array.reshape(-1), "e": array + 1}
    for threads in (1, 2):
        options = llmzip.Options(level=3, threads=threads)
        tensors_numpy().save_file(saved, path, options=options)
        assert path.stat().st_size < 2.2 * array.nbytes
        found = llmzip.info(path.open("rb")).archives[0].segments
        assert [segment.predictor for segment in found if segment.label in "bcd"][-3:] == [
            "copy"
        ] * 3
        assert all((tensors_numpy().load_file(path)[n] == saved[n]).all() for n in saved)
    with safe_open(path) as file:
        assert (file.get_slice("c")[5:9] == turned[5:9]).all()


def tensors_numpy():
    import llmzip.tensors.numpy

    return llmzip.tensors.numpy


def test_safetensors_reads_what_was_saved(tmp_path):
    other = pytest.importorskip("safetensors.numpy")
    tensors_numpy().save_file(arrays(), tmp_path / "a.llmz", {"a": "b"})
    content = llmzip.decompress((tmp_path / "a.llmz").read_bytes())
    (tmp_path / "a").write_bytes(content)
    found = other.load_file(tmp_path / "a")
    assert {name: a.tolist() for name, a in found.items() if name != "nan"} == {
        name: a.tolist() for name, a in arrays().items() if name != "nan"
    }
    other.save_file(found, tmp_path / "b")
    ours = tensors_numpy().load_file(tmp_path / "b")
    assert ours["turned"].tolist() == arrays()["turned"].tolist()


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "a"
    save = tensors_numpy().save_file
    with pytest.raises(UsageError, match="no type for"):
        save({"x": np.array(["text"])}, path)
    with pytest.raises(UsageError, match="texts"):
        save(arrays(), path, {"n": 1})
    with pytest.raises(UsageError, match="name"):
        save({"__metadata__": np.zeros(1)}, path)
    with pytest.raises(UsageError, match="not both"):
        save(arrays(), path, level=1, options=llmzip.Options())
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"kept")
    with pytest.raises(UsageError):
        save({"x": np.array(["text"])}, path)
    assert path.read_bytes() == b"kept"
    save({}, path)
    assert tensors_numpy().load_file(path) == {}


def test_torch(path, tmp_path):
    torch = pytest.importorskip("torch")
    from llmzip.tensors.torch import load_file, save_file

    with safe_open(path, "pt", device="cpu") as file:
        found = {name: file.get_tensor(name) for name in file.offset_keys()}
        assert found["bf16"].dtype == torch.bfloat16
        assert found["fp8"].dtype == torch.float8_e4m3fn
        assert found["cube"].numpy().tobytes() == values("cube", "u1").tobytes()
        assert torch.equal(file.get_slice("cube")[1:3, 2], found["cube"][1:3, 2])
        assert found["scalar"].shape == () and found["empty"].shape == (0, 3)
    save_file(found, tmp_path / "t.llmz", {"format": "pt"})
    again = load_file(tmp_path / "t.llmz", device="cpu")
    assert again.keys() == found.keys()
    for name, tensor in found.items():
        assert again[name].dtype == tensor.dtype and again[name].shape == tensor.shape
        assert bytes(again[name].untyped_storage()) == bytes(tensor.untyped_storage())


def test_numpy_has_no_device(path):
    with safe_open(path, "np", device="cuda") as file, pytest.raises(UsageError, match="device"):
        file.get_tensor("cube")


def test_importing_llmzip_tensors_imports_neither():
    code = (
        "import sys, llmzip.tensors; llmzip.tensors.safe_open; llmzip.tensors.decompress_into; "
        "import llmzip.tensors.numpy, llmzip.tensors.torch; "
        "print(*{'numpy', 'torch', 'ml_dtypes'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True)
    assert done.stdout.split() == []
    with pytest.raises(AttributeError):
        tensors.nothing  # noqa: B018


def test_types_are_those_of_the_plan():
    """Each has a name in numpy, and in the table of what safetensors files may hold."""
    assert set(frameworks._NUMPY) == ELEMENTS
    known = set(parser._DTYPES) | set(parser._PAIRS)
    assert known - {"F4"} == ELEMENTS


def test_a_folder_of_archives(tmp_path):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors.llmz").write_bytes(packed(FILE))
    (folder / "sub" / "empty.llmz").write_bytes(packed(b""))
    for where in (None, tmp_path):
        with tensors.unpacked(folder, where=where) as plain:
            names = subprocess.run(["find", ".", "-type", "f"], cwd=plain, capture_output=True)
            assert set(names.stdout.split()) == {b"./model.safetensors", b"./sub/empty"}
            assert Path(plain, "config.json").read_text() == "{}"
            assert Path(plain, "model.safetensors").read_bytes() == FILE
            assert Path(plain, "sub", "empty").read_bytes() == b""
        assert not Path(plain).exists()
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(UsageError, match="keep one"), tensors.unpacked(folder):
        pass
    (folder / "model.safetensors").unlink()
    bad = bytearray(packed(FILE))
    bad[len(bad) // 2] ^= 1
    (folder / "model.safetensors.llmz").write_bytes(bad)
    with pytest.raises(CorruptError), tensors.unpacked(folder, where=tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    with pytest.raises(UsageError, match="no folder"), tensors.unpacked(folder / "config.json"):
        pass


def test_transformers_reads_such_a_folder(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        vocab_size=50,
    )
    model = transformers.BertModel(config)
    model.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.with_name("model.safetensors.llmz").write_bytes(packed(weights.read_bytes()))
    weights.unlink()
    with tensors.unpacked(tmp_path) as plain:
        again = transformers.AutoModel.from_pretrained(plain)
    expected, found = model.state_dict(), again.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
