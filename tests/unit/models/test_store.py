"""The store of models: names, parts of a sha256, damage, and what is left in the folder."""

from __future__ import annotations

import hashlib

import pytest

from llmzip.errors import CorruptError, ModelError, UsageError
from llmzip.fileio import ExistsError
from llmzip.models import pull, store

PACK = b"\x8bLZPACK\n and so on"
OTHER = b"\x8bLZPACK\n and other things"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMZIP_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


def test_a_model_is_found_by_name_start_of_sha256_and_path(folder, tmp_path):
    assert store.models() == []
    model = store.add(PACK, "tiny", "tiny.gguf")
    digest = hashlib.sha256(PACK).hexdigest()
    assert (model.sha256, model.name, model.bytes) == (digest, "tiny", len(PACK))
    assert store.models() == [model]
    for wanted in ("tiny", digest, digest[:6], digest[:9].upper()):
        assert store.find(wanted) == model
    for wanted in (digest[:5], "tin", "f" * 64, str(tmp_path / "none")):
        with pytest.raises(ModelError, match="llmzip models"):
            store.find(wanted)
    path = tmp_path / "mine.lzpack"
    path.write_bytes(OTHER)
    assert store.find(str(path)).sha256 == hashlib.sha256(OTHER).hexdigest()
    path.write_bytes(b"something")
    with pytest.raises(ModelError, match="llmzip models import"):
        store.find(str(path))
    assert store.read(model) == PACK


def test_a_model_goes_however_the_folder_is_written(folder, monkeypatch):
    for way in (f"{folder}/", f"{folder}/../{folder.name}//"):
        folder.mkdir(exist_ok=True)
        monkeypatch.setenv("LLMZIP_MODELS", way)
        store.add(PACK, "tiny", "")
        store.remove(store.find("tiny"))
        assert list(folder.iterdir()) == []


def test_what_may_be_several_models_is_not_guessed(monkeypatch):
    same = []
    number = 0
    while len(same) < 2:
        pack = b"%d" % number
        if hashlib.sha256(pack).hexdigest().startswith("ab"):
            same.append(pack)
        number += 1
    for place, pack in enumerate(same):
        store.add(pack, f"model{place}", "")
    monkeypatch.setattr(store, "_FEWEST", 2)
    with pytest.raises(ModelError, match=r"model0 ab.*model1 ab.*write more"):
        store.find("ab")


def test_a_known_model_that_is_not_here_says_how_to_get_it():
    for name in pull.KNOWN:
        with pytest.raises(ModelError, match=f"llmzip models pull {name}"):
            store.find(name)


def test_a_name_is_taken_over_by_force_alone():
    first = store.add(PACK, "tiny", "a")
    with pytest.raises(ExistsError):
        store.add(OTHER, "tiny", "b")
    assert store.models() == [first]
    second = store.add(OTHER, "tiny", "b", force=True)
    assert store.find("tiny") == second
    assert store.find(first.sha256).name == ""
    assert store.add(PACK, "renamed", "a") == store.find("renamed")
    assert len(store.models()) == 2


@pytest.mark.parametrize("name", ["", "../up", "a b", "-x", "x" * 65, "a/b", "é"])
def test_names_that_could_be_something_else_are_refused(name, folder):
    with pytest.raises(UsageError, match="no name"):
        store.add(PACK, name, "")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/x/SmolLM2-135M.Q4_1.gguf", "smollm2-135m.q4_1"),
        ("/x/My Model/", "my-model"),
        ("/x/é", "model"),
    ],
)
def test_names_after_files(path, name):
    assert store.check_name(store.name_for(path)) == name


def test_damage_is_found_before_use():
    model = store.add(PACK, "tiny", "")
    with open(model.path, "r+b") as file:
        file.write(b"!")
    with pytest.raises(CorruptError, match="remove tiny and get it again"):
        store.read(model)


def test_facts_that_are_gone_or_damaged_cost_the_name_alone(folder):
    model = store.add(PACK, "tiny", "")
    for content in (b"{", b"[]", b'{"name": 3}'):
        (folder / f"{model.sha256}.json").write_bytes(content)
        assert [found.name for found in store.models()] == [""]
    (folder / f"{model.sha256}.json").unlink()
    assert store.find(model.sha256).name == ""


def test_remove_and_export(folder, tmp_path):
    model = store.add(PACK, "tiny", "")
    store.export(model, str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == PACK
    with pytest.raises(ExistsError):
        store.export(model, str(tmp_path / "out"))
    store.remove(model)
    assert list(folder.iterdir()) == []
    with pytest.raises(UsageError, match="not in the store"):
        store.remove(store.find(str(tmp_path / "out")))
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LLMZIP_MODELS": "/m"}, "/m"),
        ({"XDG_DATA_HOME": "/d"}, "/d/llmzip/models"),
        ({}, "/h/.local/share/llmzip/models"),
    ],
)
def test_where_models_are_kept(monkeypatch, environment, expected):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", "/h")
    assert store.folder(environment) == expected
