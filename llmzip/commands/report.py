"""What the commands say: lines on standard error for people, JSON on standard output."""

from __future__ import annotations

import errno
import os
import sys

from llmzip.commands.job import VERBS, Job
from llmzip.errors import CorruptError, LimitError, LlmzError
from llmzip.stdio import abandon_stdout, complain
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What an operating system's error means here: kind for scripts, and what to do about it.
_SYSTEM = {
    errno.ENOENT: ("missing", "no such file or folder"),
    errno.EACCES: ("permission", "permission denied"),
    errno.EPERM: ("permission", "not permitted"),
    errno.EROFS: ("permission", "the file system is read-only; -o writes elsewhere"),
    errno.ENOSPC: (
        "no-space",
        "no space left on the device; free some, or write elsewhere with -o",
    ),
    errno.EDQUOT: ("no-space", "the disk quota is used up; free some, or write elsewhere with -o"),
    errno.EFBIG: ("no-space", "larger than the file system or the limit on file sizes allows"),
    errno.EPIPE: ("closed-pipe", "closed by its reader before everything was written"),
    errno.EISDIR: ("not-a-file", "is a folder"),
    errno.EIO: ("io", "input/output error; the device may be failing"),
}


class Report:
    """Says what happens to each file, and keeps the worst exit code."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.exit_code = 0
        self._stdout_lost = False
        self.terminal = _is_terminal()

    @property
    def shows_progress(self) -> bool:
        """Whether a bar may be drawn."""
        job = self._job
        return self.terminal and job.progress and not job.quiet and not job.as_json

    def error(self, name: str | None, error: BaseException, **facts: Any) -> None:
        """One line for one failure; the worst exit code stays. `facts` go to the JSON report."""
        kind, message, code, about = _describe(error)
        self.exit_code = max(self.exit_code, code)
        label = about or name
        if kind == "missing" and label in VERBS:
            message += f"; a verb comes first, as in llmzip {label} FILE"
        if self._job.quiet < 2:
            where = f"{printable(label)}: " if label else ""
            complain(f"llmzip: {where}{printable(message)}\n")
        if kind == "internal" and self._job.verbose > 1:
            import traceback

            traceback.print_exception(error)
        if self._job.as_json:
            details: dict[str, Any] = {"kind": kind, "message": message, "exit_code": code}
            if isinstance(error, CorruptError):
                details |= {"offset": error.offset, "segment": error.segment}
            if isinstance(error, LimitError):
                details |= {"limit": error.limit, "asked": error.asked, "allowed": error.allowed}
            self._object(name, ok=False, error=details, **facts)

    def done(self, name: str, line: str, **facts: Any) -> None:
        """One file is done: `line` for -v and for the terminal of a single job, `facts` for JSON.

        A filter's terminal stays clean, since it may show the content.
        """
        job = self._job
        single = len(job.files) == 1 and not job.to_stdout(job.files[0])
        if job.as_json:
            self._object(name, ok=True, **facts)
        elif job.verbose or (self.shows_progress and single):
            self.say(name, line)

    def note(self, name: str, line: str) -> None:
        """Something worth a line with -v."""
        if self._job.verbose:
            self.say(name, line)

    def say(self, name: str, line: str) -> None:
        """A line on standard error that is no failure."""
        if not self._job.quiet:
            complain(f"llmzip: {printable(name)}: {printable(line)}\n")

    def warn(self, name: str, line: str) -> None:
        """A line on standard error about what may cost content later; -q does not hide it."""
        if self._job.quiet < 2:
            complain(f"llmzip: {printable(name)}: {printable(line)}\n")

    def print(self, text: str) -> None:
        """Lines that are the command's result, on standard output.

        An error there is reported once; what follows vanishes.
        """
        if self._stdout_lost:
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except OSError as error:
            self._stdout_lost = True
            abandon_stdout()
            self.error("standard output", error)

    def _object(self, name: str | None, **facts: Any) -> None:
        head: dict[str, Any] = {"command": self._job.mode or None}
        if name is not None:
            head["file"] = name
        import json

        self.print(json.dumps(head | facts))


def _describe(error: BaseException) -> tuple[str, str, int, str | None]:
    """Kind, message and exit code of a failure, and the file it is about if that is known."""
    if isinstance(error, LlmzError):
        return error.kind, str(error), error.exit_code, None
    if isinstance(error, OSError):
        kind, text = _SYSTEM.get(error.errno or 0, ("io", (error.strerror or str(error)).lower()))
        about = None if error.filename is None else os.fsdecode(error.filename)
        return kind, text, 1, about
    if isinstance(error, MemoryError):
        return "memory", "out of memory; use fewer threads (-T 1) or a lower level", 1, None
    text = f"internal error, please report it with what -vv shows: {type(error).__name__}: {error}"
    return "internal", text, 1, None


def _is_terminal() -> bool:
    try:
        return os.isatty(2) and os.environ.get("TERM") != "dumb"
    except OSError:
        return False
