"""What a job will take, told before it starts."""

from __future__ import annotations

from llmzip import _native, group, route
from llmzip.record import Record
from llmzip.streams import seekable
from llmzip.workers import cores, machine_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from llmzip.models.loaded import Loaded
    from llmzip.options import Options
    from llmzip.pieces import Piece

# What is read to see how long tokens are.
_SAMPLE = 16 << 10

# Measured bytes of content a second, compressing without verification on one core of a 2-core
# x86-64 machine: `tensor` over a checkpoint of 45 MB in bf16 and one of 89 MB in f32, the others
# over the Canterbury corpus. What was not measured is not here.
_RATES: dict[str, dict[int, int]] = {
    "zstd": {1: 73_000_000, 2: 18_000_000},
    "cm": {3: 780_000, 4: 770_000, 5: 640_000, 6: 615_000, 7: 129_000, 8: 73_000, 9: 73_000},
    "tensor": {
        **{1: 215_000_000, 2: 172_000_000, 3: 100_000_000, 4: 92_000_000, 5: 106_000_000},
        **{6: 99_000_000, 7: 60_000_000, 8: 1_700_000, 9: 1_700_000},
    },
}


class Estimate(Record):
    """Seconds of compressing without verification, and bytes of memory, both for all threads.

    segments: into how many a text is cut that a model predicts; 1 where none does.
    """

    seconds: float
    memory: int
    segments: int = 1


def estimate(size: int, level: int, predictor: str | None, threads: int) -> Estimate | None:
    """What compressing `size` bytes takes; None where the speed at `level` was not measured.

    threads: as in `Options`; a segment is coded by one thread.
    """
    predictors = route.candidates(level, predictor)
    rate = _RATES.get(predictors[0].id, {}).get(level)
    if rate is None:
        return None
    segment = route.segment_size(level)
    segments = max(-(-size // segment), 1)
    used = min(threads or cores(), segments)
    largest = min(segment, max(size, 1))
    memory = used * (route.most_memory(predictors, level, largest) + 2 * largest)
    # The last round of segments may leave threads idle.
    rounds = -(-segments // used)
    return Estimate(min(size, rounds * segment) / rate, memory)


def with_model(source: BinaryIO, size: int, options: Options, model: Loaded) -> Estimate:
    """The same for text that `model` predicts, verification included; how fast that is is measured.

    source: is read a little where it can seek, and left where it was.
    """
    sample = b""
    if seekable(source):
        position = source.tell()
        sample = source.read(_SAMPLE)
        source.seek(position)
    level = options.level
    predictors = route.candidates(level, options.predictor, models=("llm",))
    settings = _native.settings("llm", 1, level, b"")
    most = options.segment_size or route.segment_size(level)
    largest = min(most, max(size, 1))
    memory = route.most_memory(predictors, level, largest, model) + 2 * largest
    segments, start = 1, size
    if 0 < size <= most:
        choice = route.Choice(predictors[-1], settings)
        segments = group.count(size, options.segments, choice, model)
    if segments > 1:
        start, longest = group.shares(size, segments)
        first, each, needs = group.memory(route.followed(choice, longest), start, model)
        allowed = options.memory or machine_memory()
        beside = group.together(allowed, first, each, segments - 1) if options.verify else 0
        memory = max(needs, first + beside * each) + 2 * size
    coding, decoding = model.native.seconds(settings, sample, size, segments, start)
    return Estimate(coding + (decoding if options.verify else 0.0), memory, segments)


def estimate_planned(
    pieces: Sequence[Piece], level: int, predictor: str | None, threads: int
) -> Estimate | None:
    """The same for content, at least one byte, that is cut along its tensors into `pieces`."""
    others = any(not piece.kind and not piece.small for piece in pieces)
    table = route.candidates(level, predictor, tensors=True, others=others)
    tensors = _RATES.get("tensor", {}).get(level)
    rest = _RATES.get(route.candidates(level, predictor)[0].id, {}).get(level)
    each = []
    for piece in pieces:
        # What is small beside tensors is in the rate of checkpoints.
        small = piece.small and route.for_small(level) is not None
        rate = tensors if piece.kind or small else rest
        if rate is None:
            return None
        each.append(piece.length / rate)
    used = min(threads or cores(), len(pieces))
    largest = max(piece.length for piece in pieces)
    memory = used * (route.most_memory(table, level, largest) + 2 * largest)
    return Estimate(max(sum(each) / used, *each), memory)
