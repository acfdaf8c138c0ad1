"""What each tensor of an archive takes, and each field of its elements."""

from __future__ import annotations

from llmzip import _native, route
from llmzip.asked import asked
from llmzip.container import CODED, STORED_AFTER_CODING
from llmzip.describe import describe
from llmzip.explain.results import Field, Tensor
from llmzip.tensors.describe import tensors_of
from llmzip.tensors.sampling import plane_names
from llmzip.walk import Chunk, SegmentEnd, SegmentStart, pull, walk_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from llmzip.describe import ArchiveInfo

_TENSOR = "tensor"
# Where settings of `tensor` have their mode, and the modes that are not plain.
_MODE = 2
_CHANGE, _VALUES = 1, 3


def tensors(source: BinaryIO) -> tuple[Tensor, ...]:
    """The tensors of the archives in `source`, which can seek; none where they have none.

    Segments of predictor `tensor` are decoded to see what their fields take, but for changes of a
    base, which would have to be there. Raises as `describe`, and `CorruptError`.
    """
    source.seek(0)
    archives = describe(source).archives
    found = []
    source.seek(0)
    fields = _fields(source, archives) if any(map(_is_cut, archives)) else [{} for _ in archives]
    for archive, own in zip(archives, fields, strict=True):
        for tensor in tensors_of(archive, source):
            if tensor.stored_bytes is None:
                continue
            taken = own.get(tensor.name, ("", []))
            found.append(
                Tensor(
                    tensor.name,
                    tensor.kind,
                    tensor.shape,
                    tensor.raw_bytes,
                    tensor.stored_bytes,
                    tensor.method,
                    _named(tensor.kind, *taken),
                )
            )
    return tuple(found)


def _is_cut(archive: ArchiveInfo) -> bool:
    return any(segment.label for segment in archive.segments)


def _named(kind: str, how: str, planes: list[int]) -> tuple[Field, ...]:
    if not any(planes):
        return ()
    names = plane_names(kind) if kind and not how else ()
    if len(names) != len(planes):
        names = (how,) if how else tuple(f"plane {n}" for n in range(len(planes)))
    return tuple(map(Field, names, planes))


def _fields(
    source: BinaryIO, archives: tuple[ArchiveInfo, ...]
) -> list[dict[str, tuple[str, list[int]]]]:
    """For each archive, by label: how elements are coded where not plainly, bytes of each plane."""
    found: list[dict[str, tuple[str, list[int]]]] = [{} for _ in archives]
    at = {
        segment.offset: (number, segment.label)
        for number, archive in enumerate(archives)
        for segment in archive.segments
    }
    decoder: _native.Decoder | None = None
    place, how = (0, ""), ""
    for event in pull(source, walk_file()):
        if isinstance(event, SegmentStart):
            place, header = at.get(event.offset, (0, "")), event.header
            decoder = None
            told = bool(place[1]) and not header.is_copy and event.predictor.id == _TENSOR
            if told and header.settings[_MODE] != _CHANGE:
                how = "numbers of values" if header.settings[_MODE] == _VALUES else ""
                decoder = route.new_decoder(event.predictor, header.settings, header.raw_len)
        elif isinstance(event, Chunk) and decoder is not None:
            _take(decoder, event)
        elif isinstance(event, SegmentEnd) and decoder is not None:
            _, planes = found[place[0]].setdefault(place[1], (how, []))
            for number, taken in enumerate(decoder.planes):
                if number == len(planes):
                    planes.append(0)
                planes[number] += taken
            decoder = None
    return found


def _take(decoder: _native.Decoder, chunk: Chunk) -> None:
    if chunk.head.type == CODED:
        asked(decoder.decode_chunk, chunk.payload, chunk.head.raw_len)
    elif chunk.head.type == STORED_AFTER_CODING:
        asked(decoder.train, chunk.payload)
