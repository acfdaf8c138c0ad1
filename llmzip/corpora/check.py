"""Checksums of files, against those that were published."""

from __future__ import annotations

import hashlib

from llmzip.errors import DownloadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.corpora.manifest import Archive, CorpusFile

_KINDS = ("sha256", "sha1", "md5")
BLOCK = 1 << 20


class Checked:
    """Takes the bytes of a file, and tells whether they are those of `wanted`.

    The sha256 is always made, the others where they are published.
    """

    def __init__(self, wanted: Archive | CorpusFile) -> None:
        self._wanted = wanted
        kinds = [kind for kind in _KINDS if kind == "sha256" or getattr(wanted, kind)]
        # No defence against anyone: which sum it is was the publisher's choice.
        self._hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
        self.bytes = 0

    def update(self, data: bytes) -> None:
        """Takes what comes next."""
        self.bytes += len(data)
        for sum in self._hashes.values():
            sum.update(data)

    @property
    def sha256(self) -> str:
        return self._hashes["sha256"].hexdigest()

    @property
    def by(self) -> str:
        """The strongest sum that was published; "" if none was."""
        return next((kind for kind in _KINDS if getattr(self._wanted, kind)), "")

    def trouble(self) -> str:
        """What is wrong, or ""."""
        wanted = self._wanted
        if self.bytes > wanted.bytes:
            return f"has more than {wanted.bytes:,} bytes"
        if self.bytes != wanted.bytes:
            return f"has {self.bytes:,} bytes, not {wanted.bytes:,}"
        for kind, sum in self._hashes.items():
            published = getattr(wanted, kind)
            if published and sum.hexdigest() != published:
                return f"has {kind} {sum.hexdigest()}, not {published}"
        return ""

    def require(self, name: str) -> None:
        """`DownloadError` if the file, which messages call `name`, is another."""
        trouble = self.trouble()
        if trouble:
            raise DownloadError(f"{name} {trouble}: it was not taken")


def check_file(path: str, wanted: Archive | CorpusFile) -> Checked:
    """Reads the file at `path`, but no more of it than one byte beyond what is wanted."""
    checked = Checked(wanted)
    with open(path, "rb") as file:
        while checked.bytes <= wanted.bytes:
            data = file.read(min(BLOCK, wanted.bytes + 1 - checked.bytes))
            if not data:
                break
            checked.update(data)
    return checked
