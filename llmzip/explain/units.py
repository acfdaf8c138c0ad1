"""What each byte costs by the context mixer, or each token by a language model."""

from __future__ import annotations

from array import array
from math import log

from llmzip import _native, route
from llmzip.asked import asked
from llmzip.explain.results import NOBODY, Units, spans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from llmzip.models.loaded import Loaded

    Progress = Callable[[str, int, int], None]

# Alternatives that are told of each byte or token.
ALTERNATIVES = 5
_SAMPLE = 1 << 20
# Bytes that are learnt or told between two reports of progress, and two looks for ctrl-C.
_STEP = 1 << 14
# Tokens that a language model looks back on at most: its time grows with them.
WINDOW = 2048
_BIT = log(2)


def by_bytes(data: memoryview, begin: int, end: int, level: int, progress: Progress) -> Units:
    """Bytes `begin` to `end` of `data`, as segments of predictor `cm` at `level` cost them.

    All of a segment before them is learnt first. `data` is all of the file, at least as far as the
    end of the segment that has the last of them.
    """
    size = route.segment_size(level)
    costs, carriers = array("f"), array("B")
    tops, chances = array("B"), array("f")
    names: dict[str, int] = {}
    at = begin
    while at < end:
        start = at // size * size
        stop = min(end, start + size)
        mixer = _mixer(data[start : start + size], level)
        for first, last in spans(at - start, _STEP):
            mixer.read(data[start + first : start + last])
            progress("learning what comes before", first, at - start)
        own = [names.setdefault(name, len(names)) for name in mixer.input_names]
        for first, last in spans(stop - at, _STEP):
            for cost, carrier, likely in mixer.tell(data[at + first : at + last], ALTERNATIVES):
                costs.append(cost)
                carriers.append(NOBODY if carrier is None else own[carrier])
                for byte, chance in likely:
                    tops.append(byte)
                    chances.append(chance)
            progress("bytes", at + last - begin, end - begin)
        at = stop
    # Of pixels nothing is likeliest, and a file may have some.
    count = ALTERNATIVES if len(tops) == ALTERNATIVES * len(costs) else 0
    return Units(
        unit="byte",
        content=bytes(data[begin:end]),
        lengths=None,
        costs=costs,
        names=tuple(names),
        carriers=carriers,
        symbols=tuple(bytes([byte]) for byte in range(256)),
        count=count,
        tops=tops if count else array("B"),
        chances=chances if count else array("f"),
    )


def _mixer(segment: memoryview, level: int) -> _native.ContextMixer:
    settings = _native.settings("cm", 1, level, bytes(segment[:_SAMPLE]))
    # Its tables are as large as the segment asks for.
    return asked(_native.ContextMixer, settings, len(segment))


def by_tokens(content: bytes, model: Loaded, progress: Progress) -> Units:
    """Tokens of `content` by a language model alone, which begins anew every `WINDOW` tokens.

    Raises `UsageError` for content with bytes that no token of the model spells.
    """
    native = model.native
    tokens = native.tokens(content)
    window = min(native.context, WINDOW)
    costs, tops, chances = array("f"), array("I"), array("f")
    numbers: dict[int, int] = {}
    for first, last in spans(len(tokens), window - 1):
        for nats, _, likely in asked(native.tell, tokens[first:last], window, ALTERNATIVES):
            costs.append(nats / _BIT)
            for token, chance in likely:
                tops.append(numbers.setdefault(token, len(numbers)))
                chances.append(chance)
        progress("tokens", last, len(tokens))
    spelt = [native.spelling(token) or b"" for token in tokens]
    return Units(
        unit="token",
        content=content,
        lengths=array("H", map(len, spelt)),
        costs=costs,
        names=(),
        carriers=None,
        symbols=tuple(native.spelling(token) or b"" for token in numbers),
        count=ALTERNATIVES,
        tops=tops,
        chances=chances,
    )
