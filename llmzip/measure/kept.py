"""Measurements that are kept, so that none is made twice.

One small JSON file each, in `$LLMZIP_CACHE/measure` or the user's folder for caches. What is kept
is found by all that it depends on: content, command, program, machine, and how it was measured.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os

from llmzip import userdata
from llmzip.measure.results import Result
from llmzip.output import open_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from llmzip.measure.compressors import Compressor
    from llmzip.measure.tools import Tool

# Of how a measurement is made and what it has: a new number makes all that is kept worthless.
MEASURING = 1


def folder(environment: Mapping[str, str] = os.environ) -> str:
    """Where measurements are kept."""
    return userdata.cache("measure", environment)


class Program:
    """A compressor's program as it is now: `version` is what it says, `mark` tells it from others.

    A program is asked for its version once; the answer is kept as long as its file is the same.
    """

    def __init__(self, compressor: Compressor) -> None:
        tool = compressor.tool
        path = tool.path()
        self.version, self.mark = "", ""
        if path is None:
            return
        if compressor.own:
            from llmzip._native import VERSION

            self.version, self.mark = VERSION, _package()
            return
        real = os.path.realpath(path)
        status = os.stat(real)
        facts = (real, status.st_size, status.st_mtime_ns, tool.version)
        self.mark = _digest(facts)
        name = f"version-{self.mark}.json"
        known = _load(name)
        if isinstance(known, dict) and isinstance(known.get("version"), str):
            self.version = known["version"]
        else:
            self.version = tool.describe() if tool.version else ""
            with contextlib.suppress(OSError):
                _save(name, {"program": real, "version": self.version})


def _package() -> str:
    """Tells this state of llmzip's files from any other; measuring itself does not count."""
    import llmzip

    top = os.path.dirname(os.path.abspath(llmzip.__file__))
    facts = []
    for place, folders, names in os.walk(top):
        folders[:] = sorted(set(folders) - {"measure", "__pycache__"})
        for name in sorted(names):
            status = os.stat(os.path.join(place, name))
            facts.append((os.path.relpath(place, top), name, status.st_size, status.st_mtime_ns))
    return _digest(facts)


class Kept:
    """The measurements of one compressor on this machine."""

    def __init__(self, compressor: Compressor, machine: str) -> None:
        self._program = Program(compressor)
        self.version = self._program.version
        tool, model = compressor.tool, compressor.model
        self._about = (
            *(MEASURING, compressor.spec, machine, self._program.mark, self._program.version),
            *(_words(tool), None if model is None else model.sha256),
        )

    def find(self, sha256: str) -> Result | None:
        """What is kept of content with this sum; its `file` is the name that it had then."""
        facts = _load(self._name(sha256))
        try:
            found = Result.from_dict(facts)
        except (TypeError, KeyError, ValueError, AttributeError):
            # Nothing, or a damaged file: it is measured again.
            return None
        return found if found.ok and found.sha256 == sha256 else None

    def add(self, result: Result) -> None:
        """Keeps a measurement; OSError where that cannot be."""
        _save(self._name(result.sha256), result.as_dict())

    def _name(self, sha256: str) -> str:
        return f"{_digest((*self._about, sha256))}.json"


def _words(tool: Tool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tool.compress, tool.decompress


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]


def _load(name: str) -> Any:
    try:
        with open(os.path.join(folder(), name), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        # Where nothing can be kept either, that is told.
        return None


def _save(name: str, facts: Mapping[str, Any]) -> None:
    place = folder()
    os.makedirs(place, exist_ok=True)
    text = json.dumps(facts) + "\n"
    with open_output(os.path.join(place, name), archive=False, force=True, inputs=()) as output:
        output.stream.write(text.encode())
        output.commit()
