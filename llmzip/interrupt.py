"""Signals that end the program: each becomes one exception in the main thread.

SIGINT, SIGTERM and SIGHUP raise `Stopped`, so that `with` blocks and `finally` clauses remove
temporary files. `held()` puts that off where a half-done step would leave litter.
"""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")

_holds = 0
_pending: int | None = None
_stopping = False


class Stopped(KeyboardInterrupt):
    """The user or the system asked the program to end; `signum` says how."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def install() -> None:
    """Take over the ending signals, except those that the caller had ignored, as `nohup` does."""
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)


class held:
    """Put off ending signals until the block is left; they are raised then, once."""

    def __enter__(self) -> None:
        global _holds
        _holds += 1

    def __exit__(self, *_: object) -> None:
        global _holds, _pending
        _holds -= 1
        if _holds == 0 and _pending is not None:
            signum, _pending = _pending, None
            _stop(signum)


def _on_signal(signum: int, _frame: FrameType | None) -> None:
    global _pending
    if _stopping:
        return
    if _holds:
        _pending = signum
    else:
        _stop(signum)


def _stop(signum: int) -> None:
    # A second ctrl-C must not break into the clean-up that the first one started.
    global _stopping
    _stopping = True
    raise Stopped(signum)
