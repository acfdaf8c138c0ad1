"""The parts of the progress bar that need no terminal, and the words for numbers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llmzip import progress, text
from llmzip.archive import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Time that stands still until a test moves it."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    yield now


def test_rate_and_time_left(clock: list[float]) -> None:
    meter = progress.Meter("name", False)
    assert meter.status() == "name: starting"
    for second in range(1, 11):
        clock[0] = 1000.0 + second
        meter(Progress("compress", second * 1000, 60_000, second * 250))
    assert meter.rate() == pytest.approx(1000)
    assert meter.status() == "name: 10 kB of 60 kB, 1 kB/s, 2.000 bits/byte, 0:50 left"


def test_rate_follows_the_last_seconds(clock: list[float]) -> None:
    meter = progress.Meter("name", False)
    done = 0
    for second in range(1, 41):
        clock[0] = 1000.0 + second
        done += 10_000 if second <= 20 else 100
        meter(Progress("decompress", done, None, 0))
    assert meter.rate() == pytest.approx(100)
    assert "left" not in meter.status()


def test_verification_counts_as_half_of_the_work(clock: list[float]) -> None:
    meter = progress.Meter("name", False, phases=2)
    clock[0] = 1001.0
    meter(Progress("compress", 1000, 1000, 500))
    clock[0] = 1002.0
    meter(Progress("verify", 0, 1000, 0))
    assert "0:02 left" in meter.status()
    clock[0] = 1004.0
    meter(Progress("verify", 1000, 1000, 500))
    assert meter.status() == (
        "name: 1 kB of 1 kB, 1 kB verified, 250 B/s, 4.000 bits/byte, 0:00 left"
    )


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (12_345, "12.3 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (4_560_000_000, "4.56 GB"),
        (7 * 10**12, "7 TB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_quantity(count: int, words: str) -> None:
    assert text.quantity(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0:00"), (7.4, "0:07"), (754, "12:34"), (18_012, "5:00:12"), (273_600, "3 d 4 h")],
)
def test_duration(seconds: float, words: str) -> None:
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1 KiB"), (1 << 20, "1 MiB"), (3 << 29, "1536 MiB"), (20 << 30, "20 GiB")],
)
def test_memory(count: int, words: str) -> None:
    assert text.memory(count) == words


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain äöü 漢字", "plain äöü 漢字"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"),
        ("\udcff", "\\xff"),
        ("\u202e\u2066", "\\u202e\\u2066"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_printable(given: str, shown: str) -> None:
    assert text.printable(given) == shown
