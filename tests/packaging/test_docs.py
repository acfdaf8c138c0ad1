"""The documents: their Python examples run, their links lead somewhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("tests/*/README.md")])
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
EXAMPLES = EXAMPLE.findall((ROOT / "README.md").read_text())


def test_the_readme_has_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_python_examples_of_the_readme_run(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "corpora" / "samples" / "us-constitution.txt", tmp_path / "notes.txt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMZIP_CACHE", str(tmp_path / "cache"))
    code = compile(EXAMPLES[number], f"README.md, example {number + 1}", "exec")
    exec(code, {"__name__": "__main__"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (document.parent / target).exists(), target


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    command = "sh tests/run"
    assert f"\n{command}\n" in (ROOT / "README.md").read_text()
    assert f"\nstep {command}\n" in (ROOT / ".ci" / "run").read_text()
