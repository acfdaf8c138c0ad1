"""What an archive's segments take from elsewhere: base files, other archives, earlier segments."""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Callable, Iterator

from llmzip.base import Bases
from llmzip.container import ARCHIVE, KEPT, MODEL, Header, ModelRef, SegmentHeader
from llmzip.directory import Archive, read_directory
from llmzip.errors import CorruptError, LlmzError, ModelError
from llmzip.fileio import SUFFIX
from llmzip.record import Record
from llmzip.segments import SegmentDecoder, check_memory, decoding_memory
from llmzip.streams import From
from llmzip.walk import Chunk, SegmentStart, pull, walk_alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO, TypeAlias, TypeVar

    from llmzip.base import Base
    from llmzip.limits import Limits
    from llmzip.models.loaded import AnyLoaded
    from llmzip.seeking import RandomAccess
    from llmzip.streams import Readable

    Own: TypeAlias = Callable[[SegmentHeader], Readable]
    _Found = TypeVar("_Found")


class Joined:
    """Reads pieces of bytes one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, length: int, /) -> bytes:
        """Up to `length` bytes; none at the end alone."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        found, self._rest = self._rest[:length], self._rest[length:]
        return bytes(found)


class Origin:
    """An archive that segments of others are copies of, or the file that it was made from.

    path: of the file. archive: which archive in it; None where it is the content itself. content:
    that archive's as another one has found it, so that it is not looked for again.
    """

    def __init__(
        self,
        path: str,
        archive: Archive | None,
        limits: Limits,
        bases: Bases,
        content: RandomAccess | None = None,
    ) -> None:
        self._file: BinaryIO = open(path, "rb")
        self._owned = content is None
        if content is None and archive is not None:
            from llmzip.seeking import RandomAccess

            archives = [archive]
            content = RandomAccess(self._file, 0, limits, bases, archives=archives, originals=True)
        self._content = content

    def open(self, offset: int) -> Readable:
        """Reads its content from byte `offset` on; several threads may have one each."""
        from llmzip.tensors.view import ContentReader, Descriptor

        size = os.fstat(self._file.fileno()).st_size
        file: Any = Descriptor(self._file.fileno(), 0, size)
        found: Any = file if self._content is None else ContentReader(self._content.over(file))
        found.seek(offset)
        return found  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the file."""
        if self._content is not None and self._owned:
            self._content.close()
        self._file.close()


def _archives(path: str) -> list[Archive]:
    """The archives in a file; none where it holds none, or is broken."""
    try:
        with open(path, "rb") as file:
            return read_directory(file)
    except (LlmzError, OSError):
        return []


class Needs:
    """What an archive needs besides itself; found when it is asked for. To be closed.

    For threads. What was not found is not looked for again. header: None where it is lost.
    bases: where it is looked for. threads: how many evaluate a model; 0 means one for each core.
    bring: reads the pack of the model that the archive brings, and checks it.
    """

    def __init__(
        self,
        header: Header | None,
        limits: Limits,
        bases: Bases | None,
        threads: int = 0,
        bring: Callable[[], bytes] | None = None,
    ) -> None:
        self._header = header
        self._limits = limits
        self._bases = bases or Bases()
        models = header.metadata.models if header else ()
        self._origins = [ref for ref in models if ref.kind == ARCHIVE]
        self._lock = allocate_lock()
        self._base: Base | None = None
        self._threads = threads
        self._model: AnyLoaded | None = None
        self._wanted = next((ref for ref in models if ref.kind == MODEL), None)
        self._brought = header.metadata.brings if header else None
        self._bring = bring
        self._found: dict[int, Origin] = {}
        self._missing: dict[int, LlmzError] = {}

    def find_all(self) -> None:
        """Raises `ModelError` where a model, or an archive that segments are copies of, is missing.

        A base is looked for when a change needs it.
        """
        if self._wanted is not None:
            from llmzip.models.loaded import find

            find(self._wanted, self._bases.model)
        for number in range(len(self._origins)):
            self.origin(number + 1)

    def base(self) -> Base:
        """The file that tensors are changes of; raises as `Bases` does where it is missing."""
        with self._lock:
            if self._base is None:
                self._base = self._once(0, self._find_base)
            return self._base

    def model(self) -> AnyLoaded:
        """The language model; raises `ModelError` where it is missing."""
        with self._lock:
            if self._model is None:
                self._model = self._once(-1, self._find_model)
            return self._model

    def _find_model(self) -> AnyLoaded:
        from llmzip.models import loaded

        if self._brought is not None and self._bring is not None:
            return loaded.brought(self._brought, self._bring, self._threads)
        if self._wanted is not None:
            return loaded.load(loaded.find(self._wanted, self._bases.model), self._threads)
        if self._header is not None:
            raise CorruptError("a segment needs a model, and the header names none")
        if self._bases.model is None:
            raise ModelError(
                "with the archive's header it is lost which model it needs: name that with -m"
            )
        return loaded.named(self._bases.model, self._threads)

    def origin(self, number: int) -> Origin:
        """What has the content of the archive's `number`-th record of kind `ARCHIVE`, from 1."""
        with self._lock:
            if number not in self._found:
                if self._header is None:
                    raise CorruptError("of which archive it is a copy is lost with the header")
                if number > len(self._origins):
                    raise CorruptError("a copy of what the header does not name")
                wanted = self._origins[number - 1]
                self._found[number] = self._once(number, lambda: self._find_origin(wanted))
            return self._found[number]

    def close(self) -> None:
        """Closes the files that were opened."""
        if self._base is not None:
            self._base.close()
            self._base = None
        self._model = None
        for origin in self._found.values():
            origin.close()
        self._found.clear()

    def _once(self, number: int, find: Callable[[], _Found]) -> _Found:
        """What `find` returns; where it raised once, that error again."""
        if number in self._missing:
            raise self._missing[number].with_traceback(None)
        try:
            return find()
        except LlmzError as error:
            self._missing[number] = error
            raise

    def _find_base(self) -> Base:
        return self._bases.unnamed() if self._header is None else self._bases.resolve(self._header)

    def _find_origin(self, wanted: ModelRef) -> Origin:
        name = os.path.basename(wanted.name)
        bases = self._bases
        folders = [bases.beside]
        if bases.given is not None and os.path.isdir(bases.given):
            folders.append(bases.given)
        for folder in filter(None, folders):
            last = None
            for path in _candidates(folder, name):
                if bases.leads_here(path):
                    continue
                for archive in _archives(path):
                    if not _holds(archive, wanted):
                        continue
                    others = [r.sha256 for r in archive.header.metadata.models if r.kind == ARCHIVE]
                    if not others:
                        return Origin(path, archive, self._limits, bases.inside(path))
                    # What it has from others is no help, least of all if that is what is wanted:
                    # files with equal content have archives with equal hashes.
                    if wanted.sha256 not in others:
                        last = last or (path, archive)
            plain = os.path.join(folder, name)
            # Every chunk that is copied has a check of its own, so that the length will do here.
            if name and os.path.isfile(plain) and os.path.getsize(plain) == wanted.length:
                return Origin(plain, None, self._limits, bases)
            if last:
                return Origin(*last, self._limits, bases.inside(last[0]))
        raise ModelError(
            f"tensors are stored in {name + SUFFIX!r} (content hash {wanted.sha256.hex()}): put "
            f"that archive, or {name!r} as it was decompressed, into the same folder, or name its "
            "folder with --base"
        )


