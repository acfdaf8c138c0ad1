"""Runs one program and says what it cost: CPU seconds, wall seconds, peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """The program did not end well; the text says how."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program took.

    ``cpu`` is user and system time of the process and of every child that it waited for, in
    seconds; ``wall`` is elapsed seconds; ``peak`` is the largest resident size of any one of these
    processes, in KiB.
    """

    cpu: float
    wall: float
    peak: int


def run(
    command: list[str], *, folder: Path, stdout: Path | None = None, timeout: float | None = None
) -> Cost:
    """Runs ``command`` in ``folder``, its standard output going to the file ``stdout``.

    Raises ``Failed`` when it cannot start, ends with another status than 0 or outlives ``timeout``
    seconds (it and its children are then killed).
    """
    with (
        tempfile.TemporaryFile() as errors,
        open(stdout or os.devnull, "wb") as sink,
    ):
        start = time.perf_counter()
        try:
            # A session of its own, so that a timeout ends the children too.
            child = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise Failed(f"cannot start: {error.strerror}") from error
        expired = threading.Event()

        def end() -> None:
            expired.set()
            os.killpg(child.pid, signal.SIGKILL)

        timer = threading.Timer(timeout, end) if timeout is not None else None
        if timer is not None:
            timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        finally:
            if timer is not None:
                timer.cancel()
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if expired.is_set():
            raise Failed(f"took longer than {timeout:g} s")
        if child.returncode != 0:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            raise Failed(f"exit {child.returncode}" + (f": {lines[-1][:200]}" if lines else ""))
        return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss)


def memory_floor() -> int:
    """The smallest peak in KiB that ``run`` can report.

    A new process counts the pages of the one that started it until it runs its own program, so a
    program smaller than this one is reported as large as this one.
    """
    return run(["true"], folder=Path("/")).peak
