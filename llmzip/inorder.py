"""Work on several segments at a time, whose results come back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from llmzip.workers import TICK_SECONDS, Meter

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class InOrder(Generic[_Item, _Result]):
    """Calls `work` on items in `threads` threads; results come back in the order of the items.

    At most `threads` + 1 items are under way or waiting to be taken, or more of them with `ahead`
    bytes together: beside a long one there is work for other threads. With one thread the work is
    done in the caller's. Whoever makes one has to `abort` it in the end.
    """

    def __init__(
        self, work: Callable[[_Item], _Result], threads: int, meter: Meter, ahead: int = 0
    ) -> None:
        self._work = work
        self._threads = threads
        self._meter = meter
        self._ahead = ahead
        self._pool: ThreadPoolExecutor | None = None
        # With the bytes of each item.
        self._pending: deque[tuple[Future[_Result], int]] = deque()
        self._bytes = 0

    def abort(self) -> None:
        """Ends all threads at once; what is under way is lost."""
        self._meter.stop()
        self.close()

    def close(self) -> None:
        """Ends threads that have nothing left to do."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def put(self, item: _Item, length: int = 0) -> Iterator[_Result]:
        """Takes in an item of `length` bytes, and gives back results that are due.

        It must be iterated to the end.
        """
        if self._threads == 1:
            yield self._work(item)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="llmzip")
        self._pending.append((self._pool.submit(self._work, item), length))
        self._bytes += length
        while self._pending and (self._full or self._pending[0][0].done()):
            yield self._next()

    def finish(self) -> Iterator[_Result]:
        """The results that are left."""
        while self._pending:
            yield self._next()

    @property
    def _full(self) -> bool:
        """Whether no further item may come in."""
        return len(self._pending) > self._threads and self._bytes >= self._ahead

    def _next(self) -> _Result:
        future, length = self._pending[0]
        # Waiting in short turns keeps progress and ctrl-C alive.
        while not future.done():
            wait([future], timeout=TICK_SECONDS)
            self._meter.report()
        self._pending.popleft()
        self._bytes -= length
        return future.result()
