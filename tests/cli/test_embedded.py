"""An archive that brings its model: `--embed-model`, and reading it where there is no store."""

from __future__ import annotations

import json

import pytest

import synthetic
from llmzip.container import MODEL_SYNC

PROSE = (synthetic.TEXT + ".\n").encode() * 40


@pytest.fixture
def alone(llmzip, tmp_path_factory):
    """llmzip where no model is, and `notes.llmz`, which brings the tiny one; `store` has it too."""
    pack = synthetic.pack(tmp_path_factory.mktemp("pack") / "tiny.gguf")
    llmzip.write("tiny.lzpack", pack)
    llmzip.write("notes", PROSE)
    store = {"LLMZIP_MODELS": str(llmzip.folder / "store")}
    llmzip("models", "import", "tiny.lzpack", env=store)
    llmzip("-q", "-m", "tiny", "--embed-model", "notes", env=store)
    (llmzip.folder / "tiny.lzpack").unlink()
    none = {"LLMZIP_MODELS": str(llmzip.folder / "none")}

    def run(*arguments, code=0, stdin=None, store=None):
        return llmzip(*arguments, code=code, stdin=stdin, env=store or none)

    def fails(*arguments, code):
        return llmzip.fails(*arguments, code=code, env=none)

    run.fails, run.folder, run.names, run.write = fails, llmzip.folder, llmzip.names, llmzip.write
    run.archive = (llmzip.folder / "notes.llmz").read_bytes()
    run.store, run.pack = store, pack
    return run


def test_it_opens_where_there_is_no_store(alone):
    for options in ([], ["-T1"], ["-T2"]):
        assert alone("-dc", *options, "notes.llmz").stdout == PROSE
    assert alone("-dc", stdin=alone.archive).stdout == PROSE
    assert alone("cat", "notes.llmz").stdout == PROSE
    assert alone("recover", "-c", "notes.llmz").stdout == PROSE
    alone("test", "notes.llmz")
    alone("test", "--quick", "notes.llmz")
    assert not (alone.folder / "none").exists()


def test_it_is_listed_as_embedded(alone):
    shown = alone("list", "-v", "notes.llmz").stdout.decode()
    assert ", embedded" in shown and "needed to decode" not in shown
    (archive,) = json.loads(alone("list", "--json", "notes.llmz").stdout)["archives"]
    (model,) = archive["models"]
    assert model["embedded"] and model["length"] == len(alone.pack)
    (segment,) = archive["segments"]
    assert segment["offset"] > len(alone.pack) // 4
    assert archive["archive_bytes"] == len(alone.archive)
    assert json.loads(alone("list", "--json", "-", stdin=alone.archive).stdout)["archives"] == [
        archive
    ]


def test_archives_in_a_row_each_bring_theirs(alone):
    alone.write("plain", b"another text\n")
    alone("-q", "plain")
    plain = (alone.folder / "plain.llmz").read_bytes()
    alone.write("all.llmz", alone.archive + plain + alone.archive)
    expected = PROSE + b"another text\n" + PROSE
    assert alone("-dc", "all.llmz").stdout == expected
    assert alone("cat", "all.llmz").stdout == expected
    assert alone("recover", "-c", "all.llmz").stdout == expected


def test_only_what_needs_a_model_brings_it(alone):
    numbers = bytes(range(0, 256, 5)) * 3000
    alone.write("numbers", numbers)
    alone("-q", "-m", "tiny", "--embed-model", "numbers", store=alone.store)
    plain = alone("-qc", "numbers").stdout
    assert (alone.folder / "numbers.llmz").read_bytes() == plain


def test_without_a_model_there_is_nothing_to_embed(alone):
    assert "name one with -m" in alone.fails("-f", "--embed-model", "notes", code=2)
    assert (alone.folder / "notes.llmz").read_bytes() == alone.archive


def test_it_says_what_the_archive_brings(alone):
    said = alone("-fm", "tiny", "--embed-model", "notes", store=alone.store).stderr.decode()
    assert "brings the model (112 kB)" in said and "needs the model" not in said


def test_the_limit_of_memory_counts_it(alone):
    for verb in ("-dfc", "test", "cat"):
        line = alone.fails(verb, "-M100K", "notes.llmz", code=3)
        assert "raise it with -M" in line and "model that the archive brings" in line


def test_a_damaged_pack_is_one_line_and_leaves_nothing(alone):
    at = alone.archive.index(MODEL_SYNC) + 5000
    broken = bytearray(alone.archive)
    broken[at] ^= 1
    alone.write("broken.llmz", bytes(broken))
    line = alone.fails("-d", "broken.llmz", code=1)
    assert "the model that the archive brings: a chunk is damaged" in line
    assert alone.fails("test", "--quick", "broken.llmz", code=1)
    alone.write("cut.llmz", alone.archive[:at])
    line = alone.fails("-d", "cut.llmz", code=1)
    assert "the model that the archive brings: the archive ends too early" in line
    assert not {"broken", "cut"} & set(alone.names())


def test_recover_takes_the_model_from_elsewhere_where_the_packs_copy_is_damaged(alone):
    broken = bytearray(alone.archive)
    broken[alone.archive.index(MODEL_SYNC) + 5000] ^= 1
    alone.write("broken.llmz", bytes(broken))
    line = alone.fails("recover", "broken.llmz", "-o", "saved", code=3)
    assert "a chunk is damaged" in line and "llmzip models import" in line
    assert "saved" not in alone.names()
    alone("recover", "broken.llmz", "-o", "saved", store=alone.store)
    assert (alone.folder / "saved").read_bytes() == PROSE
