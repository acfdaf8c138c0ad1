"""`llmzip` and `python -m llmzip`."""

from __future__ import annotations

import gc
import signal
import sys

from llmzip import interrupt, stdio


def main() -> int:
    """Run the command line on `sys.argv`; returns the exit code."""
    stdio.prepare()
    interrupt.install()
    try:
        from llmzip import cli, progress

        progress.install()
        return cli.run(sys.argv[1:])
    except interrupt.Stopped as stopped:
        stdio.complain("llmzip: interrupted\n")
        return 128 + stopped.signum
    finally:
        # The interpreter's own end is no place for a ctrl-C, nor for an error about output.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stdio.abandon_stdout()
        # All memory goes back at once: looking for garbage in it now would only take time.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
