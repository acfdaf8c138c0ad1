"""What the command line imports: on a small file that takes longer than everything else."""

from __future__ import annotations

import subprocess
import sys

import pytest

import llmzip

# Each drags in others, or makes classes by running generated code.
SLOW = {
    "ast",
    "asyncio",
    "concurrent.futures",
    "contextlib",
    "dataclasses",
    "hashlib",
    "inspect",
    "json",
    "logging",
    "multiprocessing",
    "numpy",
    "pathlib",
    "random",
    "select",
    "shutil",
    "subprocess",
    "tempfile",
    "textwrap",
    "traceback",
    "typing",
    "zlib",
}

CONTENT = b"a few bytes\n" * 9

PROGRAM = """
import sys
before = set(sys.modules)
from llmzip.__main__ import main
sys.argv[0] = "llmzip"
code = main()
sys.stderr.write("\\n".join(set(sys.modules) - before))
sys.exit(code)
"""


def imported(*arguments: str) -> set[str]:
    """Modules that the command line imports beyond those that Python starts with."""
    command = [sys.executable, "-P", "-c", PROGRAM, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    modules = set(done.stderr.split())
    assert "llmzip.cli" in modules
    return modules


@pytest.fixture
def archive(tmp_path) -> str:
    path = tmp_path / "small.llmz"
    path.write_bytes(llmzip.compress(CONTENT))
    return str(path)


def test_compressing_a_small_file(tmp_path):
    path = tmp_path / "small"
    path.write_bytes(CONTENT)
    modules = imported("compress", str(path))
    assert path.with_name("small.llmz").stat().st_size
    assert "llmzip.writer" in modules
    unneeded = {"llmzip.reader", "llmzip.directory", "llmzip.estimate", "llmzip.inorder"}
    assert modules & (SLOW | unneeded | {"threading"}) == set()


@pytest.mark.parametrize("threads", ["-T1", "-T4"])
def test_decompressing_a_small_file(archive, tmp_path, threads):
    modules = imported("decompress", threads, archive)
    assert (tmp_path / "small").read_bytes() == CONTENT
    assert "llmzip.reader" in modules
    assert modules & (SLOW | {"llmzip.writer", "llmzip.describe", "llmzip.inorder"}) == set()


def test_listing(archive):
    modules = imported("list", archive)
    assert "llmzip.describe" in modules
    assert modules & (SLOW | {"threading", "llmzip.reader", "llmzip.writer"}) == set()
