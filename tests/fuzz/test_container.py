"""Bounded runs of the fuzzers in Python, and every input that once failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def test_readers_withstand_damage_and_lies(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, FOLDER / "container.py", "--runs", "900", "--artifacts", tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Lies that reach the code behind the checks, and archives that truthfully pass.
    assert "corrupt" in done.stdout
    assert "harmless" in done.stdout


def test_packs_and_models_withstand_damage_and_lies(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, FOLDER / "model.py", "--runs", "150", "--artifacts", tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for outcome in ("pack corrupt", "pack usable", "archive corrupt", "payload corrupt"):
        assert outcome in done.stdout
