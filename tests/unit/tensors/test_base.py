"""Tensors as changes of a base file."""

from __future__ import annotations

import io
import random
import struct

import pytest

from llmzip import LlmzFile, _native, route
from llmzip.archive import read_archive, write_archive
from llmzip.base import Base, Bases
from llmzip.directory import read_directory
from llmzip.errors import ModelError
from llmzip.limits import Limits
from llmzip.options import Options
from llmzip.segments import decode, encode
from llmzip.sources import Needs

from .helpers import entry, safetensors

COUNT = 20_000


def weights(seed: int, *, like: bytes | None = None) -> bytes:
    """bf16 weights; a few steps away from those of `like`."""
    noise = random.Random(seed)
    if like is None:
        floats = (struct.pack("<f", noise.gauss(0, 0.05))[2:] for _ in range(COUNT))
        return b"".join(floats)
    values = struct.unpack(f"<{COUNT}H", like)
    steps = [v if noise.random() < 0.8 else v ^ noise.getrandbits(2) for v in values]
    return struct.pack(f"<{COUNT}H", *steps)


@pytest.fixture
def pair(tmp_path):
    """A base and a file with one tensor that changed, one that is new, one of another shape."""
    old, other = weights(1), weights(2)
    size = 2 * COUNT
    table = {
        "same": entry("BF16", [100, 200], 0, size),
        "shaped": entry("BF16", [200, 100], size, 2 * size),
    }
    (tmp_path / "base.st").write_bytes(safetensors(table, old + other))
    table = {
        "new": entry("BF16", [COUNT], 0, size),
        "same": entry("BF16", [100, 200], size, 2 * size),
        "shaped": entry("BF16", [100, 200], 2 * size, 3 * size),
    }
    data = weights(3) + weights(4, like=old) + other
    (tmp_path / "tuned.st").write_bytes(safetensors(table, data))
    return tmp_path


def pack(folder, options: Options | None = None) -> bytes:
    """An archive of the changed file."""
    sink = io.BytesIO()
    base = Base(str(folder / "base.st"))
    with (folder / "tuned.st").open("rb") as source:
        write_archive(source, sink, options, base=base)
    base.close()
    return sink.getvalue()


def unpack(archive: bytes, bases: Bases | None, threads: int = 1) -> bytes:
    sink = io.BytesIO()
    read_archive(io.BytesIO(archive), sink, threads=threads, bases=bases)
    return sink.getvalue()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_change_comes_back(pair, threads):
    archive = pack(pair, Options(threads=threads))
    found = unpack(archive, Bases(str(pair)), threads)
    assert found == (pair / "tuned.st").read_bytes()
    assert archive == pack(pair, Options(threads=3 - threads))


def test_only_what_is_alike_is_a_change(pair):
    archive = pack(pair)
    (directory,) = read_directory(io.BytesIO(archive))
    sizes = {entry.label: entry.length for entry in directory.entries}
    assert sizes["same"] * 4 < sizes["new"]
    assert sizes["shaped"] > COUNT
    (model,) = directory.header.metadata.models
    assert (model.kind, model.name) == (3, "base.st")


def test_without_its_base_an_archive_is_refused(pair, tmp_path):
    archive = pack(pair)
    with pytest.raises(ModelError, match=r"base\.st.*--base"):
        unpack(archive, None)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError):
        unpack(archive, Bases(str(empty)))
    (empty / "base.st").write_bytes((pair / "base.st").read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="is another"):
        unpack(archive, Bases(str(empty)))
    assert unpack(archive, Bases(str(empty), str(pair / "base.st")))


def test_a_base_may_be_an_archive(pair):
    before = (pair / "base.st").read_bytes()
    sink = io.BytesIO()
    write_archive(io.BytesIO(before), sink)
    archive = pack(pair)
    (pair / "base.st").unlink()
    (pair / "base.st.llmz").write_bytes(sink.getvalue())
    assert unpack(archive, Bases(str(pair))) == (pair / "tuned.st").read_bytes()
    assert pack_with(pair, "base.st.llmz") == archive


def pack_with(folder, base: str) -> bytes:
    sink = io.BytesIO()
    opened = Base(str(folder / base))
    with (folder / "tuned.st").open("rb") as source:
        write_archive(source, sink, base=opened)
    opened.close()
    return sink.getvalue()


def test_files_find_their_base_beside_them(pair):
    (pair / "tuned.llmz").write_bytes(pack(pair))
    content = (pair / "tuned.st").read_bytes()
    with LlmzFile(pair / "tuned.llmz") as file:
        assert file.read() == content
        file.seek(-COUNT, 2)
        assert file.read() == content[-COUNT:]
        file.seek(3 * COUNT)
        assert file.read(100) == content[3 * COUNT :][:100]


def test_a_constant_segment_of_a_change_needs_no_base():
    """llmzip writes none: what is constant is never coded as a change."""
    data, base = bytes(4000), weights(5)[:4000]
    own = route.for_tensor(6, "bf16", 0)
    assert route.as_change(own, "bf16", data, base, 0) is None
    settings = _native.tensor_settings(6, "bf16", 0, 7)
    encoded = encode(data, route.Choice(own.predictor, settings), 0, 0, base=base)
    predictors = (own.predictor,)
    assert b"".join(decode(encoded.data, predictors, Limits(), 0)) == data
    changed = encode(base, route.Choice(own.predictor, settings), 0, 0, base=base)
    with pytest.raises(ModelError):
        list(decode(changed.data, predictors, Limits(), 0))


def test_what_was_not_found_is_not_looked_for_again(pair, tmp_path):
    (header,) = (found.header for found in read_directory(io.BytesIO(pack(pair))))
    searched = Needs(header, Limits(), Bases(str(tmp_path / "empty")))
    for _ in range(2):
        with pytest.raises(ModelError):
            searched.base()
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "empty" / "base.st").write_bytes((pair / "base.st").read_bytes())
    searched.close()
