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
_COST_OF_8 = 47_947 / 47_059 - 1
# How many times as long as the first segment, which is decoded alone, the others are. Where they
# were as long as it, the archive was larger: 47,994 bytes in place of 47,947, see `cost`.
_TIMES = 2
# How far from an equal share a segment may end, as a part of a share.
_NEAR = 16


def count(length: int, asked: int, choice: Choice, model: Loaded) -> int:
    """Into how many segments a text of `length` bytes is cut; 0 chooses."""
    if asked != _AUTO:
        return max(min(asked, length), 1)
    if choice.settings[0] >= _WHOLE_FROM:
        return 1
    first, longest = shares(length, _MOST_AUTO)
    each = model.native.memory_after(route.followed(choice, longest).settings, first)
    fitting = (_MEMORY - model.ref.length) // each
    return max(min(length // _LEAST, _MOST_AUTO, fitting), 1)


def shares(length: int, parts: int) -> tuple[int, int]:
    """About the bytes of the first of several parts and of each other one, at least 1."""
    first = length // (1 + _TIMES * (parts - 1))
    return max(first, 1), max(_TIMES * first, 1)


def split(content: bytes, parts: int) -> list[memoryview]:
    """Cuts content into a short part and others of one length, behind paragraphs or lines."""
    ends: list[int] = []
    for number in range(1, parts):
        at = len(content) * (1 + _TIMES * (number - 1)) // (1 + _TIMES * (parts - 1))
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


def cost(segments: int) -> float:
    """About what part of the archive is due to more than one segment: an estimate.

    From one measurement: the first 400,000 bytes of lcet10.txt at level 6 with SmolLM2-135M take
    47,947 bytes in 8 segments, 47,059 in one. It grows with the part of the text that does not go
    on from what is right before it.
    """
    return _COST_OF_8 * (1 - 1 / segments) / (1 - 1 / 8)


class Group(Record):
    """A text as it will be coded.

    choice: of every segment. first, each: bytes of memory that the first segment takes, and that
    decoding every other one beside it does. coding: that coding takes, one segment at a time.
    """

    parts: list[memoryview]
    choice: Choice
    first: int
    each: int
    coding: int

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


def memory(choice: Choice, first: int, model: Loaded) -> tuple[int, int, int]:
    """Bytes of memory as `Group` has them; the first segment has `first` bytes."""
    all_of_it = route.memory(choice, first, model)
    each = model.native.memory_after(choice.settings, first)
    return all_of_it, each, 2 * all_of_it - model.ref.length


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
    """Raises `LimitError` where coding takes more than `allowed` bytes of memory."""
    if group.coding > allowed:
        raise LimitError(
            "memory to compress a segment",
            group.coding,
            allowed,
            "raise it with -M, lower the level, or use --segments 1",
        )
