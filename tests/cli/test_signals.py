"""Jobs that are interrupted or killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from .conftest import Shell
from .test_output import WITHOUT_UNNAMED_FILES

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def start_and_wait(llmzip: Shell, *arguments: str, named: bool = False) -> subprocess.Popen[bytes]:
    """A job that has opened its output and waits for the rest of its standard input."""
    if named:
        job = subprocess.Popen(
            [sys.executable, "-c", WITHOUT_UNNAMED_FILES, *arguments],
            cwd=llmzip.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    else:
        job = llmzip.start(*arguments, stdin=subprocess.PIPE)
    assert job.stdin is not None
    # More than a pipe holds: once this returns, the input is being read and the output is open.
    job.stdin.write(os.urandom(1 << 20))
    return job


@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
@pytest.mark.parametrize("signum", ENDING)
def test_signal_ends_the_job_and_leaves_the_old_file(
    llmzip: Shell, signum: signal.Signals, named: bool
) -> None:
    old = llmzip.write("out", b"old")
    job = start_and_wait(llmzip, "-f", "-o", "out", named=named)
    job.send_signal(signum)
    _, errors = job.communicate(timeout=30)
    assert job.returncode == 128 + signum
    assert errors == b"llmzip: interrupted\n"
    assert llmzip.names() == ["out"]
    assert old.read_bytes() == b"old"


def test_kill_leaves_the_old_file_and_no_litter(llmzip: Shell) -> None:
    if not hasattr(os, "O_TMPFILE"):
        pytest.skip("no files without a name on this system")
    try:
        os.close(os.open(llmzip.folder, os.O_TMPFILE | os.O_WRONLY))
    except OSError:
        pytest.skip("no files without a name on this file system")
    old = llmzip.write("out", b"old")
    job = start_and_wait(llmzip, "-f", "-o", "out")
    job.kill()
    job.communicate(timeout=30)
    assert job.returncode == -signal.SIGKILL
    assert llmzip.names() == ["out"]
    assert old.read_bytes() == b"old"


def test_kill_during_decompression(llmzip: Shell) -> None:
    packed = llmzip("-p", "store", stdin=os.urandom(2 << 20)).stdout
    old = llmzip.write("out", b"old")
    job = llmzip.start("-df", "-o", "out", stdin=subprocess.PIPE)
    assert job.stdin is not None
    job.stdin.write(packed[: 3 << 19])
    job.kill()
    job.communicate(timeout=30)
    assert old.read_bytes() == b"old"
    assert llmzip("-t", stdin=packed).returncode == 0


@pytest.mark.parametrize("threads", ["1", "2"])
def test_ctrl_c_while_coding(llmzip: Shell, threads: str) -> None:
    source = llmzip.write("a", os.urandom(12 << 20).hex().encode())
    job = llmzip.start("-9", "-T", threads, "a")
    time.sleep(0.8)
    assert job.poll() is None, "the job was over before it could be interrupted"
    start = time.monotonic()
    job.send_signal(signal.SIGINT)
    _, errors = job.communicate(timeout=60)
    assert time.monotonic() - start < 10
    assert job.returncode == 130
    assert errors == b"llmzip: interrupted\n"
    assert llmzip.names() == ["a"]
    assert source.stat().st_size == 24 << 20


def test_interrupted_rm_keeps_the_source(llmzip: Shell) -> None:
    content = os.urandom(12 << 20).hex().encode()
    source = llmzip.write("a", content)
    job = llmzip.start("--rm", "-9", "a")
    time.sleep(0.5)
    job.send_signal(signal.SIGTERM)
    job.communicate(timeout=60)
    assert source.exists() or llmzip("-dc", "a.llmz").stdout == content


def test_several_files_stop_at_ctrl_c(llmzip: Shell) -> None:
    llmzip.write("a", b"done before")
    job = start_and_wait(llmzip, "--rm", "a", "-")
    deadline = time.monotonic() + 30
    while llmzip.names() != ["a.llmz"] and time.monotonic() < deadline:
        time.sleep(0.05)
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=30)
    assert job.returncode == 130
    assert llmzip.names() == ["a.llmz"]


def test_ignored_signals_stay_ignored(llmzip: Shell) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    job = llmzip.start("-c", stdin=subprocess.PIPE, preexec_fn=ignore)
    assert job.stdin is not None
    job.stdin.write(bytes(1 << 20))
    job.send_signal(signal.SIGHUP)
    packed, errors = job.communicate(timeout=30)
    assert (job.returncode, errors) == (0, b"")
    assert len(llmzip("-dc", stdin=packed).stdout) == 1 << 20


def test_usr1_prints_a_status_line(llmzip: Shell) -> None:
    job = start_and_wait(llmzip, "-o", "out")
    job.send_signal(signal.SIGUSR1)
    assert job.stderr is not None
    line = job.stderr.readline().decode()
    assert line.startswith("llmzip: standard input: ")
    job.communicate(timeout=30)
    assert job.returncode == 0
    assert llmzip.names() == ["out"]
