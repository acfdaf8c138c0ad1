"""The file that an archive's tensors are changes of: found, checked, read."""

from __future__ import annotations

import os
from _thread import allocate_lock

from llmzip.container import BASE, MAGIC, Header, ModelRef
from llmzip.errors import CorruptError, LlmzError, ModelError, UsageError
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from llmzip.seeking import RandomAccess
    from llmzip.tensors.region import Region

_READ = 1 << 20
# Archives that need one another, in a row: hostile ones may go on without end.
_MOST_WITHIN = 16


class Base:
    """An open base: a file of tensors, or an archive of one. To be closed.

    ref: what an archive's metadata says of it: sha256 and length of its content, its name.
    bases: where an archive's own base is looked for; beside it by default.
    """

    def __init__(self, path: str, bases: Bases | None = None) -> None:
        from hashlib import sha256

        self._opened = open(path, "rb")
        self._file: BinaryIO = self._opened
        self._archive: RandomAccess | None = None
        try:
            if self._file.read(len(MAGIC)) == MAGIC:
                self._file = self._unpacked(path, bases or Bases())
            self._file.seek(0)
            found, length = sha256(), 0
            while data := self._file.read(_READ):
                found.update(data)
                length += len(data)
        except BaseException:
            self.close()
            raise
        name = os.path.basename(path).removesuffix(".llmz")
        if any("\ud800" <= c <= "\udfff" for c in name):
            # Bytes that are no UTF-8 cannot stand in an archive: --base alone finds such a file.
            name = ""
        self.ref = ModelRef(BASE, found.digest(), length, name)
        self._lock = allocate_lock()

    def _unpacked(self, path: str, bases: Bases) -> BinaryIO:
        from llmzip.limits import Limits
        from llmzip.seeking import RandomAccess
        from llmzip.tensors.view import ContentReader

        bases = bases.inside(path).replace(beside=os.path.dirname(path) or ".")
        self._archive = RandomAccess(self._opened, 0, Limits(), bases)
        return ContentReader(self._archive)  # type: ignore[return-value]

    def tensors(self) -> Mapping[str, Region]:
        """Every tensor that has a name, by its name."""
        from llmzip.tensors.layout import plan

        with self._lock:
            regions = plan(self._file, self.ref.length)
        return {region.label: region for region in regions or () if region.label}

    def read(self, offset: int, length: int) -> bytes:
        """Content of the base; less where it ends, whatever is asked for."""
        length = min(length, self.ref.length - offset)
        if length <= 0:
            return b""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)

    def close(self) -> None:
        """Close the file, and its own base if it is an archive that has one."""
        if self._archive is not None:
            self._archive.close()
        self._opened.close()


class Bases(Record):
    """Where bases are looked for: beside an archive in folder `beside`, then at `given`.

    given: a file, or a folder that has a file of the base's name.
    within: archives that need what is looked for, which none of them can be.
    model: a language model, looked for before those of the store: its name, sha256 or path.
    """

    beside: str | None = None
    given: str | None = None
    within: tuple[str, ...] = ()
    model: str | None = None

    def inside(self, path: str) -> Bases:
        """Where to look for what the archive at `path` needs, which is needed here itself.

        Raises `ModelError` where too many archives need one another.
        """
        if len(self.within) == _MOST_WITHIN:
            raise ModelError(f"more than {_MOST_WITHIN} archives need one another: that cannot be")
        return self.replace(within=(*self.within, os.path.realpath(path)))

    def leads_here(self, path: str) -> bool:
        """Whether the archive at `path` is one of those that need what is looked for."""
        return os.path.realpath(path) in self.within

    def resolve(self, header: Header) -> Base:
        """The base that an archive names. Raises `ModelError` where it is not found.

        Raises `UsageError` where `given` is not there.
        """
        wanted = next((ref for ref in header.metadata.models if ref.kind == BASE), None)
        if wanted is None:
            raise ModelError("the archive names no file that it could hold changes of")
        return self._find(wanted)

    def unnamed(self) -> Base:
        """What is given, for an archive whose header is lost: only decoding tells if it fits."""
        if self.given is None or os.path.isdir(self.given):
            raise ModelError(
                "with the archive's header it is lost what file it holds changes of: "
                "name that file with --base"
            )
        return base_for(self.given, "")

    def _find(self, wanted: ModelRef) -> Base:
        name = os.path.basename(wanted.name)
        others = []
        for folder, file in ((self.beside, None), (self.given, self.given)):
            if folder is None:
                continue
            paths = [os.path.join(folder, name), os.path.join(folder, name + ".llmz")]
            if file is not None and not os.path.isdir(file):
                if not os.path.exists(file):
                    raise UsageError(f"--base {file}: there is no such file")
                paths = [file]
            for path in paths if name or file is not None else ():
                if not os.path.isfile(path) or self.leads_here(path):
                    continue
                try:
                    if _is_change_of(path, wanted):
                        continue
                    base = Base(path, self.replace(given=None))
                except LlmzError as error:
                    others.append(f"{path} cannot be read: {error}")
                    continue
                if (base.ref.sha256, base.ref.length) == (wanted.sha256, wanted.length):
                    return base
                base.close()
                others.append(f"{path} is another")
        other = f"; {others[-1]}" if others else ""
        raise ModelError(
            f"the archive holds changes of {name or 'a file'!r} ({wanted.length:,} bytes, sha256 "
            f"{wanted.sha256.hex()}){other}: put it beside the archive or name it with --base"
        )


def _is_change_of(path: str, wanted: ModelRef) -> bool:
    """Whether `path` is an archive that needs `wanted` itself, as the one in question does."""
    from llmzip.directory import read_directory, read_header

    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
        try:
            headers = [found.header for found in read_directory(file)]
        except CorruptError:
            # As the archive in question may be, and beside itself.
            headers = [read_header(file, 0)]
        models = [ref for header in headers for ref in header.metadata.models]
    return any((ref.kind, ref.sha256) == (BASE, wanted.sha256) for ref in models)


def base_for(given: str, name: str) -> Base:
    """The base at `given` for an input `name`: the file, or the one of that name in a folder."""
    path = os.path.join(given, os.path.basename(name)) if os.path.isdir(given) else given
    if not os.path.isfile(path):
        raise UsageError(f"--base {path}: there is no such file")
    return Base(path)
