"""What can be wrong with an archive, by the names of llmzip's errors, so that tests can compare."""


class ArchiveError(Exception):
    """Base of the others."""


class NotAnArchiveError(ArchiveError):
    """The bytes do not start as an archive does."""


class CorruptError(ArchiveError):
    """A check fails, or something stands where it must not."""


class TruncatedError(CorruptError):
    """The bytes end before the archive does."""


class UnsupportedError(ArchiveError):
    """The archive uses something that FORMAT.md reserves or does not list."""


class PredictionMismatch(ArchiveError):
    """The canary differs: this reader predicts differently from the writer."""


class ModelError(ArchiveError):
    """Something that the archive needs besides itself is not here."""
