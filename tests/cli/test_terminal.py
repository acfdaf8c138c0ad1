"""On a real terminal: what is refused, and the progress bar."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from .conftest import Shell

CONTENT = b"a terminal is not a file\n" * 200


@dataclass
class Terminal:
    """A pseudo-terminal; `shown` is everything that was written to it."""

    master: int
    slave: int
    shown: bytearray = field(default_factory=bytearray)

    def text(self) -> str:
        """What was shown so far, once nothing more comes."""
        while select.select([self.master], [], [], 0.2)[0]:
            self.shown += os.read(self.master, 4096)
        return self.shown.decode(errors="replace")

    def wait_for(self, what: bytes, times: int = 1) -> None:
        """Reads until `what` was shown so many times; a loaded machine may take long for it."""
        deadline = time.monotonic() + 60
        while self.shown.count(what) < times and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.2)[0]:
                self.shown += os.read(self.master, 4096)


@contextmanager
def new_terminal(columns: int = 100) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    terminal = Terminal(master, slave)
    try:
        yield terminal
    finally:
        os.close(master)
        os.close(slave)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal of 100 columns."""
    with new_terminal() as made:
        yield made


def test_archive_bytes_are_not_for_a_terminal(llmzip: Shell, terminal: Terminal) -> None:
    llmzip.write("a", CONTENT)
    for arguments in (["-c", "a"], ["compress", "-"], ["-o", "-", "a"], []):
        line = llmzip.fails(*arguments, code=2, stdout=terminal.slave)
        assert "terminal" in line and "-c >FILE" in line and "-o FILE" in line
    line = llmzip.fails("-o", os.ttyname(terminal.slave), "a", code=2)
    assert "terminal" in line
    assert terminal.text() == ""
    llmzip("-c", "-f", "a", stdout=terminal.slave)
    assert "LMZ" in terminal.text()


def test_content_may_go_to_a_terminal(llmzip: Shell, terminal: Terminal) -> None:
    llmzip.write("a", b"readable")
    llmzip("a")
    llmzip("-dc", "a.llmz", stdout=terminal.slave, stderr=terminal.slave)
    assert terminal.text() == "readable"


def test_archives_do_not_come_from_a_terminal(llmzip: Shell, terminal: Terminal) -> None:
    for arguments in (["-d"], ["-t"], ["-l"], ["-dc", "-"], ["recover", "-", "-o", "x"]):
        line = llmzip.fails(*arguments, code=2, preexec_fn=_terminal_as_stdin(terminal))
        assert "terminal" in line and "<FILE" in line
    assert llmzip.names() == []


def _terminal_as_stdin(terminal: Terminal):  # type: ignore[no-untyped-def]
    return lambda: os.dup2(terminal.slave, 0)


def test_typed_content_can_be_compressed(llmzip: Shell, terminal: Terminal) -> None:
    os.write(terminal.master, b"typed by hand\n\x04")
    packed = llmzip("-c", preexec_fn=_terminal_as_stdin(terminal)).stdout
    assert llmzip("-dc", stdin=packed).stdout == b"typed by hand\n"


def test_alone_on_a_terminal_shows_short_help(llmzip: Shell, terminal: Terminal) -> None:
    done = llmzip(code=2, stdout=terminal.slave, preexec_fn=_terminal_as_stdin(terminal))
    assert done.stderr.startswith(b"Usage: llmzip ")
    assert len(done.stderr.splitlines()) < 10
    assert b"tar -I llmzip" in done.stderr and b"llmzip -h" in done.stderr
    assert llmzip.names() == []


def compress_slowly(llmzip: Shell, terminal: Terminal, *arguments: str) -> str:
    """Compress from a pipe that takes a second, with standard error on `terminal`."""
    job = llmzip.start(*arguments, stdin=subprocess.PIPE, stderr=terminal.slave)
    assert job.stdin is not None
    for _ in range(6):
        job.stdin.write(os.urandom(1 << 20))
        job.stdin.flush()
        time.sleep(0.15)
    job.stdin.close()
    job.stdin = None
    job.communicate(timeout=60)
    assert job.returncode == 0
    return terminal.text()


