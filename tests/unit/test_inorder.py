"""Work on several items at a time."""

from __future__ import annotations

import threading
import time

import pytest

from llmzip.inorder import InOrder
from llmzip.workers import Meter


def test_a_long_item_does_not_keep_other_threads_from_work():
    reached = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert reached.wait(60)
        elif item == 6:
            reached.set()
        return item

    pool = InOrder(work, 2, Meter(None, None), ahead=100)
    try:
        done = [result for item in range(9) for result in pool.put(item, 10)]
        done += pool.finish()
    finally:
        pool.abort()
    assert done == list(range(9))


@pytest.mark.parametrize(("ahead", "most"), [(0, 3), (30, 3), (50, 5), (1000, 9)])
def test_items_under_way_are_few_or_short(ahead: int, most: int):
    """`most` of nine items of ten bytes come in before the first is done."""
    release = threading.Event()
    begun: list[int] = []
    pool = InOrder(lambda item: release.wait(60) and item, 2, Meter(None, None), ahead)

    def feed() -> None:
        for item in range(9):
            begun.append(item)
            list(pool.put(item, 10))

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        end = time.monotonic() + 60
        while len(begun) < most and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.2)
        assert len(begun) == most
    finally:
        release.set()
        thread.join()
        assert len(begun) == 9
        pool.abort()
