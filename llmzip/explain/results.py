"""What is known of where a file's bits go, and sums of it."""

from __future__ import annotations

from itertools import accumulate, pairwise

from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator
    from typing import Any

# Steps of `curve`, at most.
_STEPS = 200
# Bits of a unit: where the bars of `histogram` begin. Eight bits are what a byte takes as it is.
BARS = (0.0, 0.02, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
# Bytes of a place in `places`, about.
_PLACE = 24


class Units(Record):
    """Bytes or tokens, in order, that `content` is made of.

    unit: "byte" or "token". lengths: bytes of each; None where all have one. costs: bits of each.
    carriers: of each the number of the name in `names` of what did most to predict it, or
        `NOBODY`; None where nothing tells. symbols: byte strings that `tops` has numbers of.
    tops, chances: for each unit the `count` likeliest symbols before it, the likeliest first, and
        their probabilities; one unit after another. Where `count` is 0 nothing tells.
    """

    unit: str
    content: bytes
    lengths: array[int] | None
    costs: array[float]
    names: tuple[str, ...]
    carriers: array[int] | None
    symbols: tuple[bytes, ...]
    count: int
    tops: array[int]
    chances: array[float]

    def starts(self) -> list[int]:
        """Where in `content` each unit begins, and where the last one ends."""
        if self.lengths is None:
            return list(range(len(self.content) + 1))
        return list(accumulate(self.lengths, initial=0))


# In place of a carrier's number.
NOBODY = 255


class Share(Record):
    """What is owed to one name, or falls within some limits: how many units, and their bits."""

    name: str
    units: int
    bits: float


class Place(Record):
    """A costly place: `offset` in the file, `length` in bytes, and its bits."""

    offset: int
    length: int
    bits: float


class Column(Record):
    """A column of a table; other parts of it (`is_cell` is False) come before these."""

    name: str
    bits: float
    is_cell: bool = True


class Field(Record):
    """Coded bytes of one field of elements, such as their exponents."""

    name: str
    coded_bytes: int


class Tensor(Record):
    """A tensor of an archive. fields: of what it takes; the rest is tables and heads, or stored.

    raw_bytes, coded_bytes: without and with compression. method: as in `llmzip list`.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    raw_bytes: int
    coded_bytes: int
    method: str
    fields: tuple[Field, ...] = ()


class Explained(Record):
    """What was found.

    file, size: name and bytes of what was looked at. begin, length: the part whose `units` are
        told. predictor: what the bits are by, for people. segments: where in that part a model
        began anew. notes: lines on what the numbers are and are not.
    columns: of a table, of all of it, with what `columns_by` says; of it, `rows` rows.
    tensors: of a checkpoint. Where one is empty the file is no such thing.
    """

    file: str
    size: int
    begin: int
    length: int
    predictor: str
    units: Units | None
    notes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    columns_by: str = ""
    rows: int = 0
    tensors: tuple[Tensor, ...] = ()
    coded_bytes: int | None = None

    @property
    def bits(self) -> float:
        """Of all units together."""
        return sum(self.units.costs) if self.units else 0.0

    @property
    def bits_per_byte(self) -> float | None:
        """Of the part that is told; None where it is empty."""
        return self.bits / self.length if self.length and self.units else None

    def curve(self) -> list[tuple[int, float]]:
        """Bits per byte along the part: where in the file each step begins, and its bits."""
        if not self.units or not self.length:
            return []
        step = -(-self.length // _STEPS)
        found: list[tuple[int, float]] = []
        begin, bits = 0, 0.0
        starts = self.units.starts()
        for number, cost in enumerate(self.units.costs):
            bits += cost
            end = starts[number + 1]
            if end - begin >= step or end == self.length:
                found.append((self.begin + begin, bits / (end - begin)))
                begin, bits = end, 0.0
        return found

    def histogram(self) -> list[Share]:
        """Units by their bits: those of at least `BARS[i]` bits, but less than the next."""
        counts, sums = [0] * len(BARS), [0.0] * len(BARS)
        for cost in self.units.costs if self.units else ():
            bar = sum(cost >= bound for bound in BARS) - 1
            counts[max(bar, 0)] += 1
            sums[max(bar, 0)] += cost
        names = [f"{low:g} to {high:g}" for low, high in pairwise(BARS)]
        names.append(f"{BARS[-1]:g} and more")
        return [Share(*one) for one in zip(names, counts, sums, strict=True)]

    def shares(self) -> list[Share]:
        """Units and bits by what did most to predict them, the most units first."""
        units = self.units
        if units is None or units.carriers is None:
            return []
        counts: dict[int, int] = {}
        sums: dict[int, float] = {}
        for carrier, cost in zip(units.carriers, units.costs, strict=True):
            counts[carrier] = counts.get(carrier, 0) + 1
            sums[carrier] = sums.get(carrier, 0.0) + cost
        name = dict(enumerate(units.names)) | {NOBODY: "nothing"}
        found = [Share(name[carrier], counts[carrier], sums[carrier]) for carrier in counts]
        return sorted(found, key=lambda share: (-share.units, share.name))

    def places(self, most: int = 12) -> list[Place]:
        """The costliest stretches of about 24 bytes; none overlap; the costliest first."""
        units = self.units
        if units is None or not units.costs:
            return []
        starts = units.starts()
        until = list(accumulate(units.costs, initial=0.0))
        spans, end = [], 0
        for first in range(len(units.costs)):
            end = max(end, first + 1)
            while end < len(units.costs) and starts[end] - starts[first] < _PLACE:
                end += 1
            spans.append((until[end] - until[first], first, end))
        spans.sort(key=lambda span: (-span[0], span[1]))
        taken = bytearray(len(units.costs))
        found: list[Place] = []
        for bits, first, last in spans:
            if len(found) == most:
                break
            if not any(taken[first:last]):
                taken[first:last] = b"\1" * (last - first)
                found.append(Place(self.begin + starts[first], starts[last] - starts[first], bits))
        return found

    def fields(self) -> list[tuple[str, list[Field]]]:
        """Coded bytes of each field, by the kind of the tensors, in the order of the file."""
        sums: dict[str, dict[str, int]] = {}
        for tensor in self.tensors:
            own = sums.setdefault(tensor.kind, {}) if tensor.fields else {}
            for field in tensor.fields:
                own[field.name] = own.get(field.name, 0) + field.coded_bytes
        return [(kind, [Field(*one) for one in own.items()]) for kind, own in sums.items()]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: sums, and of each unit what it costs; without the content."""
        head = {
            name: getattr(self, name)
            for name in ("file", "size", "begin", "length", "predictor", "notes", "rows")
        }
        units = self.units
        return head | {
            "bits": self.bits,
            "bits_per_byte": self.bits_per_byte,
            "coded_bytes": self.coded_bytes,
            "unit": units.unit if units else None,
            "costs": [round(cost, 4) for cost in units.costs] if units else [],
            "lengths": list(units.lengths) if units and units.lengths is not None else None,
            "curve": self.curve(),
            "histogram": _dicts(self.histogram()) if units else [],
            "places": _dicts(self.places()),
            "carriers": _dicts(self.shares()),
            "columns_by": self.columns_by,
            "columns": _dicts(self.columns),
            "tensors": [
                {**_dict(tensor), "fields": _dicts(tensor.fields)} for tensor in self.tensors
            ],
        }


def _dict(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record._fields}


def _dicts(records: tuple[Any, ...] | list[Any]) -> list[dict[str, Any]]:
    return [_dict(record) for record in records]


def spans(total: int, most: int) -> Iterator[tuple[int, int]]:
    """`total` cut into stretches of at most `most`: beginnings and ends."""
    for begin in range(0, total, most):
        yield begin, min(total, begin + most)
