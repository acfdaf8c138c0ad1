"""What was found, as lines for a terminal."""

from __future__ import annotations

from llmzip.text import printable, quantity, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmzip.explain.results import Explained

# Rows of the curve, and the length of its longest bar.
_ROWS = 16
_BAR = 40
_MOST_TENSORS = 20
_SNIPPET = 32


def lines(found: Explained) -> Iterator[str]:
    """The summary, without line ends."""
    yield printable(found.file)
    if found.units is None:
        yield from _tensors(found)
    else:
        yield from _units(found)
    for note in found.notes:
        yield f"  {note}"


def _units(found: Explained) -> Iterator[str]:
    units = found.units
    assert units is not None
    if found.bits_per_byte is None:
        yield "  empty"
        return
    count = f"{len(units.costs):,} {units.unit}s, " if units.unit != "byte" else ""
    yield (
        f"  {found.length:,} bytes from {found.begin:,}: {count}{found.bits:,.0f} bits, "
        f"{found.bits_per_byte:.3f} bits/byte, by {printable(found.predictor)}"
    )
    yield "  along the file, bits/byte:"
    yield from _curve(found)
    yield f"  {units.unit}s by their bits:"
    rows = [("bits", f"{units.unit}s", "percent", "of the bits")]
    rows += [
        (bar.name, f"{bar.units:,}", _percent(bar.units, len(units.costs)), _of(found, bar.bits))
        for bar in found.histogram()
        if bar.units
    ]
    yield from _indented(rows, {1, 2, 3})
    if shares := found.shares():
        yield "  predicted most by:"
        rows = [("", f"{units.unit}s", "of the bits", "bits each")]
        rows += [
            (one.name, f"{one.units:,}", _of(found, one.bits), f"{one.bits / one.units:.3f}")
            for one in shares[:10]
        ]
        yield from _indented(rows, {1, 2, 3})
    if found.columns:
        yield from _columns(found)
    yield "  the costliest places:"
    spots = [("byte", "bits", "")]
    for place in found.places(6):
        at = place.offset - found.begin
        text = units.content[at : at + min(place.length, _SNIPPET)].decode(errors="replace")
        spots.append((f"{place.offset:,}", f"{place.bits:.1f}", printable(text)))
    yield from _indented(spots, {0, 1})


def _curve(found: Explained) -> Iterator[str]:
    curve = found.curve()
    every = -(-len(curve) // _ROWS)
    ends = [at for at, _ in curve[every::every]] + [found.begin + found.length]
    rows = []
    for number, end in enumerate(ends):
        part = curve[number * every : (number + 1) * every]
        # Steps are equally long, but for the last.
        stops = [at for at, _ in part[1:]] + [end]
        bits = sum(rate * (stop - at) for (at, rate), stop in zip(part, stops, strict=True))
        rows.append((part[0][0], bits / (end - part[0][0])))
    top = max(rate for _, rate in rows) or 1.0
    shown = [(f"{at:,}", f"{rate:.3f}", "#" * round(_BAR * rate / top)) for at, rate in rows]
    yield from _indented(shown, {0, 1})


def _columns(found: Explained) -> Iterator[str]:
    total = sum(column.bits for column in found.columns) or 1.0
    size = quantity(round(total / 8))
    yield f"  columns, by {found.columns_by}: {size} for {found.rows:,} rows"
    rows = [("column", "bytes", "percent", "bits a row")]
    for column in sorted(found.columns, key=lambda column: -column.bits):
        name = column.name if column.is_cell else f"({column.name})"
        each = f"{column.bits / found.rows:.3f}" if found.rows else "-"
        rows.append(
            (printable(name), f"{column.bits / 8:,.0f}", _percent(column.bits, total), each)
        )
    yield from _indented(rows, {1, 2, 3})


def _tensors(found: Explained) -> Iterator[str]:
    raw = sum(tensor.raw_bytes for tensor in found.tensors)
    coded = sum(tensor.coded_bytes for tensor in found.tensors)
    yield (
        f"  {len(found.tensors):,} tensors: {raw:,} bytes in {coded:,}, "
        f"{8 * coded / raw if raw else 0:.3f} bits/byte, {printable(found.predictor)}"
    )
    rows = [("kind, field", "bytes", "percent")]
    for kind, fields in found.fields():
        for field in fields:
            name = f"{kind or '?'}: {field.name}"
            rows.append((name, f"{field.coded_bytes:,}", _percent(field.coded_bytes, coded)))
    others = coded - sum(field.coded_bytes for _, fields in found.fields() for field in fields)
    rows.append(("heads, tables, stored", f"{others:,}", _percent(others, coded)))
    yield "  by field:"
    yield from _indented(rows, {1, 2})
    largest = sorted(found.tensors, key=lambda tensor: -tensor.coded_bytes)
    each = [("tensor", "kind", "bytes", "coded", "percent", "bits/byte", "method")]
    for tensor in largest[:_MOST_TENSORS]:
        each.append(
            (
                printable(tensor.name),
                tensor.kind or "?",
                f"{tensor.raw_bytes:,}",
                f"{tensor.coded_bytes:,}",
                _percent(tensor.coded_bytes, coded),
                f"{8 * tensor.coded_bytes / tensor.raw_bytes:.3f}" if tensor.raw_bytes else "-",
                printable(tensor.method),
            )
        )
    more = len(largest) - _MOST_TENSORS
    yield "  by tensor:"
    yield from _indented(each, {2, 3, 4, 5})
    if more > 0:
        yield f"    and {more:,} smaller ones; --json has all"


def _indented(rows: Sequence[tuple[str, ...]], right: set[int]) -> Iterator[str]:
    return (f"  {line}" for line in table(rows, right=right))


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _of(found: Explained, bits: float) -> str:
    return _percent(bits, found.bits)
