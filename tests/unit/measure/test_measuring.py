"""`llmzip.measure.measure`, in this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import llmzip
from llmzip.errors import ModelError, VerifyError
from llmzip.measure import Step
from llmzip.measure.along import inside

TEXT = b"It was the best of times, it was the worst of times. " * 60


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMZIP_CACHE", str(tmp_path / "cache"))


def test_a_run_and_its_steps(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    steps: list[Step] = []
    found = llmzip.measure.measure(path, "-1", progress=steps.append)
    (one,) = found.measured()
    assert one.archive_bytes == len(llmzip.compress(TEXT, level=1))
    assert found.version == llmzip.__version__ and "cores" in found.machine
    assert [step.done for step in steps] == [0, 1, 2, 3] and {step.total for step in steps} == {3}
    assert steps[0].left is None and steps[1].left is not None and steps[1].left > 0
    again = llmzip.measure.measure([path], ["-1"], progress=steps.append)
    assert all(result.kept for result in again.results)
    # What was kept tells how long it takes.
    llmzip.measure.measure(path, "-1", again=True, progress=steps.append)
    assert steps[-4].done == 0 and steps[-4].left is not None


def test_without_a_listener_errors_are_raised(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    with pytest.raises(FileNotFoundError):
        llmzip.measure.measure(tmp_path / "gone")
    with pytest.raises(ModelError):
        llmzip.measure.measure(path, "llm:nobody")


def test_a_file_that_changes_meanwhile_has_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    told: list[str] = []

    def progress(step: Step) -> None:
        if step.file == "a.txt":
            path.write_bytes(TEXT[::-1])

    found = llmzip.measure.measure(
        path, "-1,gzip", progress=progress, trouble=lambda name, error: told.append(str(error))
    )
    assert [one.ok for one in found.measured()] == [False, False]
    assert len(told) == 1 and "has changed" in told[0]


def test_a_file_called_as_a_check_is(tmp_path: Path) -> None:
    path = tmp_path / "random bytes"
    path.write_bytes(TEXT)
    found = llmzip.measure.measure(path, "-1")
    assert [one.file for one in found.measured()] == ["random bytes"]
    assert len({one.file for one in found.results}) == 3


def test_a_cache_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LLMZIP_CACHE", str(tmp_path / "file"))
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT)
    told: list[str] = []
    found = llmzip.measure.measure(path, "-1", trouble=lambda name, error: told.append(name))
    assert found.measured()[0].ok
    assert told == [str(tmp_path / "file" / "measure")]


def test_pieces_along_are_checked_against_the_archive(tmp_path: Path) -> None:
    archive, content = tmp_path / "a.llmz", tmp_path / "a"
    archive.write_bytes(llmzip.compress(TEXT, level=3))
    content.write_bytes(TEXT)
    with open(archive, "rb") as coded, open(content, "rb") as raw:
        found = inside(coded, raw)
    assert found.along[0][0] == 0 and found.along[0][1] > found.along[-1][1]
    assert found.model_bytes == 0
    content.write_bytes(TEXT[::-1])
    with open(archive, "rb") as coded, open(content, "rb") as raw, pytest.raises(VerifyError):
        inside(coded, raw)


@pytest.mark.parametrize("data", [b"x" * 5000, bytes(range(256)) * 4 + b"!", b"?"])
def test_pieces_of_what_is_not_coded(tmp_path: Path, data: bytes) -> None:
    archive, content = tmp_path / "a.llmz", tmp_path / "a"
    archive.write_bytes(llmzip.compress(data, level=6))
    content.write_bytes(data)
    with open(archive, "rb") as coded, open(content, "rb") as raw:
        found = inside(coded, raw)
    assert found.along and found.along[-1][0] < len(data)


def test_importing_llmzip_does_not_import_it() -> None:
    program = "import sys, llmzip; sys.exit('llmzip.measure' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", program]).returncode == 0
