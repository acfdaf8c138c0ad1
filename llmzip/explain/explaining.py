"""Looks at a file as its content asks for: bytes or tokens, columns of a table, tensors."""

from __future__ import annotations

import os

from llmzip import _native, route
from llmzip.errors import UsageError
from llmzip.explain.results import Column, Explained, Tensor
from llmzip.options import DEFAULT_LEVEL, Options
from llmzip.tensors.content import Content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from _typeshed import ReadableBuffer

    Progress = Callable[[str, int, int], None]

# Bytes that are told of where nobody says how many: a page of them loads fast.
DEFAULT_BYTES = 100_000
# More is too much for a page, and for memory.
MOST_BYTES = 4 << 20
# What is looked at to tell whether content is a table; FORMAT.md knows nothing of it.
_LOOK = 1 << 18
_KNOWN = (None, "cm", "pc", "tensor")


def explain(
    file: str | os.PathLike[Any] | ReadableBuffer,
    *,
    level: int = DEFAULT_LEVEL,
    predictor: str | None = None,
    model: str | None = None,
    begin: int = 0,
    length: int = DEFAULT_BYTES,
    base: str | None = None,
    threads: int = 0,
    progress: Progress | None = None,
    name: str | None = None,
) -> Explained:
    """Tells where the bits of a file go.

    file: a path, or bytes; what an archive holds is looked at in its stead.
    level: 3 to 9. predictor: "cm" for each byte, "pc" for columns too, "tensor" for tensors; None
        looks at the content: tensors of a checkpoint, or bytes, and columns where the file is a
        table that `pc` would code.
    model: a language model tells of each token, by itself, in place of `cm` of each byte.
    begin, length: the part of the file that is told of byte by byte; what stands before it, in its
        segment, is learnt before. At most 4 MiB.
    base: for an archive of changes. threads: where there is something to do for several.
    progress: called with what is being done, how much of it is, and how much there is.

    Raises `UsageError` for other options and for content that is not what `predictor` is for, and
    as reading an archive does.
    """
    if predictor not in _KNOWN:
        raise UsageError(f"predictor {predictor} tells nothing of parts: use cm, pc or tensor")
    if level < 3:
        raise UsageError(f"level {level} is zstd, which predicts no bytes: use level 3 or more")
    if begin < 0 or not 0 < length <= MOST_BYTES:
        raise UsageError(f"{length} bytes from {begin}: from 0 on, and 1 to {MOST_BYTES:,} bytes")
    if model is not None and predictor is not None:
        raise UsageError(f"a model and predictor {predictor} exclude each other: leave out one")
    content = Content(file, base=base, model=model)
    label = name or (os.fspath(file) if isinstance(file, (str, os.PathLike)) else "bytes")
    told = Explained(os.fsdecode(label), content.size, begin, 0, "", None)
    report = progress or _silent
    if model is None and predictor in (None, "tensor"):
        tensors, options = _tensors(file, content, level, threads, report)
        if tensors:
            return _of_tensors(told, tensors, options, content.packed)
        if predictor:
            raise UsageError("holds no tensors that llmzip knows of; -p cm tells of its bytes")
    if begin > content.size or (begin and begin == content.size):
        raise UsageError(f"byte {begin:,} is behind the end: there are {content.size:,} bytes")
    end = min(content.size, begin + length)
    told = told.replace(length=end - begin)
    if model is not None:
        return _of_tokens(told, content, model, threads, report)
    return _of_bytes(told, content, level, predictor, threads, report)


def _silent(what: str, done: int, total: int) -> None:
    """Reports to nobody."""


def _of_tokens(
    told: Explained, content: Content, name: str, threads: int, progress: Progress
) -> Explained:
    from llmzip.explain.units import WINDOW, by_tokens
    from llmzip.models.loaded import named

    model = route.language(named(name, threads))
    part = bytearray(told.length)
    content.read_into(told.begin, part)
    units = by_tokens(bytes(part), model, progress)
    window = min(WINDOW, model.native.context)
    notes = (
        f"By the model {model.ref.name} alone, which begins anew every {window:,} tokens and does "
        "not learn: an archive, where it is mixed with cm, takes less.",
        *_part_note(told),
    )
    return told.replace(predictor=f"{model.ref.name}, alone", units=units, notes=notes)


