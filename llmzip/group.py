"""A text in several segments, which all but the first start from the state after that one.

They are coded one after the other, and decoded together: a model that predicts for several places
of a text at a time reads its weights once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmzip import container, route
from llmzip.errors import LimitError
from llmzip.inorder import InOrder
from llmzip.preamble import EncoderPreamble, Preamble
from llmzip.record import Record
from llmzip.segments import Encoded, encode, verify
from llmzip.walk import SegmentStart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.models.loaded import Loaded
    from llmzip.options import Options
    from llmzip.route import Choice
    from llmzip.segments import Sources
    from llmzip.workers import Meter

_AUTO = 0
# From this level on the size of the archive comes before the time.
_WHOLE_FROM = 7
_LEAST = 32 << 10
_MOST_AUTO = 8
_MEMORY = 1 << 30
# How far from an equal share a segment may end, as a part of a share.
_NEAR = 16


def count(length: int, asked: int, choice: Choice, model: Loaded) -> int:
    """Into how many segments a text of `length` bytes is cut; 0 chooses."""
    if asked != _AUTO:
        return max(min(asked, length), 1)
    if choice.settings[0] >= _WHOLE_FROM:
        return 1
    share = max(length // _MOST_AUTO, 1)
    first, own = memory(route.followed(choice, share), share, model)
    return max(min(length // _LEAST, _MOST_AUTO, 1 + (_MEMORY - first) // own), 1)


def memory(choice: Choice, first: int, model: Loaded) -> tuple[int, int]:
    """Bytes of memory that the first segment takes, of `first` bytes, and each other one.

    choice: for a segment from whose state others start.
    """
    own = route.memory(choice, first) + model.native.memory(choice.settings)
    return route.memory(choice, first, model), own


def split(content: bytes, parts: int) -> list[memoryview]:
    """Cuts content into parts that are about as long, behind paragraphs or lines where it can."""
    ends: list[int] = []
    for number in range(1, parts):
        at = len(content) * number // parts
        near = len(content) // (parts * _NEAR)
        ends.append(_boundary(content, at - near, at, at + near))
    ends = sorted({end for end in ends if 0 < end < len(content)})
    view = memoryview(content)
    return [view[a:b] for a, b in zip([0, *ends], [*ends, len(content)], strict=True)]


def _boundary(content: bytes, begin: int, at: int, end: int) -> int:
    """A good place to cut between `begin` and `end`, as close to `at` as there is one."""
    for mark in (b"\n\n", b"\n\r\n", b"\n", b" "):
        before = content.rfind(mark, begin, at)
        behind = content.find(mark, at, end)
        found = [place + len(mark) for place in (before, behind) if place >= 0]
        if found:
            return min(found, key=lambda place: abs(place - at))
    return at


class Group(Record):
    """A text as it will be coded.

    choice: of every segment. first, each: bytes of memory that the first segment takes, and every
    other one beside it.
    """

    parts: list[memoryview]
    choice: Choice
    first: int
    each: int

    @property
    def longest(self) -> int:
        """Bytes of the longest segment."""
        return max(map(len, self.parts))


def plan(content: bytes, options: Options, choice: Choice, model: Loaded) -> Group | None:
    """How to cut `content`, for which `choice` was made; None where it stays whole."""
    parts = split(content, count(len(content), options.segments, choice, model))
    if len(parts) == 1:
        return None
    made = route.followed(choice, max(map(len, parts[1:])))
    return Group(parts, made, *memory(made, len(parts[0]), model))


def encode_group(group: Group, meter: Meter, model: Loaded) -> list[Encoded]:
    """Codes all segments."""
    preamble = EncoderPreamble()
    tick = meter.tick("compress")
    made: list[Encoded] = []
    for seq, part in enumerate(group.parts):
        coded = encode(part, group.choice, seq, 0, tick, model=model, preamble=preamble)
        needs = group.first + (group.each if seq else 0)
        made.append(coded.replace(memory=needs))
    return made


def verify_group(
    group: Group, encoded: list[Encoded], meter: Meter, sources: Sources, allowed: int
) -> None:
    """Decodes as a reader would: the first segment, then the others together; as `verify`.

    allowed: bytes of memory that it may take; fewer segments are decoded at a time before more.
    """
    table = (group.choice.predictor,)
    record = bytes(encoded[0].data[: container.MAX_SEGMENT_BODY + 9])
    header = container.parse_segment_header(record[: record[4] + 9], 0)
    preamble = Preamble(SegmentStart(0, header, group.choice.predictor))
    tick = meter.tick("verify")

    def check(number: int) -> None:
        verify(encoded[number], group.parts[number], table, tick, sources, preamble)

    check(0)
    pool = InOrder(check, together(allowed, group.first, group.each, len(encoded) - 1), meter)
    try:
        for number in range(1, len(encoded)):
            _all(pool.put(number))
        _all(pool.finish())
    except BaseException:
        pool.abort()
        raise
    pool.close()


def _all(results: Iterator[None]) -> None:
    for _ in results:
        pass


def together(allowed: int, first: int, each: int, others: int) -> int:
    """How many segments fit into memory beside the state that they start from; at least 1."""
    return max(min((allowed - first) // each, others), 1)


def require(allowed: int, group: Group) -> None:
    """Raises `LimitError` where not even one segment beside the first fits."""
    if group.first + group.each > allowed:
        raise LimitError(
            "memory to compress a segment",
            group.first + group.each,
            allowed,
            "raise it with -M, lower the level, or use --segments 1",
        )
