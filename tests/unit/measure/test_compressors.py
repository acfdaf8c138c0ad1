"""Names of compressors, and the command lines that they stand for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import llmzip
from llmzip.errors import UsageError
from llmzip.measure import kept, tools
from llmzip.measure.compressors import choose


def words(spec: str, **more: int) -> str:
    (one,) = choose(spec, **more)
    return " ".join(one.tool.compress)


def test_by_default_llmzip_and_its_peers() -> None:
    specs = [one.spec for one in choose()]
    assert specs[0] == "llmzip:6"
    assert {spec.split(":")[0] for spec in specs[1:]} == {
        *("xz", "zstd", "brotli", "bzip3", "zpaq", "lrzip", "bzip2", "gzip")
    }


@pytest.mark.parametrize(
    ("spec", "name", "options"),
    [
        ("llmzip", "llmzip -6", "-6 --no-verify -T1"),
        ("-8", "llmzip -8", "-8 --no-verify -T1"),
        ("cm:3", "llmzip -3 -p cm", "-3 -p cm --no-verify"),
        ("xz", "xz -9e", "-9e -T1"),
        ("zstd:19", "zstd -19", "-19 -T1"),
        ("zstd:22", "zstd --ultra -22", "--ultra -22"),
        ("lrzip:7", "lrzip -z -L7", "-z -L7 -p1"),
    ],
)
def test_command_lines(spec: str, name: str, options: str) -> None:
    (one,) = choose(spec)
    assert one.tool.name == name
    assert options in words(spec)


def test_level_and_threads_go_where_none_is_given() -> None:
    assert "-3 --no-verify -T2" in words("llmzip", level=3, threads=2)
    assert "-8 --no-verify" in words("-8", level=3)
    assert "-T2" in words("xz", threads=2) and "-t2" in words("zpaq", threads=2)


def test_each_once() -> None:
    assert [one.spec for one in choose("xz:9e,xz,-6,llmzip:6")] == ["xz:9e", "llmzip:6"]


def test_a_program_by_its_path(tmp_path: Path) -> None:
    (one,) = choose(f"{tmp_path}/paq8px:8L")
    assert one.tool.program == str(tmp_path / "paq8px") and one.tool.name == "paq8px -8L"
    with pytest.raises(UsageError):
        choose(f"{tmp_path}/xz")


def test_a_missing_model_is_trouble_of_its_own() -> None:
    one, other = choose("llm:nobody:8,xz")
    assert one.trouble is not None and other.trouble is None
    assert one.tool.name == "llmzip -8 -m nobody"
    with pytest.raises(UsageError):
        choose("llm:nobody:2")


def test_llmzip_is_this_very_one(tmp_path: Path) -> None:
    (tmp_path / "llmzip.py").write_text("raise SystemExit('the wrong one')")
    (tmp_path / "random.py").write_text("raise SystemExit('not of the standard library')")
    (one,) = choose("-1")
    options = list(one.tool.version)
    done = subprocess.run(
        [one.tool.program, *options], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == f"llmzip {llmzip.__version__}\n", done.stderr


def test_a_checkout_runs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "a {b} 'c'" / "llmzip"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("import sys; print('here', sys.argv[1:])")
    monkeypatch.setattr(tools, "__file__", str(package / "measure" / "tools.py"))
    first, *words = tools.python("llmzip")
    done = subprocess.run([first, *words, "x"], capture_output=True, text=True)
    assert done.stdout == "here ['x']\n", done.stderr
    (one,) = choose("-1")
    words = [word.format(archive="A", input="I") for word in one.tool.compress]
    done = subprocess.run([first, *words], capture_output=True, text=True)
    assert done.stdout.endswith("'-o', 'A', 'I']\n"), done.stderr


def test_where_measurements_are_kept() -> None:
    assert kept.folder({"LLMZIP_CACHE": "/x"}) == "/x/measure"
    assert kept.folder({"XDG_CACHE_HOME": "/y"}).startswith("/y/llmzip")
