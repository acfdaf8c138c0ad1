"""The program's three standard files when they are missing, full, or closed at the other end."""

from __future__ import annotations

import io
import os
import sys


def prepare() -> None:
    """Fill missing descriptors 0 to 2, so that no file opened later is taken for standard output.

    Each is opened the wrong way round: using it fails as using a closed one does. Names that the
    locale cannot write will be shown escaped.
    """
    for descriptor, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def complain(text: str) -> None:
    """Write to standard error; where that is gone too, the exit code has to do."""
    if sys.stderr is not None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, RuntimeError):
            # RuntimeError: a signal's status line came in the middle of another write.
            pass


def abandon_stdout() -> None:
    """Let what is still to be written to standard output vanish, without another error."""
    try:
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, 1)
        os.close(null)
    except OSError:
        pass
    try:
        sys.stdout.flush()
    except OSError:
        pass
