"""The version stands in one place, Cargo.toml, and everything else repeats it."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import llmzip
from llmzip import _native


def test_all_say_what_cargo_toml_says(root: Path) -> None:
    version = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert importlib.metadata.version("llmzip") == version
    assert version == _native.VERSION, "the extension is stale: pip install -e ."
    assert llmzip.__version__ == version
    program = Path(sys.executable).with_name("llmzip")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert version in said.stdout.split()


def test_no_other_file_states_it(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert "version" in project["dynamic"]
    for crate in ("coders", "predictors", "native"):
        package = tomllib.loads((root / crate / "Cargo.toml").read_text())["package"]
        assert package["version"] == {"workspace": True}
