"""Arrays to archives of safetensors files, and back: what `numpy` and `torch` here share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod

from llmzip import route
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

    The content is a safetensors file: the widest types first, then by name.
    """
    import os

    made = options_for(level, options)
    front, parts = _serialized(tensors, metadata, framework)
    regions = plan_prefix(front)
    if regions is None:
        raise UsageError("these names cannot be saved")
    size = made.segment_size or route.segment_size(made.level)
    # The last region is the rest, of which there is nothing.
    plan = cut(regions[:-1], size)
    with open_output(os.fspath(filename), archive=False, force=True, inputs=()) as output:
        threads = made.threads or cores()
        with ArchiveEncoder(made, Meter(None, None), threads=threads, plan=plan) as encoder:
            for part in _coded(encoder, front, parts):
                write_all(output.stream, part)
        output.commit()


def _coded(encoder: ArchiveEncoder, front: bytes, parts: Iterator[memoryview]) -> Iterator[bytes]:
    yield from encoder.feed(front)
    for part in parts:
        yield from encoder.feed(part)
    yield from encoder.finish()


def _serialized(
    tensors: Mapping[str, Any], metadata: Mapping[str, str] | None, framework: str
) -> tuple[bytes, Iterator[memoryview]]:
    """The file's table with its length in front, and the bytes of each tensor in turn."""
    arrays = framework_of(framework)
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
    end = 0
    for width, name, dtype, shape in entries:
        begin, end = end, end - width * prod(shape)
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > MAX_HEADER:
        raise UsageError("the table of these tensors is larger than safetensors allows")

    def parts() -> Iterator[memoryview]:
        for _, name, _, _ in entries:
            # What owns the bytes lives until the next one is asked for.
            owner, data = arrays.bytes_of(tensors[name])
            yield data
            del owner

    return len(text).to_bytes(8, "little") + text, parts()
