"""How numbers, times and foreign text are put into words for a person."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence


def quantity(count: int) -> str:
    """Bytes in decimal units: `999 B`, `12.3 kB`, `4.56 GB`."""
    if count < 1000:
        return f"{count} B"
    value = count / 1000
    for unit in ("kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB" if value < 999.5 else f"{value:,.0f} TB"


def memory(count: int) -> str:
    """Bytes of memory in binary units, as `-M` takes them."""
    if count < 1 << 20:
        return f"{-(-count >> 10)} KiB"
    if count < 10 << 30:
        return f"{count / (1 << 20):.0f} MiB"
    return f"{count / (1 << 30):.0f} GiB"


def duration(seconds: float) -> str:
    """`0:07`, `12:34`, `5:00:12`; days as `3 d 4 h`."""
    whole = max(0, round(seconds))
    if whole >= 2 * 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    hours, rest = divmod(whole, 3600)
    if hours:
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{rest // 60}:{rest % 60:02}"


def about(seconds: float) -> str:
    """A rough duration in words: `40 s`, `5 min`, `3.2 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def printable(text: str) -> str:
    """`text` with everything that could steer a terminal or break a line written as an escape."""
    return "".join(_escaped(c) for c in text)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        # A byte of a file name that is not UTF-8.
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def table(rows: Sequence[Sequence[str]], right: Container[int]) -> Iterator[str]:
    """Lines of rows whose columns are aligned; those numbered in `right` at their ends."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join(cells)}".rstrip()


def ratio(raw: int, coded: int) -> str:
    """How many times smaller; empty content has none."""
    return f"{raw / coded:.3f}" if raw and coded else "-"


def bits_per_byte(raw: int, coded: int) -> float | None:
    """Coded bits for each byte of content; None for empty content."""
    return 8 * coded / raw if raw else None
