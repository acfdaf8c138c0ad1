"""What threads that work for one caller share: their progress, and the machine."""

from __future__ import annotations

import os
import time
from _thread import allocate_lock, get_ident
from collections.abc import Callable

from llmzip.report import Progress, Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.report import Phase

TICK_SECONDS = 0.1


class Cancelled(Exception):
    """Raised inside workers to end them; never leaves this package."""


class Meter:
    """Adds up the work of all threads, and tells the caller's thread about it.

    Reports come from the thread that made the meter alone: from `add` if it works itself, from
    `report` while it waits for others.
    """

    def __init__(self, report: Report | None, total: int | None) -> None:
        self.total = total
        self._report = report
        self._owner = get_ident()
        self._lock = allocate_lock()
        self._sums: dict[Phase, tuple[int, int]] = {}
        self._told: dict[Phase, tuple[int, int]] = {}
        self._next = 0.0
        self._stopped = False

    def tick(self, phase: Phase) -> Callable[[int, int], None]:
        """A function that adds raw and coded bytes to `phase`."""

        def add(raw: int, coded: int) -> None:
            if self._stopped:
                raise Cancelled
            with self._lock:
                done, so_far = self._sums.get(phase, (0, 0))
                self._sums[phase] = (done + raw, so_far + coded)
            if get_ident() == self._owner:
                self.report()

        return add

    def stop(self) -> None:
        """Makes every `tick` raise `Cancelled` from now on."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def report(self, *, last: bool = False) -> None:
        """Reports every phase that moved, if the last report is a moment ago or `last` is set."""
        if self._report is None or not (last or time.monotonic() >= self._next):
            return
        self._next = time.monotonic() + TICK_SECONDS
        with self._lock:
            moved = {p: sums for p, sums in self._sums.items() if self._told.get(p) != sums}
        self._told.update(moved)
        for phase, (done, coded) in moved.items():
            self._report(Progress(phase, done, self.total, coded))


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def machine_memory() -> int:
    """Three quarters of the machine's memory, in bytes; 2 GiB where it cannot be told."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4
    except (AttributeError, ValueError, OSError):
        return 2 << 30
