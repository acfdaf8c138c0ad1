"""One compression and decompression of a file by a tool, as processes of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

from llmzip.measure.child import Failed, run
from llmzip.measure.results import Cost
from llmzip.measure.tools import environment
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llmzip.measure.tools import Tool

_PIECE = 1 << 20


class Trial(Record):
    """Bytes of an archive that was decoded to its input, and what both ways cost."""

    size: int
    compress: Cost
    decompress: Cost


def trial(
    tool: Tool,
    file: Path,
    scratch: Path,
    timeout: float | None = None,
    *,
    model: str = "",
    look: Callable[[Path], None] = lambda archive: None,
) -> Trial:
    """Compresses `file` with `tool` in the folder `scratch`, decodes the archive and compares.

    `look` is called with the archive's path once it has proved good. Raises `Failed` when a command
    fails or the bytes differ.
    """
    program = tool.path()
    if program is None:
        raise Failed("not installed")
    # Every tool sees the same short name: some store it in the archive, and a name like -rf is an
    # option to others.
    copied = scratch / "input"
    shutil.copyfile(file, copied)
    archive, output = scratch / "archive.coded", scratch / "decoded.raw"
    names = {"input": copied.name, "archive": str(archive), "output": str(output), "model": model}
    try:
        there = _one_way(program, tool.compress, names, archive, timeout)
        size = archive.stat().st_size
        if not size:
            raise Failed("wrote an empty archive")
        back = _one_way(program, tool.decompress, names, output, timeout)
        if not same_bytes(file, output):
            raise Failed("decodes to other bytes")
        if _count(archive) != size:
            raise Failed("changes its archive while decoding")
        look(archive)
    finally:
        for path in (copied, archive, output):
            path.unlink(missing_ok=True)
    return Trial(size, there, back)


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files hold the same; read anew at every call."""
    with open(one, "rb") as first, open(other, "rb") as second:
        while piece := first.read(_PIECE):
            if second.read(_PIECE) != piece:
                return False
        return not second.read(1)


def _count(file: Path) -> int:
    """The bytes that reading a file gives."""
    count = 0
    with open(file, "rb") as source:
        while piece := source.read(_PIECE):
            count += len(piece)
    return count


def _one_way(
    program: str,
    words: Sequence[str],
    names: Mapping[str, str],
    result: Path,
    timeout: float | None,
) -> Cost:
    """Runs a command of a tool; its result must be the file `result` afterwards."""
    result.unlink(missing_ok=True)
    command = [program, *(word.format_map(names) for word in words)]
    own_output = any(str(result) in word for word in command)
    cost = run(
        command,
        folder=result.parent,
        stdout=None if own_output else result,
        timeout=timeout,
        environment=environment(),
    )
    if not result.is_file():
        raise Failed("wrote nothing")
    return cost
