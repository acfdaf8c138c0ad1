"""What a run of the program cannot bring about: races, odd file systems, badly timed signals."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmzip import fileio
from llmzip import output as output_module


def opened(path: Path) -> fileio.Source:
    return fileio.Source(str(path), archive=False, to_file=True, links=False, console=False)


def output(path: Path, *, force: bool = False) -> output_module.Output:
    return output_module.open_output(str(path), archive=True, force=force, inputs=set())


@pytest.fixture(params=["unnamed", "named", "no hard links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system can do."""
    if request.param != "unnamed":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    if request.param == "no hard links":

        def link(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
    return str(request.param)


@pytest.mark.usefixtures("file_system")
def test_output_appears_at_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with output(path) as made:
        made.stream.write(b"x" * 1_000_000)
        assert not path.exists()
        made.commit()
        assert path.read_bytes() == b"x" * 1_000_000
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("file_system")
def test_discarded_output_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), output(tmp_path / "out") as made:
        made.stream.write(b"x" * 1_000_000)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("file_system")
def test_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with pytest.raises(fileio.ExistsError), output(path) as made:
        made.stream.write(b"new")
        path.write_bytes(b"came first")
        made.commit()
    assert path.read_bytes() == b"came first"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("file_system")
def test_overwriting_changes_the_name_and_not_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with path.open("rb") as reader, output(path, force=True) as made:
        made.stream.write(b"new")
        made.commit()
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_source_that_was_replaced_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"read")
    with opened(path) as source:
        (tmp_path / "b").write_bytes(b"never read")
        (tmp_path / "b").replace(path)
        with pytest.raises(fileio.ChangedError):
            source.remove()
    assert path.read_bytes() == b"never read"


def test_source_that_was_changed_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"read")
    with opened(path) as source:
        os.utime(path, ns=(0, 0))
        with pytest.raises(fileio.ChangedError):
            source.remove()
        with pytest.raises(fileio.ChangedError):
            source.check_unchanged()
    assert path.exists()


def test_size_of_what_only_pretends_to_be_empty() -> None:
    path = Path("/proc/self/status")
    if not path.exists():
        pytest.skip("no /proc here")
    with opened(path) as source:
        assert source.size is None
        assert source.stream.read()
        source.check_unchanged()


@pytest.mark.parametrize("unnamed", [True, False])
def test_signal_while_a_file_gets_its_name(tmp_path: Path, unnamed: bool) -> None:
    script = f"""
import os, signal, sys
from llmzip import interrupt, output
if not {unnamed}:
    del os.O_TMPFILE
interrupt.install()
real, published = os.link, []
def link(*arguments, **more):
    os.kill(os.getpid(), signal.SIGTERM)
    real(*arguments, **more)
    published.append(True)
os.link = link
try:
    with output.open_output("out", archive=True, force=False, inputs=set()) as made:
        made.stream.write(b"content")
        made.commit()
except interrupt.Stopped as stopped:
    assert published and stopped.signum == signal.SIGTERM
    sys.exit(9)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_bytes() == b"content"


def test_second_signal_does_not_break_the_clean_up(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from llmzip import interrupt, output
del os.O_TMPFILE
interrupt.install()
real = os.unlink
def unlink(path):
    os.kill(os.getpid(), signal.SIGINT)
    real(path)
os.unlink = unlink
try:
    with output.open_output("out", archive=True, force=False, inputs=set()) as made:
        os.kill(os.getpid(), signal.SIGINT)
except interrupt.Stopped:
    sys.exit(9)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()
    assert list(tmp_path.iterdir()) == []
