"""`llmzip` and `python -m llmzip`."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import cast

from llmzip import interrupt


def main() -> int:
    """Run the command line on `sys.argv`; returns the exit code."""
    interrupt.ensure_standard_files()
    interrupt.install()
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)
    try:
        # Names that the locale cannot write are shown escaped, as on standard error.
        cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="backslashreplace")
        from llmzip import cli, progress

        progress.install()
        code = cli.run(sys.argv[1:])
        sys.stdout.flush()
        return code
    except interrupt.Stopped as stopped:
        _say("interrupted")
        return 128 + stopped.signum
    except OSError as error:
        # Help, version or a report that cannot be printed.
        _say(f"standard output: {error.strerror}")
        return 1
    finally:
        _leave_quietly()


def _say(text: str) -> None:
    if sys.stderr is not None:
        try:
            sys.stderr.write(f"llmzip: {text}\n")
            sys.stderr.flush()
        except OSError:
            pass


def _leave_quietly() -> None:
    """Keep the interpreter from complaining at exit about output that could not be written."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())
