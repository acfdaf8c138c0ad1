"""What a long job tells the person who waits: a bar on the terminal, and one line on SIGUSR1."""

from __future__ import annotations

import os
import signal
import time

from llmzip.stdio import complain
from llmzip.text import duration, quantity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from llmzip.archive import Progress

REDRAW_SECONDS = 0.1
# The rate shown follows the last few seconds, so that the time left reacts to harder content.
RATE_SECONDS = 5.0
BAR_WIDTH = 20

_current: Meter | None = None


class Meter:
    """Follows one job. An instance is what `progress=` of the archive functions wants.

    show: draw a bar on standard error. phases: how many times the content is gone through (twice
    where compression verifies). total: bytes of content, for jobs that do not know it themselves.
    """

    def __init__(self, name: str, show: bool, *, phases: int = 1, total: int | None = None) -> None:
        global _current
        self._name = name
        self._show = show
        self._phases = phases
        self._total = total
        self._started = time.monotonic()
        self._drawn_at = 0.0
        self._drawn = False
        self._marks: list[tuple[float, float]] = [(self._started, 0.0)]
        self._last: dict[str, Progress] = {}
        _current = self

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    def __call__(self, progress: Progress) -> None:
        """Note how far the job is, and redraw when it is time."""
        now = time.monotonic()
        self._last[progress.phase] = progress
        if progress.total is not None:
            self._total = progress.total
        if now - self._marks[-1][0] >= REDRAW_SECONDS:
            self._marks.append((now, self._passed()))
            while len(self._marks) > 2 and now - self._marks[1][0] > RATE_SECONDS:
                del self._marks[0]
        if self._show and now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = now
            self._draw()

    def close(self) -> None:
        """Take the bar off the terminal."""
        global _current
        if self._drawn:
            complain("\r\x1b[K")
            self._drawn = False
        if _current is self:
            _current = None

    def status(self) -> str:
        """One line: name, how far, how fast, how small, how long to go."""
        return f"{self._name}: {', '.join(self._fields())}"

    def interject(self, line: str) -> None:
        """Write a line above the bar."""
        complain(("\r\x1b[K" if self._drawn else "") + line + "\n")
        if self._drawn:
            self._draw()

    def rate(self) -> float | None:
        """Bytes of content a second, all phases counted; None until there is something to tell."""
        since, passed = self._marks[0]
        seconds = time.monotonic() - since
        gained = self._passed() - passed
        return gained / seconds if seconds > 0 and gained > 0 else None

    def _passed(self) -> float:
        """Bytes of content done, where a byte that one of two phases has done counts half."""
        return sum(phase.done for phase in self._last.values()) / self._phases

    def _fields(self) -> list[str]:
        first = next(iter(self._last.values()), None)
        if first is None:
            return ["starting"]
        total = self._total
        of = "" if total is None else f" of {quantity(total)}"
        fields = [quantity(first.done) + of]
        if "verify" in self._last:
            fields.append(f"{quantity(self._last['verify'].done)} verified")
        rate = self.rate()
        if rate is not None:
            fields.append(f"{quantity(round(rate))}/s")
        if first.done and first.coded:
            fields.append(f"{8 * first.coded / first.done:.3f} bits/byte")
        if rate is not None and total is not None:
            fields.append(f"{duration((total - self._passed()) / rate)} left")
        return fields

    def _draw(self) -> None:
        width = max(_columns() - 1, 1)
        fields = ", ".join(self._fields())
        line = fields
        if self._total:
            share = min(1.0, self._passed() / self._total)
            full = int(share * BAR_WIDTH)
            bar = f"{share:4.0%} [{'#' * full}{'.' * (BAR_WIDTH - full)}] {fields}"
            line = bar if len(bar) <= width else f"{share:4.0%} {fields}"
        room = width - len(line) - 2
        if room >= len(self._name):
            line = f"{self._name}  {line}"
        elif room >= 12:
            line = f"...{self._name[-(room - 3) :]}  {line}"
        complain(f"\r{line[:width]}\x1b[K")
        self._drawn = True


class Line:
    """One line on the terminal that says what happens, for work that is no stream of bytes."""

    def __init__(self, show: bool) -> None:
        self._show = show
        self._drawn = False

    def show(self, text: str) -> None:
        """Write `text` in place of what stands there, as far as it fits."""
        if self._show:
            complain(f"\r{text[: max(_columns() - 1, 1)]}\x1b[K")
            self._drawn = True

    def clear(self) -> None:
        """Take it off the terminal."""
        if self._drawn:
            complain("\r\x1b[K")
            self._drawn = False


def install() -> None:
    """Answer SIGUSR1 (and SIGINFO, where there is one) with a status line on standard error."""
    for name in ("SIGUSR1", "SIGINFO"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, _on_status)


def _on_status(_signum: int, _frame: FrameType | None) -> None:
    if _current is not None:
        _current.interject(f"llmzip: {_current.status()}")


def _columns() -> int:
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80
