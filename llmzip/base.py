"""The file that an archive's tensors are changes of: found, checked, read."""

from __future__ import annotations

import os
from threading import Lock

from llmzip.container import BASE, MAGIC, Header, ModelRef
from llmzip.errors import ModelError, UsageError
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from llmzip.tensors.region import Region

_READ = 1 << 20
# Archives that need archives that need archives: hostile ones may go round in a circle.
_MOST_DEPTH = 16


class Base:
    """An open base: a file of tensors, or an archive of one. To be closed.

    ref: what an archive's metadata says of it: sha256 and length of its content, its name.
    bases: where an archive's own base is looked for; beside it by default.
    """

    def __init__(self, path: str, bases: Bases | None = None) -> None:
        from hashlib import sha256

        self._file: BinaryIO = open(path, "rb")
        try:
            if self._file.read(len(MAGIC)) == MAGIC:
                from llmzip.file import open_content

                self._file.close()
                bases = bases or Bases()
                beside = os.path.dirname(path) or "."
                self._file = open_content(path, bases.replace(beside=beside))
            self._file.seek(0)
            found, length = sha256(), 0
            while data := self._file.read(_READ):
                found.update(data)
                length += len(data)
        except BaseException:
            self._file.close()
            raise
        name = os.path.basename(path).removesuffix(".llmz")
        self.ref = ModelRef(BASE, found.digest(), length, name)
        self._lock = Lock()

    def tensors(self) -> Mapping[str, Region]:
        """Every tensor that has a name, by its name."""
        from llmzip.tensors.layout import plan

        with self._lock:
            regions = plan(self._file, self.ref.length)
        return {region.label: region for region in regions or () if region.label}

    def read(self, offset: int, length: int) -> bytes:
        """Content of the base; less where it ends."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Bases(Record):
    """Where bases are looked for: beside an archive in folder `beside`, then at `given`.

    given: a file, or a folder that has a file of the base's name.
    depth: how many archives need each other to get here.
    """

    beside: str | None = None
    given: str | None = None
    depth: int = 0

    def deeper(self) -> Bases:
        """The same for what is found here; `ModelError` where too many archives need each other."""
        if self.depth == _MOST_DEPTH:
            raise ModelError(f"more than {_MOST_DEPTH} archives need each other: that cannot be")
        return self.replace(depth=self.depth + 1)

    def resolve(self, header: Header) -> Base | None:
        """The base that an archive needs, or None; `ModelError` where it is not found."""
        wanted = next((ref for ref in header.metadata.models if ref.kind == BASE), None)
        return None if wanted is None else self._find(wanted)

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
                if not os.path.isfile(path) or _is_change_of(path, wanted):
                    continue
                base = Base(path, self.deeper().replace(given=None))
                if (base.ref.sha256, base.ref.length) == (wanted.sha256, wanted.length):
                    return base
                base.close()
                others.append(path)
        other = f"; {others[-1]} is another" if others else ""
        raise ModelError(
            f"the archive holds changes of {name or 'a file'!r} ({wanted.length:,} bytes, sha256 "
            f"{wanted.sha256.hex()}){other}: put it beside the archive or name it with --base"
        )


def _is_change_of(path: str, wanted: ModelRef) -> bool:
    """Whether `path` is an archive that needs `wanted` itself, as the one in question does."""
    from llmzip.directory import read_directory

    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
        models = [ref for found in read_directory(file) for ref in found.header.metadata.models]
    return any((ref.kind, ref.sha256) == (BASE, wanted.sha256) for ref in models)


def base_for(given: str, name: str) -> Base:
    """The base at `given` for an input `name`: the file, or the one of that name in a folder."""
    path = os.path.join(given, os.path.basename(name)) if os.path.isdir(given) else given
    if not os.path.isfile(path):
        raise UsageError(f"--base {path}: there is no such file")
    return Base(path)
