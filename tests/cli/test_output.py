"""How outputs get to the disk: whole or not at all, with their source's mode and times."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import PROGRAM, Shell, obey_modes

CONTENT = b"the quick brown fox jumps over the lazy dog\n" * 500

# Runs the program where the system has no files without a name.
WITHOUT_UNNAMED_FILES = (
    "import os, sys; del os.O_TMPFILE; sys.argv[0] = 'llmzip'; "
    "from llmzip.__main__ import main; sys.exit(main())"
)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o444, 0o751])
def test_mode_and_time_are_kept_both_ways(llmzip: Shell, mode: int) -> None:
    source = llmzip.write("a", CONTENT)
    source.chmod(mode)
    os.utime(source, ns=(1_111_111_111_123_456_789, 1_222_222_222_987_654_321))
    llmzip("a")
    packed = llmzip.folder / "a.llmz"
    llmzip("-d", "-o", "b", "a.llmz")
    for path in (packed, llmzip.folder / "b"):
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert path.stat().st_mtime_ns == 1_222_222_222_987_654_321
    assert source.stat().st_mtime_ns == 1_222_222_222_987_654_321


def test_special_bits_are_dropped(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT).chmod(0o7755)
    llmzip("a")
    assert stat.S_IMODE((llmzip.folder / "a.llmz").stat().st_mode) == 0o755


def test_output_from_a_pipe_follows_the_umask(llmzip: Shell) -> None:
    llmzip("-o", "a.llmz", stdin=CONTENT, preexec_fn=lambda: os.umask(0o027))
    assert stat.S_IMODE((llmzip.folder / "a.llmz").stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_keeps_the_owner(llmzip: Shell) -> None:
    source = llmzip.write("a", CONTENT)
    os.chown(source, 12_345, 23_456)
    source.chmod(0o640)
    llmzip("a")
    made = (llmzip.folder / "a.llmz").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (12_345, 23_456, 0o640)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a group that cannot be given")
def test_rights_shrink_when_the_group_cannot_be_kept(llmzip: Shell) -> None:
    drop_chown = 0

    def no_chown() -> None:
        obey_modes()
        from .conftest import _LIBC

        assert _LIBC.prctl(24, drop_chown, 0, 0, 0) == 0

    source = llmzip.write("a", CONTENT)
    os.chown(source, -1, 23_456)
    source.chmod(0o664)
    llmzip("a", preexec_fn=no_chown)
    made = (llmzip.folder / "a.llmz").stat()
    assert made.st_gid != 23_456
    assert stat.S_IMODE(made.st_mode) == 0o644


def test_rm_removes_the_source_after_success_alone(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip("--rm", "a")
    assert llmzip.names() == ["a.llmz"]
    llmzip("-d", "--rm", "a.llmz")
    assert llmzip.names() == ["a"]
    assert (llmzip.folder / "a").read_bytes() == CONTENT
    llmzip.write("a.llmz", b"in the way")
    llmzip.fails("--rm", "a")
    broken = llmzip(stdin=CONTENT).stdout[:-9]
    llmzip.write("b.llmz", broken)
    llmzip.fails("-d", "--rm", "b.llmz")
    assert llmzip.names() == ["a", "a.llmz", "b.llmz"]


def test_rm_is_ignored_where_no_file_is_made(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip("--rm", "-c", "a")
    llmzip("--rm", "-o", "/dev/null", "a")
    llmzip("a")
    for arguments in (["-t"], ["-l"], ["-dc"], ["-t", "--quick"]):
        llmzip(*arguments, "--rm", "a.llmz")
    assert llmzip.names() == ["a", "a.llmz"]


def test_direct_write_to_devices_and_fifos(llmzip: Shell) -> None:
    source = llmzip.write("a", CONTENT)
    null = Path("/dev/null")
    before = null.stat()
    for options in ([], ["-f"]):
        llmzip(*options, "-o", "/dev/null", "a")
    after = null.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert stat.S_ISCHR(after.st_mode)
    fifo = llmzip.folder / "fifo"
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    llmzip("-o", "fifo", "a")
    reader.join(60)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert llmzip("-dc", stdin=read[0]).stdout == source.read_bytes()


def test_full_device(llmzip: Shell) -> None:
    llmzip.write("a", CONTENT)
    llmzip("a")
    with open("/dev/full", "wb") as full:
        for arguments in (["-c", "a"], ["-dc", "a.llmz"]):
            line = llmzip.fails(*arguments, stdout=full)
            assert "standard output: no space left" in line
        for arguments in (["list", "a.llmz"], ["test", "--json", "a.llmz"], ["-h"], ["-V"]):
            assert "no space left" in llmzip.fails(*arguments, stdout=full).lower()
    assert llmzip.names() == ["a", "a.llmz"]


@contextmanager
def tiny_disk() -> Iterator[Path]:
    """A folder on a file system with room for 512 KiB."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("no right to mount a small file system")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with tiny_disk() as folder:
        llmzip = Shell(folder)
        llmzip.write("a", os.urandom(300_000))
        before = (folder / "a").read_bytes()
        line = llmzip.fails("a")
        assert line.startswith("llmzip: a.llmz: no space left on the device; ")
        assert llmzip.names() == ["a"]
        assert (folder / "a").read_bytes() == before
        packed = Shell(tmp_path)(stdin=bytes(2 << 20)).stdout
        llmzip.write("zeros.llmz", packed)
        llmzip.write("zeros", b"old")
        assert "no space left" in llmzip.fails("-df", "zeros.llmz")
        assert (folder / "zeros").read_bytes() == b"old"
        assert llmzip.names() == ["a", "zeros", "zeros.llmz"]
        # There is room again at once: nothing unseen holds it.
        llmzip.write("b", bytes(100_000))


