"""Pictures as SVG: a dendrogram, and a trend. They follow a light or dark surrounding by
themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from llmzip.similarity.dendrogram import Branch, extent, lay_out
from llmzip.similarity.trend import ordinal, period_of
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.similarity.distance import Distances
    from llmzip.similarity.trend import Trend

_STYLE = """\
<style>
  :root { --ink: #1f2328; --faint: #8c959f; --line: #0969da; --fill: #0969da2e; --back: #ffffff }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6edf3; --faint: #7d8590; --line: #58a6ff; --fill: #58a6ff3d; --back: #0d1117 }
  }
  rect.back { fill: var(--back) }
  text { fill: var(--ink); font: 13px ui-sans-serif, system-ui, sans-serif }
  text.small { fill: var(--faint); font-size: 11px }
  path { fill: none; stroke: var(--line); stroke-width: 1.6; stroke-linejoin: round }
  path.grid { stroke: var(--faint); stroke-width: 0.6; stroke-opacity: 0.6 }
  path.band { fill: var(--fill); stroke: none }
  path.cutoff { stroke: var(--ink); stroke-dasharray: 4 4 }
  circle { fill: var(--line) }
</style>
"""
_ROW, _TREE, _MARGIN = 22, 460, 14
# A letter of 13 pixels is about so wide.
_LETTER = 7.5


def dendrogram_svg(found: Distances, names: Sequence[str]) -> str:
    """The tree of distances, last joint at the left; `names` are those at its leaves, by number."""
    rows = len(found.names)
    root, (low, high) = lay_out(found.tree), extent(found.tree)
    width = _MARGIN * 3 + _TREE + max(map(len, names)) * _LETTER
    bottom = _MARGIN + rows * _ROW

    def x(depth: float) -> float:
        return _MARGIN + depth * _TREE

    def y(row: float) -> float:
        return _MARGIN + (row + 0.5) * _ROW

    parts = []
    for tick in ticks(low, high):
        at = x((high - tick) / (high - low))
        parts.append(_path(f"M{at:.1f} {_MARGIN}V{bottom}", "grid"))
        parts.append(_text(at, bottom + 16, f"{tick:g}", "small", "middle"))
    parts.append(
        _text(_MARGIN, bottom + 34, f"normalized compression distance, {found.way}", "small")
    )

    def put(branch: Branch) -> None:
        if not branch.parts:
            member = branch.cluster.members[0]
            parts.append(_text(x(1) + 8, y(branch.row) + 4.5, names[member]))
            return
        ends = " ".join(
            f"M{x(branch.depth):.1f} {y(part.row):.1f}H{x(part.depth):.1f}" for part in branch.parts
        )
        ends_at = [y(part.row) for part in branch.parts]
        parts.append(_path(f"M{x(branch.depth):.1f} {min(ends_at):.1f}V{max(ends_at):.1f} {ends}"))
        for part in branch.parts:
            put(part)

    put(root)
    return _document(width, bottom + 44, f"Dendrogram of {rows} documents", parts)


def trend_svg(found: Trend) -> str:
    """Bits per byte by period with their bands, and the cutoff."""
    width, height, left, top, bottom = 760, 340, 56, 18, 270
    periods = found.periods
    low = min(period.low for period in periods)
    high = max(period.high for period in periods)
    space = 0.08 * (high - low) or 0.05
    low, high = low - space, high + space
    begin = ordinal(periods[0].name)
    places = [ordinal(period.name) - begin for period in periods]
    step = (width - left - _MARGIN) / (places[-1] + 1)

    def x(place: float) -> float:
        return left + (place + 0.5) * step

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    parts = []
    for tick in ticks(low, high):
        parts.append(_path(f"M{left} {y(tick):.1f}H{width - _MARGIN}", "grid"))
        parts.append(_text(left - 6, y(tick) + 4, f"{tick:g}", "small", "end"))
    placed = list(zip(places, periods, strict=True))
    upper = [f"{x(place):.1f} {y(period.high):.1f}" for place, period in placed]
    lower = [f"{x(place):.1f} {y(period.low):.1f}" for place, period in placed]
    parts.append(_path(f"M{'L'.join(upper + lower[::-1])}Z", "band"))
    means = [f"{x(place):.1f} {y(period.mean):.1f}" for place, period in placed]
    parts.append(_path(f"M{'L'.join(means)}"))
    # So many names fit beside each other.
    every, named = -(-(places[-1] + 1) // 12), -12
    for place, period in placed:
        about = f"{period.name}: {period.mean:.4f} bits/byte, {period.documents} documents"
        parts.append(
            f'<circle cx="{x(place):.1f}" cy="{y(period.mean):.1f}" r="3">'
            f"<title>{escape(about)}</title></circle>"
        )
        if place - named >= every:
            named = place
            parts.append(_text(x(place), bottom + 18, period.name, "small", "middle"))
    if found.change is not None:
        cutoff = found.change.cutoff
        # The period that has the cutoff may be the one before the first, or after the last.
        place = ordinal(period_of(cutoff, found.by)) - begin
        at = x(min(max(place, 0), places[-1] + 1) - 0.5)
        parts.append(_path(f"M{at:.1f} {top}V{bottom}", "cutoff"))
        parts.append(_text(at + 5, top + 10, f"cutoff {cutoff}", "small"))
    parts.append(_text(left, height - 20, f"bits per byte, {found.way}; 95 % bands", "small"))
    return _document(width, height, "Bits per byte by date of document", parts)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two, three to eight of them."""
    step = 10.0
    while step > 1e-9:
        for part in (1.0, 0.5, 0.2):
            size = step * part
            if (high - low) / size >= 3:
                first = -(-low // size)
                count = int((high - first * size) / size + 1e-9) + 1
                return [round((first + number) * size, 10) for number in range(count)]
        step /= 10
    return [low]


def _path(data: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<path{name} d="{data}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    end = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text{name}{end} x="{x:.1f}" y="{y:.1f}">{escape(printable(text))}</text>'


def _document(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label={quoteattr(title)}>\n'
    )
    back = '<rect class="back" width="100%" height="100%"/>\n'
    return f"{head}<title>{escape(title)}</title>\n{_STYLE}{back}" + "\n".join(parts) + "\n</svg>\n"
