"""`llmzip models`, as a user would run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import synthetic


@pytest.fixture
def models(llmzip):
    """llmzip models, with a store and a tiny model in the folder."""
    store = {"LLMZIP_MODELS": str(llmzip.folder / "store")}
    llmzip.write("tiny.gguf", synthetic.gguf())

    def run(*arguments, code=0):
        return llmzip("models", *arguments, code=code, env=store)

    def fails(*arguments, code):
        return llmzip.fails("models", *arguments, code=code, env=store)

    run.fails, run.folder, run.names = fails, llmzip.folder, llmzip.names
    return run


def test_from_file_to_store_and_back(models):
    assert b"imported" in models("import", "tiny.gguf").stderr
    listed = json.loads(models("list", "--json").stdout)
    sha256 = listed["sha256"]
    assert listed["model"] == "tiny" and listed["source"] == "tiny.gguf"
    assert models.names() == [
        "store",
        f"store/{sha256}.json",
        f"store/{sha256}.lzpack",
        "tiny.gguf",
    ]
    assert b"tiny.gguf" in models("list").stdout
    shown = json.loads(models("show", sha256[:8], "--json").stdout)
    assert shown["importer"] == 1 and shown["config"]["layers"] == synthetic.LAYERS
    assert sha256.encode() in models("show", "tiny").stdout
    models("export", "tiny", "out.lzpack")
    models("remove", "tiny")
    assert models("list").stdout == b""
    models("import", "out.lzpack", "--name", "other")
    assert json.loads(models("show", "other", "--json").stdout)["sha256"] == sha256


def test_an_importer_can_be_chosen(models):
    models("import", "tiny.gguf", "--importer", "1")
    sha256 = json.loads(models("list", "--json").stdout)["sha256"]
    models("export", "tiny", "tiny.lzpack")
    models("remove", "tiny")
    assert "taken as it is" in models.fails("import", "tiny.lzpack", "--importer", "1", code=2)
    models("import", "tiny.gguf", "--name", "again", "--importer", "1")
    assert json.loads(models("show", "again", "--json").stdout)["sha256"] == sha256


def test_a_folder_is_the_same_model(models):
    synthetic.folder(models.folder / "hf")
    models("import", "tiny.gguf")
    models("import", "hf")
    assert json.loads(models("list", "--json").stdout)["model"] == "hf"


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (synthetic.gguf()[:200_000], 1, "cut off or damaged"),
        (synthetic.gguf(general__architecture="mamba"), 3, "architecture 'mamba' is not supported"),
        (b"some text", 2, "no GGUF file"),
        (b"", 2, "no GGUF file"),
        (b"\x8bLZPACK\n", 1, "no model pack"),
        (b"\x8bLZPACK\n\1\0\0\0" + b"\xff" * 8, 1, "cut off or damaged"),
        (b"\x8bLZPACK\n\2\0\0\0" + bytes(8), 3, "update llmzip"),
    ],
)
def test_what_cannot_be_imported_is_refused_and_leaves_nothing(models, content, code, said):
    (models.folder / "bad").write_bytes(content)
    line = models.fails("import", "bad", code=code)
    assert "bad: " in line and said in line
    assert models.names() == ["bad", "tiny.gguf"]


def test_models_that_are_not_here(models):
    assert "llmzip models pull smollm2" in models.fails("show", "smollm2", code=3)
    assert "llmzip models list" in models.fails("export", "abc", "out", code=3)
    assert "smollm2" in models.fails("pull", "gpt-9", code=3)
    assert "no such file" in models.fails("import", "gone.gguf", code=1)
    assert models.names() == ["tiny.gguf"]


def test_a_damaged_pack_is_not_exported(models):
    models("import", "tiny.gguf")
    (pack,) = (models.folder / "store").glob("*.lzpack")
    content = bytearray(pack.read_bytes())
    content[-100] ^= 1
    pack.write_bytes(content)
    assert "damaged" in models.fails("export", "tiny", "out", code=1)
    assert "damaged" in models.fails("show", "tiny", code=1)
    assert "out" not in models.names()


def _with_header(pack: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The pack with a changed header; tensors stay where they are."""
    length = int.from_bytes(pack[12:20], "little")
    header = json.loads(pack[20 : 20 + length])
    change(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    start = (20 + length + 63) // 64 * 64
    front = pack[:12] + len(text).to_bytes(8, "little") + text
    assert len(front) <= start
    return front.ljust(start, b"\0") + pack[start:]


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(tokenizer=5),
        lambda header: header["tokenizer"].update(bos=9999),
        lambda header: header["config"].pop("ffn"),
        lambda header: header["config"].update(layers=1.5),
        lambda header: header["tensors"]["norm.weight"].update(shape=["x"]),
        lambda header: header["tensors"]["norm.weight"].update(offset=-64),
        lambda header: header["tensors"]["norm.weight"].update(length=8),
        lambda header: header["tensors"].pop("vocab.ends"),
        lambda header: header["tensors"].pop("rotary"),
    ],
)
def test_a_pack_that_cannot_be_evaluated_is_neither_kept_nor_shown(models, change):
    models("import", "tiny.gguf")
    models("export", "tiny", "tiny.lzpack")
    models("remove", "tiny")
    pack = _with_header((models.folder / "tiny.lzpack").read_bytes(), change)
    (models.folder / "bad.lzpack").write_bytes(pack)
    for action in ("import", "show"):
        assert "bad.lzpack: the model pack is" in models.fails(action, "bad.lzpack", code=1)
    assert not list((models.folder / "store").glob("*.lzpack"))


def test_nothing_is_overwritten_unasked(models):
    models("import", "tiny.gguf")
    (models.folder / "out").write_bytes(b"mine")
    models.fails("export", "tiny", "out", code=1)
    assert (models.folder / "out").read_bytes() == b"mine"
    (models.folder / "second.gguf").write_bytes(synthetic.gguf(llama__context_length=128))
    assert "--name" in models.fails("import", "second.gguf", "--name", "tiny", code=1)
    models("import", "second.gguf", "--name", "tiny", "-f")
    models("export", "tiny", "out", "-f")
    assert (models.folder / "out").read_bytes() != b"mine"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("delete", "x"),
        ("import",),
        ("list", "x"),
        ("show",),
        ("export", "x"),
        ("list", "--name", "x"),
        ("list", "--importer", "1"),
        ("import", "tiny.gguf", "--importer", "99"),
        ("import", "tiny.gguf", "--importer", "x"),
        ("pull", "smollm2", "--importer", "99"),
    ],
)
def test_wrong_usage(models, arguments):
    models.fails(*arguments, code=2)


def test_name_belongs_to_models(llmzip):
    llmzip.write("a")
    llmzip.fails("--name", "x", "a", code=2)
