"""Files of weights, built byte by byte, and what must hold of every plan."""

from __future__ import annotations

import json
import struct
from io import BytesIO

from llmzip.tensors.kinds import KINDS, byte_length
from llmzip.tensors.layout import Region, plan, plan_prefix


def planned(data: bytes) -> tuple[Region, ...] | None:
    """The plan of a file that holds `data`, after a check of all that a plan promises."""
    regions = plan(BytesIO(data), len(data))
    if regions is None:
        return None
    end = 0
    for region in regions:
        assert region.offset == end
        assert region.length > 0
        if region.kind:
            assert region.kind in KINDS
            assert byte_length(region.kind, region.shape) == region.length
        else:
            assert region.shape == ()
        assert len(region.label.encode()) <= 4096
        end += region.length
    assert end == len(data)
    labels = [region.label for region in regions if region.label]
    assert len(labels) == len(set(labels))
    return regions


def tensors(data: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Kind, shape and bytes of what has a label; the file must have a plan."""
    regions = planned(data)
    assert regions is not None
    return {
        region.label: (region.kind, region.shape, data[region.offset :][: region.length])
        for region in regions
        if region.label
    }


def survives(data: bytes) -> None:
    """Every piece of `data` from its start, and every flip of a bit of it, is planned or not."""
    for length in range(len(data)):
        planned(data[:length])
        check_prefix(data[:length])
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        planned(bytes(flipped))
        check_prefix(bytes(flipped))


def check_prefix(prefix: bytes) -> tuple[Region, ...] | None:
    """The plan of an input that begins with `prefix`, after a check of what it promises."""
    regions = plan_prefix(prefix)
    if regions is None:
        return None
    end = 0
    for region in regions[:-1]:
        assert region.offset == end
        assert region.length > 0
        end += region.length
    assert regions[-1] == Region(end, -1)
    return regions


def safetensors(table: object, data: bytes = b"", *, padding: int = 0) -> bytes:
    """A file with `table` (bytes, or what json writes) before `data`."""
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    text += b" " * padding
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    """An entry of a safetensors table."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
