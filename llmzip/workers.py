"""Progress, and work on several segments at a time whose results come back in order."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from llmzip.report import Phase, Progress, Report

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

TICK_SECONDS = 0.1

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


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
        self._owner = threading.get_ident()
        self._lock = threading.Lock()
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
            if threading.get_ident() == self._owner:
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


class InOrder(Generic[_Item, _Result]):
    """Calls `work` on items in `threads` threads; results come back in the order of the items.

    At most `threads` + 1 items are under way or waiting to be taken. With one thread the work is
    done in the caller's. Whoever makes one has to `abort` it in the end.
    """

    def __init__(self, work: Callable[[_Item], _Result], threads: int, meter: Meter) -> None:
        self._work = work
        self._threads = threads
        self._meter = meter
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[_Result]] = deque()

    def abort(self) -> None:
        """Ends all threads at once; what is under way is lost."""
        self._meter.stop()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def put(self, item: _Item) -> Iterator[_Result]:
        """Takes an item in, and gives back results that are due; it must be iterated to the end."""
        if self._threads == 1:
            yield self._work(item)
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="llmzip")
        self._pending.append(self._pool.submit(self._work, item))
        while self._pending and (len(self._pending) > self._threads or self._pending[0].done()):
            yield self._next()

    def finish(self) -> Iterator[_Result]:
        """The results that are left."""
        while self._pending:
            yield self._next()

    def _next(self) -> _Result:
        # Waiting in short turns keeps progress and ctrl-C alive.
        from concurrent.futures import wait

        while not self._pending[0].done():
            wait(list(self._pending)[:1], timeout=TICK_SECONDS)
            self._meter.report()
        return self._pending.popleft().result()


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