def test_progress_bar_is_drawn_and_taken_away(llmzip: Shell, terminal: Terminal) -> None:
    llmzip.write("numbers", os.urandom(12 << 20).hex().encode())
    job = llmzip.start("-9", "numbers", stderr=terminal.slave)
    seen: list[str] = []
    deadline = time.monotonic() + 60
    while job.poll() is None and time.monotonic() < deadline:
        if select.select([terminal.master], [], [], 0.2)[0]:
            terminal.shown += os.read(terminal.master, 4096)
        seen = terminal.shown.decode().split("\r")
        if sum("left" in frame for frame in seen) >= 3:
            break
    job.terminate()
    job.communicate(timeout=60)
    frames = [frame for frame in seen if "left" in frame]
    assert len(frames) >= 3
    last = frames[-2]
    assert last.startswith("numbers  ")
    for part in ("%", "[", "B of 25.2 MB", "/s", "bits/byte", "left"):
        assert part in last, last
    # The bar is wiped before anything else is written.
    assert "\r\x1b[Kllmzip: interrupted\r\n" in terminal.text()


def test_summary_stays_for_one_file(llmzip: Shell, terminal: Terminal) -> None:
    llmzip.write("a", CONTENT)
    llmzip.write("b", CONTENT)
    llmzip("a", stderr=terminal.slave)
    last = terminal.text().split("\x1b[K")[-1]
    assert last.startswith("llmzip: a: ") and "bits/byte" in last
    terminal.shown.clear()
    llmzip("-f", "a", "b", stderr=terminal.slave)
    assert "llmzip: " not in terminal.text()


@pytest.mark.parametrize("option", ["-q", "--no-progress", "--json"])
def test_no_bar_when_not_wanted(llmzip: Shell, terminal: Terminal, option: str) -> None:
    compress_slowly(llmzip, terminal, option, "-o", "out", "-")
    assert terminal.text() == ""


def test_no_bar_off_the_terminal(llmzip: Shell) -> None:
    job = llmzip.start("-o", "out", stdin=subprocess.PIPE)
    assert job.stdin is not None
    for _ in range(3):
        job.stdin.write(os.urandom(1 << 20))
        time.sleep(0.15)
    assert job.communicate(timeout=60) == (b"", b"")


def test_bar_fits_a_narrow_terminal(llmzip: Shell) -> None:
    with new_terminal(columns=40) as narrow:
        name = "a-name-that-is-longer-than-the-terminal-is-wide"
        llmzip.write(name, os.urandom(12 << 20).hex().encode())
        job = llmzip.start("-9", name, stderr=narrow.slave)
        narrow.wait_for(b"%", times=8)
        job.terminate()
        job.communicate(timeout=60)
        frames = narrow.text().replace("\x1b[K", "").split("\r")
        bars = [frame.split("\n")[-1] for frame in frames if "%" in frame]
        assert len(bars) >= 8
        assert all(len(bar) < 40 for bar in bars)


def test_status_line_on_a_terminal_stands_above_the_bar(llmzip: Shell, terminal: Terminal) -> None:
    import signal

    job = llmzip.start("-o", "out", stdin=subprocess.PIPE, stderr=terminal.slave)
    assert job.stdin is not None
    job.stdin.write(bytes(1 << 20))
    job.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + 20
    while b"llmzip: standard input: " not in terminal.shown and time.monotonic() < deadline:
        terminal.text()
    job.communicate(timeout=60)
    assert job.returncode == 0
    assert "llmzip: standard input: " in terminal.text()


def test_terminal_that_hangs_up_ends_the_job(llmzip: Shell) -> None:
    master, slave = pty.openpty()
    job = llmzip.start(
        "-o",
        "out",
        stdin=subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
    )
    assert job.stdin is not None
    job.stdin.write(bytes(1 << 20))
    os.close(slave)
    closer = threading.Thread(target=os.close, args=(master,))
    closer.start()
    # Standard input stays open, so that only the hang-up can end the job.
    job.wait(timeout=60)
    closer.join()
    job.communicate(timeout=60)
    assert job.returncode == 129
    assert llmzip.names() == []
