"""What each column of a table costs where predictor `pc` codes it."""

from __future__ import annotations

import csv
import json

from llmzip import _native
from llmzip.asked import asked
from llmzip.explain.results import Column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PARTS = {
    "head": "schema, dictionaries and the like",
    "kinds": "which rows are unlike the others",
    "exceptions": "rows unlike the others",
}


def columns(settings: bytes, segment: bytes | memoryview) -> tuple[tuple[Column, ...], int]:
    """The parts of a segment, cells in the order of a row, and rows; none where it is no table.

    settings: of `pc`, as the segment's header has them.
    """
    found = asked(_native.table_costs, settings, segment)
    if found is None:
        return (), 0
    head, rows, delimiter, parts = found
    cells = sum(part == "cell" for part, _, _ in parts)
    first = bytes(segment[len(head) : len(head) + _LONGEST]).partition(b"\n")[0]
    names = _json_names(first) if delimiter is None else _cells(head, delimiter)
    if len(names) != cells:
        names = [f"column {number}" for number in range(1, cells + 1)]
        values = [] if delimiter is None else _cells(first, delimiter)
        if len(values) == cells:
            pairs = zip(names, values, strict=True)
            names = [f"{name}, as {value[:_SHOWN]}" if value else name for name, value in pairs]
    made = []
    for part, cell, bits in parts:
        if cell is not None:
            made.append(Column(names[cell], bits))
        elif bits:
            made.append(Column(_PARTS[part], bits, is_cell=False))
    return tuple(made), rows


# Bytes of a row that is looked at for names, and characters of a value that stands for one.
_LONGEST = 1 << 20
_SHOWN = 16


def _cells(lines: bytes, delimiter: str) -> list[str]:
    """The cells of the last of some lines."""
    text = lines.decode(errors="backslashreplace").splitlines()
    if not text:
        return []
    return [cell.strip() for cell in next(csv.reader(text[-1:], delimiter=delimiter))]


def _json_names(line: bytes) -> list[str]:
    """The way to each scalar of an object, in order."""
    try:
        value = json.loads(line, object_pairs_hook=_Pairs)
    except ValueError:
        return []
    names: list[str] = []
    _walk(value, "", names)
    return names


class _Pairs(list[tuple[str, "Any"]]):
    """An object's members, also those of equal names."""


def _walk(value: Any, name: str, names: list[str]) -> None:
    if isinstance(value, _Pairs):
        for key, inner in value:
            _walk(inner, f"{name}.{key}" if name else key, names)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _walk(inner, f"{name}[{number}]", names)
    else:
        names.append(name)