def _of_bytes(
    told: Explained,
    content: Content,
    level: int,
    predictor: str | None,
    threads: int,
    progress: Progress,
) -> Explained:
    from llmzip.explain.units import by_bytes

    size = route.segment_size(level)
    start = told.begin // size * size
    columns: tuple[Column, ...] = ()
    segment_end = min(content.size, start + size)
    last_end = min(content.size, -(-(told.begin + told.length) // size) * size)
    data = _data(content, max(last_end, segment_end), threads)
    segment = data[start:segment_end]
    choice = _table(bytes(segment), level, predictor) if predictor != "cm" else None
    columns_by, rows = "", 0
    if choice is not None:
        from llmzip.explain.tables import columns as columns_of

        progress("columns", 0, 1)
        columns, rows = columns_of(choice.settings, segment)
        if columns:
            columns_by = f"pc -{level}, bytes {start:,} to {segment_end:,}"
        elif predictor == "pc":
            raise UsageError("is no table that predictor pc could code; -p cm tells of its bytes")
    units = by_bytes(data, told.begin, told.begin + told.length, level, progress)
    notes: tuple[str, ...] = (
        f"By context mixing at level {level}, as in an archive: what stands before the part in its "
        "segment was learnt first. The likeliest bytes are those before the byte; its own bits are "
        "learnt on the way.",
        *_part_note(told),
    )
    if columns:
        notes += ("Columns are by predictor pc, which codes this table; single bytes are by cm.",)
    return told.replace(
        predictor=f"cm -{level}",
        units=units,
        notes=notes,
        columns=columns,
        columns_by=columns_by,
        rows=rows,
    )


def _part_note(told: Explained) -> tuple[str, ...]:
    if told.length == told.size:
        return ()
    end = told.begin + told.length
    return (
        f"Of {told.size:,} bytes those from {told.begin:,} to {end:,} are told; --from and --bytes "
        "say which.",
    )


def _data(content: Content, end: int, threads: int) -> memoryview:
    """The content up to `end`."""
    view = content.plain
    if view is not None:
        return view[:end]
    data = bytearray(end)
    content.read_into(0, data, threads)
    return memoryview(data)


def _table(segment: bytes, level: int, predictor: str | None) -> route.Choice | None:
    """The choice for a segment that `pc` codes."""
    if predictor is None and not _native.has_columns(segment[:_LOOK]):
        return None
    choice = route.choose(segment, level, predictor)
    return choice if choice.predictor.id == "pc" else None


def _tensors(
    file: Any, content: Content, level: int, threads: int, progress: Progress
) -> tuple[tuple[Tensor, ...], Options]:
    """The tensors of an archive, or of what is made of a file that has some."""
    from io import BytesIO
    from tempfile import TemporaryFile

    from llmzip.explain.tensors import tensors

    options = Options(level=level, threads=threads, verify=False)
    if content.packed:
        named = isinstance(file, (str, os.PathLike))
        with open(file, "rb") if named else BytesIO(file) as source:
            return tensors(source), options
    from llmzip.writer import planned, write_archive

    reader = content.reader()
    if not any(piece.kind for piece in planned(reader, content.size, options)):
        return (), options
    reader.seek(0)
    with TemporaryFile() as archive:
        write_archive(
            reader,
            archive,
            options,
            total=content.size,
            progress=lambda now: progress("compressing", now.done, content.size),
        )
        return tensors(archive), options


def _of_tensors(
    told: Explained, tensors: tuple[Tensor, ...], options: Options, packed: bool
) -> Explained:
    coded = sum(tensor.coded_bytes for tensor in tensors)
    by = "as the archive has them" if packed else f"tensor -{options.level}"
    notes = [
        "A tensor takes its segments with heads and tables; fields are coded bytes alone.",
        "-p cm tells of single bytes instead.",
    ]
    if [tensor.method for tensor in tensors] == ["pc"]:
        notes.append("-p pc tells of the columns of an array that is a table.")
    if any(not tensor.fields and tensor.method == "tensor" for tensor in tensors):
        notes.append("Fields of changes of a base are not told.")
    return told.replace(predictor=by, tensors=tensors, coded_bytes=coded, notes=tuple(notes))
