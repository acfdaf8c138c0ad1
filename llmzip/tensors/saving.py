"""Arrays to archives of safetensors files, and back: what `numpy` and `torch` here share."""

from __future__ import annotations

import json
from _thread import allocate_lock
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from math import prod

from llmzip import route
from llmzip.duplicates import find
from llmzip.errors import UsageError
from llmzip.incremental import options_for
from llmzip.output import open_output
from llmzip.pieces import cut
from llmzip.streams import write_all
from llmzip.tensors.frameworks import framework as framework_of
from llmzip.tensors.layout import plan_prefix
from llmzip.tensors.opening import safe_open
from llmzip.tensors.safetensors import MAX_HEADER
from llmzip.workers import Meter, cores
from llmzip.writer import ArchiveEncoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

    from llmzip.options import Options
    from llmzip.tensors.frameworks import Framework
    from llmzip.writer import Part

_ALIGNMENT = 8


def load_file(
    filename: str | os.PathLike[Any], framework: str, device: Any, threads: int
) -> dict[str, Any]:
    """All tensors of a file by name."""
    with safe_open(filename, framework, device, threads=threads) as file:
        return {name: file.get_tensor(name) for name in file.offset_keys()}


def save_file(
    tensors: Mapping[str, Any],
    filename: str | os.PathLike[Any],
    metadata: Mapping[str, str] | None,
    framework: str,
    level: int | None,
    options: Options | None,
) -> None:
    """Writes the archive of a safetensors file of `tensors`; a file there is replaced at the end.

    The content is a safetensors file: the widest types first, then by name. Equal tensors are
    stored once.
    """
    import os

    made = options_for(level, options)
    content = _Content(tensors, metadata, framework_of(framework))
    regions = plan_prefix(content.front)
    if regions is None:
        raise UsageError("these names cannot be saved")
    size = made.segment_size or route.segment_size(made.level)
    # The last region is the rest, of which there is nothing.
    found = find(regions[:-1], content.read)
    plan = cut(regions[:-1], size, None, found)
    with open_output(os.fspath(filename), archive=False, force=True, inputs=()) as output:
        threads = made.threads or cores()
        with ArchiveEncoder(
            made,
            Meter(None, None),
            threads=threads,
            plan=plan,
            found=found,
            read=content.read,
        ) as encoder:
            for part in _coded(encoder, content):
                write_all(output.stream, part)
        output.commit()


def _coded(encoder: ArchiveEncoder, content: _Content) -> Iterator[Part]:
    yield from encoder.feed(content.front)
    for part in content.parts():
        yield from encoder.feed(part)
    yield from encoder.finish()


class _Content:
    """The safetensors file of `tensors`, whose bytes are laid out when they are asked for.

    front: its table with the length before it.
    """

    def __init__(
        self,
        tensors: Mapping[str, Any],
        metadata: Mapping[str, str] | None,
        arrays: Framework,
    ) -> None:
        self._tensors = tensors
        self._arrays = arrays
        self._lock = allocate_lock()
        # The array whose bytes were asked for last: they are, a piece at a time.
        self._last: tuple[str, Any, memoryview] = ("", None, memoryview(b""))
        table: dict[str, Any] = {}
        if metadata is not None:
            if not all(isinstance(text, str) for pair in metadata.items() for text in pair):
                raise UsageError("metadata maps texts to texts")
            table["__metadata__"] = dict(metadata)
        entries = []
        for name, array in tensors.items():
            if not isinstance(name, str) or name == "__metadata__":
                raise UsageError(f"{name!r} cannot be a tensor's name")
            dtype, shape = arrays.dtype(array), arrays.shape(array)
            entries.append((-arrays.width(array), name, dtype, shape))
        entries.sort()
        self._names: list[str] = []
        self._starts: list[int] = []
        end = 0
        for width, name, dtype, shape in entries:
            begin, end = end, end - width * prod(shape)
            table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
            if begin < end:
                self._names.append(name)
                self._starts.append(begin)
        text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % _ALIGNMENT)
        if len(text) > MAX_HEADER:
            raise UsageError("the table of these tensors is larger than safetensors allows")
        self.front = len(text).to_bytes(8, "little") + text

    def parts(self) -> Iterator[memoryview]:
        """The bytes of each tensor in turn."""
        for name in self._names:
            # What owns the bytes lives until the next one is asked for.
            owner, data = self._arrays.bytes_of(self._tensors[name])
            yield data
            del owner

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on, all of one tensor."""
        at = offset - len(self.front)
        number = bisect_right(self._starts, at) - 1
        name, begin = self._names[number], at - self._starts[number]
        with self._lock:
            if self._last[0] != name or self._last[1] is None:
                self._last = (name, *self._arrays.bytes_of(self._tensors[name]))
            return bytes(self._last[2][begin : begin + length])
