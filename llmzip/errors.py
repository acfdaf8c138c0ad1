"""Every error that llmzip raises on purpose: one class for each remedy.

`str(error)` is one line that says what is wrong, where, and what to do. `kind` is a stable slug for
scripts, `exit_code` what the command line returns. All of them survive pickling.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class LlmzError(Exception):
    """Base of all llmzip errors."""

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1


class CorruptError(LlmzError):
    """The archive, or a model, is damaged.

    `offset` is the byte of the file where the damaged part begins, `segment` the number of the
    segment it lies in; either is None where it is not known.
    """

    kind = "corrupt"

    def __init__(self, what: str, *, offset: int | None = None, segment: int | None = None) -> None:
        super().__init__(what)
        self.offset = offset
        self.segment = segment

    def __str__(self) -> str:
        return f"{self.args[0]}{self._where()}"

    def _where(self) -> str:
        where = "" if self.offset is None else f", at byte {self.offset:,}"
        if self.segment is not None:
            where += f", in segment {self.segment}"
        return where


class TruncatedError(CorruptError):
    """The archive ends too early."""

    kind = "truncated"


class NotAnArchiveError(LlmzError):
    """The input is something else than a `.llmz` archive."""

    kind = "not-an-archive"


class PredictionMismatch(LlmzError):
    """The archive is intact, but this machine or model predicts differently from the writer's."""

    kind = "prediction-mismatch"

    def __init__(self, segment: int) -> None:
        super().__init__(segment)
        self.segment = segment

    def __str__(self) -> str:
        return (
            f"segment {self.args[0]} is intact, but the predictions here differ from the writer's: "
            "decode it with the version of llmzip that wrote it, or on another machine"
        )


class VerifyError(LlmzError):
    """What was written does not decode to the input; nothing of it may be kept."""

    kind = "verify"


class UnsupportedError(LlmzError):
    """This needs a newer llmzip, or a predictor, feature or kind of model that there is not."""

    kind = "unsupported"
    exit_code = 3


class ModelError(LlmzError):
    """A model that an archive or a command needs is not here."""

    kind = "model"
    exit_code = 3


class CorpusError(LlmzError):
    """A corpus that a command needs is not here; the message says how to get it."""

    kind = "corpus"
    exit_code = 3


class DownloadError(LlmzError):
    """A file could not be got, or is not what it should be; nothing wrong was kept."""

    kind = "download"


class LimitError(LlmzError):
    """The work would go over a limit.

    `limit` names it, `asked` and `allowed` are in its unit (bytes), `remedy` says how to raise it.
    """

    kind = "limit"
    exit_code = 3

    def __init__(self, limit: str, asked: int, allowed: int, remedy: str) -> None:
        super().__init__(limit, asked, allowed, remedy)
        self.limit = limit
        self.asked = asked
        self.allowed = allowed
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.limit}: {self.asked:,} bytes needed, {self.allowed:,} allowed; {self.remedy}"


class NoSuchTensorError(LlmzError):
    """A file has no tensor of that name; the message has names that come close."""

    kind = "no-such-tensor"


class MissingPackageError(LlmzError, ImportError):
    """A Python package that the call needs is not installed; the message names it."""

    kind = "missing-package"
    exit_code = 3


class SetupError(LlmzError):
    """This machine, as it is set up, cannot do the work; the message says what to change."""

    kind = "setup"
    exit_code = 3


class UsageError(LlmzError):
    """The caller asked for something that cannot be done."""

    kind = "usage"
    exit_code = 2
