"""Runs one program and says what it cost: CPU seconds, wall seconds, peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from llmzip.interrupt import held
from llmzip.measure.results import Cost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Failed(Exception):
    """The program did not end well; the text says how."""


def run(
    command: list[str],
    *,
    folder: Path,
    stdout: Path | None = None,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Cost:
    """Runs ``command`` in ``folder``, its standard output going to the file ``stdout``.

    ``environment`` takes the place of this process's own. Raises ``Failed`` when it cannot start,
    ends with another status than 0 or outlives ``timeout`` seconds (it and its children are then
    killed).
    """
    with (
        tempfile.TemporaryFile() as errors,
        open(stdout or os.devnull, "wb") as sink,
    ):
        child: subprocess.Popen[bytes] | None = None
        timer: threading.Timer | None = None
        expired = threading.Event()

        def end() -> None:
            expired.set()
            assert child is not None
            os.killpg(child.pid, signal.SIGKILL)

        start = time.perf_counter()
        try:
            # A ctrl-C waits until it is known whom to kill.
            with held():
                # A session of its own, so that its children end with it.
                child = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=errors,
                    start_new_session=True,
                )
            if timeout is not None:
                timer = threading.Timer(timeout, end)
                timer.start()
            _, status, usage = os.wait4(child.pid, 0)
        except OSError as error:
            raise Failed(f"cannot start: {error.strerror}") from error
        except BaseException:
            if child is not None:
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
