"""What compressing a file's tensors would give, told from samples before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import log2, prod

from llmzip import _native, route
from llmzip.container import MAX_CHUNK
from llmzip.errors import UsageError
from llmzip.pieces import cut
from llmzip.record import Record
from llmzip.tensors.content import Content
from llmzip.tensors.kinds import KINDS
from llmzip.tensors.layout import plan
from llmzip.workers import cores

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

    from llmzip.tensors.region import Region

FAST, DEFAULT = 1, 6
# Sampled bytes of all tensors, and the least of one that has as many.
_BUDGET = 32 << 20
_LEAST = 64 << 10
_RUNS = 4
_ZSTD = route.Choice(route.candidates(1, "zstd")[0], b"\x03")


class PlaneEstimate(Record):
    """One plane of a kind: what it holds, and its order-0 bound in bits for each element."""

    name: str
    order0: float


class KindEstimate(Record):
    """Tensors of one kind.

    raw_bytes: of all of them; sampled_bytes: what the rest is told from. order0, fast, default,
    zstd: bits for each element; of the bound with a distribution for each plane of each tensor, of
    `tensor` at levels 1 and 6, and of zstd -3 over each sample.
    """

    kind: str
    tensors: int
    elements: int
    raw_bytes: int
    sampled_bytes: int
    order0: float
    fast: float
    default: float
    zstd: float
    planes: tuple[PlaneEstimate, ...]


class TensorsEstimate(Record):
    """Sums in bytes. `other_bytes` are no tensors: they count in all sums as they are."""

    raw_bytes: int
    other_bytes: int
    sampled_bytes: int
    kinds: tuple[KindEstimate, ...]
    order0_bytes: int
    fast_bytes: int
    default_bytes: int
    zstd_bytes: int


class _Sample(Record):
    """Sums over one tensor, scaled up from its sample: bits, and bits of each plane."""

    region: Region
    sampled: int
    fast: float
    default: float
    zstd: float
    planes: tuple[float, ...]


def estimate_tensors(
    file: str | os.PathLike[Any], *, threads: int = 0, budget: int = _BUDGET
) -> TensorsEstimate:
    """Estimates for the tensors of a file, which is none of our archives.

    budget: bytes to sample, about; from every tensor its share, but 64 KiB at least.

    Raises `UsageError` where the file holds no tensors that llmzip knows of.
    """
    content = Content(file)
    if content.packed:
        raise UsageError("is an archive already: llmzip list shows its tensors")
    regions = plan(content.reader(), content.size)
    tensors = [region for region in regions or () if region.kind]
    if not tensors:
        raise UsageError("holds no tensors that llmzip knows of: estimate is for files of weights")
    total = sum(region.length for region in tensors)

    def sample(region: Region) -> _Sample:
        share = max(_LEAST, region.length * budget // total)
        return _sample(content, region, share)

    with ThreadPoolExecutor(threads or cores(), thread_name_prefix="llmzip") as pool:
        samples = list(pool.map(sample, tensors))
    kinds = [
        _kind(kind, [found for found in samples if found.region.kind == kind])
        for kind in sorted({region.kind for region in tensors})
    ]
    other = content.size - total

    def all_of(name: str) -> int:
        bits = [float(getattr(kind, name)) * kind.elements for kind in kinds]
        return round(sum(bits) / 8) + other

    return TensorsEstimate(
        content.size,
        other,
        sum(kind.sampled_bytes for kind in kinds),
        tuple(sorted(kinds, key=lambda kind: -kind.raw_bytes)),
        all_of("order0"),
        all_of("fast"),
        all_of("default"),
        all_of("zstd"),
    )


def _kind(kind: str, samples: list[_Sample]) -> KindEstimate:
    elements = sum(prod(found.region.shape) for found in samples)
    planes = [sum(bits) / elements for bits in zip(*(s.planes for s in samples), strict=True)]
    names = plane_names(kind)
    return KindEstimate(
        kind,
        len(samples),
        elements,
        sum(found.region.length for found in samples),
        sum(found.sampled for found in samples),
        sum(planes),
        sum(found.fast for found in samples) / elements,
        sum(found.default for found in samples) / elements,
        sum(found.zstd for found in samples) / elements,
        tuple(map(PlaneEstimate, names, planes)),
    )


def _runs(region: Region, row: int, share: int) -> Iterator[tuple[int, int]]:
    """Where runs of whole rows begin and end, evenly over the tensor, together about `share`."""
    elements, unit = KINDS[region.kind]
    width = row // elements * unit if row else unit
    rows = region.length // width
    if region.length <= share or rows < _RUNS:
        yield 0, region.length
        return
    each = max(share // _RUNS // width, 1)
    for number in range(_RUNS):
        begin = number * (rows - each) // (_RUNS - 1)
        yield begin * width, (begin + each) * width


def _sample(content: Content, region: Region, share: int) -> _Sample:
    row = next(cut([region], MAX_CHUNK)).row
    data = bytearray()
    done = 0
    for begin, end in _runs(region, row, share):
        run = bytearray(max(end - max(begin, done), 0))
        content.read_into(region.offset + end - len(run), run)
        data += run
        done = end
    scale = 8 * region.length / len(data)
    plain = {level: route.for_tensor(level, region.kind, row) for level in (FAST, DEFAULT)}
    with memoryview(data) as view:
        best = [route.for_content(own, view, level) for level, own in plain.items()]
    choices = (*best, _ZSTD)
    coded = [scale * _coded(choice, data) for choice in choices]
    planes = []
    for _, counts in _native.tensor_histograms(region.kind, data):
        planes.append(_entropy(Counter(dict(enumerate(counts)))) * region.length / len(data))
    fast, default, zstd = coded
    return _Sample(region, len(data), fast, default, zstd, tuple(planes))


def _coded(choice: route.Choice, data: bytearray) -> int:
    """Bytes that `data` takes as a segment, without heads."""
    encoder = route.new_encoder(choice.predictor, choice.settings, len(data))
    encoder.look_ahead(data)
    size = 0
    with memoryview(data) as view:
        for at in range(0, len(data), MAX_CHUNK):
            chunk = view[at : at + MAX_CHUNK]
            encoder.write(chunk)
            size += min(len(encoder.finish_chunk()), len(chunk))
    return size


def _entropy(counts: Counter[int]) -> float:
    """Bits that all of these symbols take by their own distribution."""
    total = counts.total()
    return sum(n * log2(total / n) for n in counts.values() if n)


def plane_names(kind: str) -> tuple[str, ...]:
    """What each plane of a kind holds, in the order of FORMAT.md."""
    floats = {"f64": 8, "f32": 4, "bf16": 2}
    if kind in floats:
        low = tuple(f"mantissa, byte {n}" for n in range(floats[kind] - 3, -1, -1))
        mantissa = "sign, mantissa" if kind == "bf16" else "sign, top of mantissa"
        exponent = "upper exponent" if kind == "f64" else "exponent"
        if kind == "f64":
            mantissa = "sign, rest of exponent, top of mantissa"
        return (exponent, mantissa, *low)
    if kind == "f16":
        return ("sign, exponent, top of mantissa", "mantissa")
    if kind in _BLOCKS:
        return _BLOCKS[kind]
    width = KINDS[kind][1]
    return tuple(f"byte {n}" for n in range(width - 1, -1, -1)) if width > 1 else ("value",)


_SCALE = ("scale, low byte", "scale, high byte")
_MIN = ("minimum, low byte", "minimum, high byte")
_BLOCKS = {
    "q4_0": (*_SCALE, "quants"),
    "q4_1": (*_SCALE, *_MIN, "quants"),
    "q5_0": (*_SCALE, "high bits", "quants"),
    "q5_1": (*_SCALE, *_MIN, "high bits", "quants"),
    "q8_0": (*_SCALE, "quants"),
    "q2_k": ("block scales", "quants", *_SCALE, *_MIN),
    "q3_k": ("high bits", "quants", "block scales", *_SCALE),
    "q4_k": (*_SCALE, *_MIN, "block scales", "quants"),
    "q5_k": (*_SCALE, *_MIN, "block scales", "high bits", "quants"),
    "q6_k": ("quants", "high bits", "block scales", *_SCALE),
    "q8_k": (*(f"scale, byte {n}" for n in range(4)), "quants", "block sums"),
}
