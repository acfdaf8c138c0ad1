"""GNU tar calls `llmzip` with no arguments to write and with `-d` to read."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from .conftest import PROGRAM, Shell

pytestmark = pytest.mark.skipif(shutil.which("tar") is None, reason="no tar here")


def tar(llmzip: Shell, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run tar in the scratch folder, with the installed llmzip first in the PATH."""
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["tar", *arguments],
        cwd=llmzip.folder,
        env=llmzip.environment({"PATH": path}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    if b"unrecognized option" in done.stderr or b"invalid option" in done.stderr:
        pytest.skip("this tar has no -I")
    return done


@pytest.mark.parametrize("program", ["llmzip", "llmzip -4 -T1", "llmzip -p zstd --no-verify"])
def test_tar_both_ways(llmzip: Shell, program: str) -> None:
    for i in range(20):
        llmzip.write(f"dir/sub{i % 3}/file{i}", os.urandom(3000) + b"text " * 500)
    done = tar(llmzip, "-I", program, "-cf", "dir.tar.llmz", "dir")
    assert (done.returncode, done.stderr) == (0, b"")
    llmzip("-t", "dir.tar.llmz")
    shown = tar(llmzip, "-I", program, "-tf", "dir.tar.llmz")
    assert shown.stdout.decode().count("file") == 20
    (llmzip.folder / "dir").rename(llmzip.folder / "before")
    done = tar(llmzip, "-I", program, "-xf", "dir.tar.llmz")
    assert (done.returncode, done.stderr) == (0, b"")
    assert not subprocess.run(["diff", "-r", "before", "dir"], cwd=llmzip.folder).returncode


def test_tar_of_a_broken_archive_fails(llmzip: Shell) -> None:
    llmzip.write("dir/a", os.urandom(100_000))
    tar(llmzip, "-I", "llmzip", "-cf", "dir.tar.llmz", "dir")
    whole = (llmzip.folder / "dir.tar.llmz").read_bytes()
    (llmzip.folder / "dir.tar.llmz").write_bytes(whole[:-50])
    done = tar(llmzip, "-I", "llmzip", "-xf", "dir.tar.llmz")
    assert done.returncode != 0
    assert b"llmzip: standard input: " in done.stderr


def test_plain_tar_under_our_name_is_called_that(llmzip: Shell) -> None:
    llmzip.write("dir/a", b"content")
    # An unknown suffix makes tar -a write an uncompressed archive without a word.
    tar(llmzip, "-caf", "dir.tar.llmz", "dir")
    assert "tar" in llmzip.fails("-t", "dir.tar.llmz").removeprefix("llmzip: dir.tar.llmz: ")