def test_limit_on_file_size_leaves_nothing(llmzip: Shell) -> None:
    llmzip.write("a", os.urandom(600_000))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    assert "limit on file sizes" in llmzip.fails("a", preexec_fn=limit)
    assert llmzip.names() == ["a"]


def test_reader_that_goes_away(llmzip: Shell) -> None:
    llmzip.write("a", os.urandom(2 << 20))
    llmzip("a")
    for arguments in (["-c", "a"], ["-dc", "a.llmz"]):
        job = llmzip.start(*arguments)
        assert job.stdout is not None and job.stderr is not None
        job.stdout.read(1)
        job.stdout.close()
        errors = job.stderr.read().decode()
        job.stderr.close()
        assert job.wait(60) == 1
        assert errors == (
            "llmzip: standard output: closed by its reader before everything was written\n"
        )
    for arguments in (["list", "a.llmz"], ["-h"], ["-V"]):
        read, write = os.pipe()
        os.close(read)
        try:
            llmzip.fails(*arguments, stdout=write)
        finally:
            os.close(write)
    assert llmzip.names() == ["a", "a.llmz"]


def test_closed_standard_files(llmzip: Shell) -> None:
    source = llmzip.write("a", CONTENT)
    line = llmzip.fails("-c", "a", preexec_fn=lambda: os.close(1))
    assert "standard output" in line
    line = llmzip.fails("-V", preexec_fn=lambda: os.close(1))
    line = llmzip.fails("-o", "b", preexec_fn=lambda: os.close(0))
    assert "standard input" in line
    llmzip("a", preexec_fn=lambda: os.close(2))
    llmzip("missing", code=1, preexec_fn=lambda: os.close(2))
    assert source.read_bytes() == CONTENT
    assert llmzip.names() == ["a", "a.llmz"]
    assert llmzip("-dc", "a.llmz").stdout == CONTENT


def test_standard_files_that_do_not_block(llmzip: Shell) -> None:
    content = os.urandom(1 << 20)
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    os.set_blocking(in_read, False)
    os.set_blocking(out_write, False)
    job = llmzip.start("-c", stdin=in_read, stdout=out_write)
    os.close(in_read)
    os.close(out_write)
    writer = threading.Thread(target=_write_slowly, args=(in_write, content))
    writer.start()
    with open(out_read, "rb") as end:
        packed = end.read()
    writer.join(60)
    assert job.communicate(timeout=60)[1] == b""
    assert job.returncode == 0
    assert llmzip("-dc", stdin=packed).stdout == content


def _write_slowly(descriptor: int, content: bytes) -> None:
    import time

    with open(descriptor, "wb", buffering=0) as end:
        for at in range(0, len(content), 1 << 18):
            time.sleep(0.1)
            end.write(content[at : at + (1 << 18)])


def test_input_that_changes_while_it_is_read(llmzip: Shell) -> None:
    source = llmzip.write("a", CONTENT)
    # The output is a FIFO that is opened late, so that the change comes while the input is open.
    for change in (lambda: os.truncate(source, 10), lambda: source.open("ab").write(b"more")):
        source.write_bytes(os.urandom(3 << 20))
        job = llmzip.start("-c", "a")
        assert job.stdout is not None and job.stderr is not None
        job.stdout.read(1)
        change()
        job.stdout.read()
        assert job.wait(60) == 1
        assert "a: changed while it was read" in job.stderr.read().decode()
        job.stdout.close()
        job.stderr.close()


def run_with_named_files(llmzip: Shell, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_UNNAMED_FILES, *arguments],
        cwd=llmzip.folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == code, done
    return done.stderr.decode()


def test_without_unnamed_files(llmzip: Shell) -> None:
    source = llmzip.write("a", CONTENT)
    source.chmod(0o640)
    run_with_named_files(llmzip, "a")
    assert llmzip.names() == ["a", "a.llmz"]
    assert stat.S_IMODE((llmzip.folder / "a.llmz").stat().st_mode) == 0o640
    assert "exists" in run_with_named_files(llmzip, "a", code=1)
    run_with_named_files(llmzip, "-9f", "a")
    assert llmzip.names() == ["a", "a.llmz"]
    llmzip.write("bad.llmz", (llmzip.folder / "a.llmz").read_bytes()[:-5])
    run_with_named_files(llmzip, "-d", "bad.llmz", code=1)
    assert llmzip.names() == ["a", "a.llmz", "bad.llmz"]


def test_temporary_file_is_private(llmzip: Shell) -> None:
    job = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_UNNAMED_FILES, "-o", "out"],
        cwd=llmzip.folder,
        stdin=subprocess.PIPE,
    )
    assert job.stdin is not None
    # More than a pipe holds: once this returns, the input is being read and the output is open.
    job.stdin.write(bytes(1 << 20))
    (name,) = llmzip.names()
    assert name != "out"
    assert stat.S_IMODE((llmzip.folder / name).stat().st_mode) == 0o600
    job.stdin.close()
    assert job.wait(60) == 0
    assert llmzip.names() == ["out"]


def test_the_program_is_the_installed_one() -> None:
    assert PROGRAM.read_bytes()[:2] == b"#!"
