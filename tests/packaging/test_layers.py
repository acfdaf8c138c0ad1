"""The dependency rule: coders <- predictors <- native <- llmzip; only llmzip opens files."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

# What each crate may depend on among ours.
CRATES = {
    "coders": set(),
    "predictors": {"llmzip-coders"},
    "native": {"llmzip-coders", "llmzip-predictors"},
}
# Folders of the checkout that Python would import as empty namespace packages.
FOLDERS = {"coders", "predictors", "native", "bench", "corpora", "tests"}
OUTSIDE = re.compile(r"\b(?:std|core)::(?:fs|net|process|env)\b|\bFile::open\b")
COMMENT = re.compile(r"//.*")


def dependencies(manifest: Path) -> set[str]:
    """Names of everything that a crate depends on, in any section."""
    tables = tomllib.loads(manifest.read_text())
    sections = [tables, *tables.get("target", {}).values()]
    kinds = ("dependencies", "dev-dependencies", "build-dependencies")
    return {name for section in sections for kind in kinds for name in section.get(kind, {})}


def imports(source: Path) -> set[str]:
    """First parts of the absolute names that a Python file imports when it runs."""
    found = set()
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("crate", CRATES)
def test_a_crate_depends_on_those_below_it_alone(root: Path, crate: str) -> None:
    ours = {name for name in dependencies(root / crate / "Cargo.toml") if "llmzip" in name}
    assert ours <= CRATES[crate]


def test_the_workspace_has_no_crate_without_a_rule(root: Path) -> None:
    members = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["members"]
    assert set(members) == set(CRATES)


@pytest.mark.parametrize("crate", CRATES)
def test_rust_touches_no_file_network_or_process(root: Path, crate: str) -> None:
    for source in sorted((root / crate / "src").rglob("*.rs")):
        code = COMMENT.sub("", source.read_text())
        # Tests at the end of a module may read data files.
        code = code.split("#[cfg(test)]")[0]
        # The one setting from outside: LLMZIP_SIMD, which forces a kernel level.
        code = code.replace('std::env::var("LLMZIP_SIMD")', "")
        code = code.replace('std::env::var_os("LLMZIP_SIMD")', "")
        # Which process this is: a fork has none of its parent's threads.
        code = code.replace("std::process::id()", "")
        assert OUTSIDE.findall(code) == [], source


def test_python_imports_what_it_declares(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    # The extras' are imported where they are needed: test_startup.py.
    extras = project["optional-dependencies"]
    declared = project["dependencies"] + extras["models"] + extras["hf"]
    names = {re.split(r"[^\w.-]", entry)[0].replace("-", "_") for entry in declared}
    allowed = set(sys.stdlib_module_names) | names | {"llmzip"}
    for source in sorted((root / "llmzip").rglob("*.py")):
        assert imports(source) <= allowed, source


def test_nothing_imports_a_folder_of_the_checkout(root: Path) -> None:
    for folder in ("llmzip", "tests", "bench"):
        for source in sorted((root / folder).rglob("*.py")):
            assert not imports(source) & FOLDERS, source
