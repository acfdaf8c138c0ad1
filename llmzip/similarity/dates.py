"""The dates of documents: in a field of JSON lines, in a file's name, or its time of change."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date

from llmzip.errors import LlmzError
from llmzip.similarity.documents import (
    DocumentError,
    Trouble,
    files_below,
    json_lines,
    read_file,
    text_of,
)
from llmzip.similarity.trend import Dated

SOURCES = ("name", "mtime")
# A date that stands for itself: 2024-05-17, 2024_05, 20240517, not a part of a longer number.
_IN_NAME = re.compile(r"(?<!\d)(\d{4})(?:([-_.])(\d{2})(?:\2(\d{2}))?|(\d{2})(\d{2}))(?!\d)")
_ISO = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:$|[T ].*))?)?$", re.DOTALL)


def parse(text: str) -> date:
    """The day of an ISO 8601 date or time; where there is no day or month, the first one.

    Raises `DocumentError`.
    """
    found = _ISO.match(text.strip())
    if found is not None:
        try:
            return date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
        except ValueError:
            pass
    raise DocumentError(f"{text[:40]!r} is no date as in 2024-05-17 or 2024-05")


def of_name(path: str) -> date:
    """The last date in a file's name, else in the names of its folders; `DocumentError` without
    one.
    """
    for part in reversed(os.path.normpath(path).split(os.sep)):
        for found in reversed(list(_IN_NAME.finditer(part))):
            month, day = found[3] or found[5], found[4] or found[6] or "01"
            try:
                return date(int(found[1]), int(month), int(day))
            except ValueError:
                continue
    raise DocumentError(
        "has no date in its name, as in 2024-05-17 or 2024-05; --dates mtime takes the file's time"
    )


def of_files(paths: list[str], source: str, trouble: Trouble) -> Iterator[Dated]:
    """Files, and those in folders, with the dates that `source` (of `SOURCES`) gives them."""
    for path in paths:
        for one in files_below(path, trouble) if os.path.isdir(path) else (path,):
            try:
                if source == "mtime":
                    when = date.fromtimestamp(os.stat(one).st_mtime)
                else:
                    when = of_name(one)
                found = read_file(one)
            except (LlmzError, OSError) as error:
                trouble(one, error)
            else:
                yield Dated(found.name, when, found.data)


def of_json_lines(path: str, date_field: str, text_field: str, trouble: Trouble) -> Iterator[Dated]:
    """The documents of a file of JSON lines."""
    with open(path, "rb") as file:
        for name, record, _ in json_lines(file, path, trouble):
            try:
                when = record.get(date_field)
                if not isinstance(when, str):
                    raise DocumentError(
                        f"has no date in field {date_field!r}; --date-field names another one"
                    )
                yield Dated(name, parse(when), text_of(record, text_field).encode())
            except LlmzError as error:
                trouble(name, error)
