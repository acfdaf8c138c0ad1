"""Documents to compare: files, folders, JSON lines, lines of a text."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from llmzip.errors import LlmzError
from llmzip.fileio import Source
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO, TypeAlias

Trouble: TypeAlias = Callable[[str, Exception], None]
"""Called with the name of a document that is left out, and why."""

JSON_LINES = (".jsonl", ".ndjson")


class EmptyError(LlmzError):
    """A document has no content, so there is nothing to compare."""

    kind = "empty"


class DocumentError(LlmzError):
    """A document cannot be had out of what holds it; the message says why."""

    kind = "document"


class Document(Record):
    """A name and the bytes that are compared; `line` is what stood for it in JSON lines."""

    name: str
    data: bytes
    line: bytes | None = None


def read_file(path: str) -> Document:
    """A file as one document; `-` is standard input. Raises `EmptyError` and what reading does."""
    with Source(path, archive=False, to_file=False, links=True, console=True) as source:
        data = source.stream.read()
        name = source.name
    if not data:
        raise EmptyError("is empty: there is nothing to compare")
    return Document(name, data)


def files_below(folder: str, trouble: Trouble) -> Iterator[str]:
    """Paths of all regular files in a folder and in those below it, in order of their names."""

    def refused(error: OSError) -> None:
        trouble(error.filename, error)

    for place, folders, names in os.walk(folder, onerror=refused):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            try:
                regular = stat.S_ISREG(os.lstat(path).st_mode)
            except OSError as error:
                trouble(path, error)
                continue
            if regular:
                yield path


def read_all(path: str, trouble: Trouble) -> Iterator[Document]:
    """A file as one document, or each file in a folder; what cannot be read is told and left
    out.
    """
    if path != "-" and os.path.isdir(path):
        paths = list(files_below(path, trouble))
        if not paths:
            trouble(path, EmptyError("has no files"))
    else:
        paths = [path]
    for one in paths:
        try:
            yield read_file(one)
        except (LlmzError, OSError) as error:
            trouble(one, error)


def joined(path: str, trouble: Trouble) -> Document:
    """A file, or all files in a folder one after the other, as one document.

    Raises `EmptyError` where nothing is left.
    """
    if path == "-" or not os.path.isdir(path):
        return read_file(path)
    data = join([document.data for document in read_all(path, trouble)])
    if not data:
        raise EmptyError("has no file with content")
    return Document(path, data)


def join(texts: list[bytes]) -> bytes:
    """Texts one after the other, each on a line of its own."""
    return b"\n".join(texts)


def pool(path: str, field: str, trouble: Trouble) -> Iterator[Document]:
    """Documents that are read one after the other, and never in memory all at once.

    path: a folder (each file is a document), JSON lines (a file named *.jsonl or *.ndjson, or
    anything that begins with a brace: each has a text in `field`), any other file (each line is a
    document), or `-` for standard input. Lines without text are passed over; what cannot be had is
    told and left out.
    """
    if path != "-" and os.path.isdir(path):
        yield from read_all(path, trouble)
        return
    with Source(path, archive=False, to_file=False, links=True, console=True) as source:
        stream, name = source.stream, source.name
        # A buffered reader's peek does not consume.
        braced = stream.peek(1)[:1] == b"{"  # type: ignore[attr-defined]
        if braced or path.lower().endswith(JSON_LINES):
            for label, record, line in json_lines(stream, name, trouble):
                try:
                    yield Document(label, text_of(record, field).encode(), line)
                except LlmzError as error:
                    trouble(label, error)
            return
        for number, line in enumerate(stream, 1):
            if text := line.rstrip(b"\r\n"):
                yield Document(f"{name}:{number}", text)


def json_lines(
    file: BinaryIO, path: str, trouble: Trouble
) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """Of each line of JSON its name (`path` and number from 1), its object, and the line itself."""
    import json

    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        name = f"{path}:{number}"
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise DocumentError("is no JSON object")
        except (ValueError, RecursionError):
            trouble(name, DocumentError("is not valid JSON"))
        except DocumentError as error:
            trouble(name, error)
        else:
            yield name, record, line.rstrip(b"\r\n")


def text_of(record: dict[str, Any], field: str) -> str:
    """The text in a field; raises `DocumentError` and `EmptyError`."""
    text = record.get(field)
    if not isinstance(text, str):
        raise DocumentError(f"has no text in field {field!r}; --text-field names another one")
    if not text:
        raise EmptyError(f"field {field!r} is empty")
    if not text.isascii():
        # JSON can spell halves of characters, which are no text.
        text = text.encode(errors="replace").decode()
    return text
