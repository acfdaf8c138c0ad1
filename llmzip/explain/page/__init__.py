"""The page that shows where bits go: one file with all that it needs, without the network."""

from __future__ import annotations

import base64
import os
import sys
from array import array

from llmzip.measure.page import fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from llmzip.explain.results import Explained, Units

_HERE = os.path.dirname(os.path.abspath(__file__))
# Costs are whole numbers of 1/512 bit, probabilities of 1/65535, in 16 bits each.
COST_UNIT = 512
CHANCE_UNIT = 65535
# From how many bits of a unit on each of the colours is.
COLOURS = {
    "byte": (0.05, 0.25, 0.75, 1.5, 3.0, 5.0, 8.0),
    "token": (0.1, 0.5, 1.5, 3.0, 5.0, 8.0, 12.0),
}
# More of them than that, or what is no UTF-8, and the content is shown in hexadecimal digits.
_MOST_CONTROLS = 0.02
_PLAIN = frozenset(b"\t\n\r\f\x1b")


def page(found: Explained) -> str:
    """HTML of what was found. Content and names, which are anybody's, stand in it as data alone."""
    title = f"{found.file}: where the bits go"
    return fill("explain", title, _data(found), folder=_HERE)


def _data(found: Explained) -> dict[str, Any]:
    facts = found.as_dict()
    del facts["costs"], facts["lengths"]
    facts["fields"] = [
        [kind, [[field.name, field.coded_bytes] for field in fields]]
        for kind, fields in found.fields()
    ]
    facts["units"] = _units(found.units) if found.units else None
    return facts


def _units(units: Units) -> dict[str, Any]:
    costs = (min(round(cost * COST_UNIT), 0xFFFF) for cost in units.costs)
    chances = (min(round(chance * CHANCE_UNIT), CHANCE_UNIT) for chance in units.chances)
    return {
        "unit": units.unit,
        "hex": units.unit == "byte" and not _is_text(units.content),
        "content": _coded(units.content),
        "lengths": None if units.lengths is None else _packed("H", units.lengths),
        "costs": _packed("H", costs),
        "costUnit": COST_UNIT,
        "names": units.names,
        "carriers": None if units.carriers is None else _packed("B", units.carriers),
        # Byte strings as characters below 256.
        "symbols": [one.decode("latin-1") for one in units.symbols]
        if units.unit != "byte"
        else None,
        "count": units.count,
        "tops": _packed("I" if units.unit != "byte" else "B", units.tops),
        "chances": _packed("H", chances),
        "chanceUnit": CHANCE_UNIT,
        "colours": COLOURS[units.unit],
    }


def _is_text(content: bytes) -> bool:
    """Whether content is UTF-8, but for characters cut at its ends, with few control characters."""
    try:
        # Three bytes at most are the rest of a character that begins before.
        trimmed = content.lstrip(bytes(range(0x80, 0xC0))) if content[:1] > b"\x7f" else content
        if len(content) - len(trimmed) > 3:
            return False
        trimmed.decode()
    except UnicodeDecodeError as error:
        if error.end < len(trimmed) or error.reason != "unexpected end of data":
            return False
    controls = sum(content.count(byte) for byte in range(32) if byte not in _PLAIN)
    return controls <= _MOST_CONTROLS * len(content)


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _packed(kind: str, numbers: Any) -> str:
    """Numbers of 8, 16 or 32 bits, little-endian, in base 64."""
    values = (
        numbers if isinstance(numbers, array) and numbers.typecode == kind else array(kind, numbers)
    )
    if sys.byteorder == "big":
        values = array(kind, values)
        values.byteswap()
    return _coded(values.tobytes())