def _holds(archive: Archive, wanted: ModelRef) -> bool:
    """Whether the content of `archive` is `wanted`."""
    return (archive.footer.content_hash, archive.raw_len) == (wanted.sha256, wanted.length)


def _candidates(folder: str, name: str) -> Iterator[str]:
    """Archives in `folder`: the one called `name` first, then all others."""
    first = name + SUFFIX
    if os.path.isfile(os.path.join(folder, first)):
        yield os.path.join(folder, first)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for other in names:
        if other.endswith(SUFFIX) and other != first:
            path = os.path.join(folder, other)
            if os.path.isfile(path):
                yield path


class Sources(Record):
    """What the segments of one archive take from elsewhere.

    needs: what is outside the archive. own: reads the segment that a copy within it repeats.
    """

    needs: Needs
    own: Own

    def read_base(self, offset: int, length: int) -> bytes:
        """Content of the base file; less where it ends."""
        return self.needs.base().read(offset, length)

    def copied(self, header: SegmentHeader) -> Readable:
        """Reads what the segment with this header is a copy of, from its start on."""
        of = header.copy_of
        return self.needs.origin(of.source).open(of.place) if of.source else self.own(header)

    def model(self) -> AnyLoaded:
        """The language model that predicts."""
        return self.needs.model()


def decode_original(
    file: BinaryIO, original: SegmentStart, header: Header, needs: Needs, limits: Limits
) -> Iterator[bytes]:
    """The content, chunk by chunk, of a segment of `file` that was passed before.

    file: may be used by several threads at a time.
    """
    metadata, decoder = header.metadata, None
    source = From(file, original.offset)
    seq = original.header.seq
    walk = walk_alone(original.offset, metadata.predictors, metadata.bounds, seq)
    for event in pull(source, walk):
        if isinstance(event, SegmentStart):
            sources = Sources(needs, no_copy)
            check_memory(decoding_memory(event, sources), limits)
            decoder = SegmentDecoder(event, sources=sources)
        elif isinstance(event, Chunk) and decoder:
            yield decoder.decode(event)[0]
        elif decoder:
            decoder.finish()


def no_copy(header: SegmentHeader) -> Readable:
    """An `Own` where there must be no copies."""
    raise CorruptError("a copy of a copy", segment=header.seq)


def check_original(copy: SegmentHeader, original: SegmentHeader | None) -> None:
    """Raises `CorruptError` unless `copy` may repeat `original`."""
    if original is None or original.flags != KEPT or original.raw_len != copy.raw_len:
        raise CorruptError("a copy of what was not kept for it", segment=copy.seq)
