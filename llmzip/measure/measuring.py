"""Runs compressors on files, one after the other, and keeps what they gave."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shlex
import shutil
import tempfile
import time
from pathlib import Path

from llmzip.errors import LlmzError
from llmzip.fileio import ChangedError
from llmzip.measure import inputs as gathering
from llmzip.measure.child import Failed, memory_floor, run
from llmzip.measure.compressors import choose
from llmzip.measure.kept import MEASURING, Kept, folder
from llmzip.measure.machine import machine
from llmzip.measure.results import NO_MODEL, NOT_INSTALLED, Result, Run
from llmzip.measure.tools import environment, python
from llmzip.measure.trial import trial
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from llmzip.measure.compressors import Compressor
    from llmzip.measure.inputs import Input, Trouble


class Step(Record):
    """How far a run is, before a measurement and at the end.

    done of `total` measurements have a result, `kept` of them from earlier runs. `file` and
    `compressor` are what is measured now, "" at the end. left: seconds that the rest takes, by the
    speed of each compressor so far; None while one of them has none.
    """

    done: int
    total: int
    kept: int
    file: str
    compressor: str
    left: float | None


def measure(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    with_: str | Sequence[str] | None = None,
    *,
    level: int | None = None,
    model: str | None = None,
    threads: int = 1,
    recursive: bool = False,
    again: bool = False,
    progress: Callable[[Step], None] = lambda step: None,
    trouble: Trouble | None = None,
) -> Run:
    """Measures every compressor on every file; see `inputs.gather` for what `paths` may be.

    with_: names of compressors, as `--with` takes them; None for llmzip and all peers.
    level: llmzip's where a name has none. model: adds llmzip with that model.
    again: measure what an earlier run has kept, too.
    trouble: called with a name and an error for what cannot be measured, while the rest goes on;
        without it the error is raised.

    A compressor that is not installed, or fails on a file, has a result whose `status` says so.
    Raises `UsageError` for compressors that there are not, and what `trouble` would have been told.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    told = _raise if trouble is None else trouble
    compressors = choose(with_, level=level, model=model, threads=threads)
    for one in compressors:
        if one.trouble is not None:
            told(one.tool.name, one.trouble)
    found = gathering.gather(map(str, paths), recursive=recursive, trouble=told)
    with tempfile.TemporaryDirectory(prefix="llmzip-measure-") as scratch:
        found += gathering.checks(found, Path(scratch))
        work = _Work(found, compressors, Path(scratch), again, progress, told)
        return Run(
            work.results(),
            machine=work.machine,
            version=_version(),
            measuring=MEASURING,
            threads=threads,
            peak_floor=memory_floor(),
            date=_today(),
        )


class _Work:
    """One run: what is to be measured, and what has been."""

    def __init__(
        self,
        found: Sequence[Input],
        compressors: Sequence[Compressor],
        scratch: Path,
        again: bool,
        progress: Callable[[Step], None],
        trouble: Trouble,
    ) -> None:
        self.machine = machine()
        self._pairs = [(one, compressor) for one in found for compressor in compressors]
        self._kept = {one.spec: Kept(one, self.machine) for one in compressors}
        self._scratch = scratch
        self._progress = progress
        self._trouble = trouble
        self._results: dict[tuple[str, str], Result] = {}
        self._count_kept = 0
        self._keeps = True
        # Seconds and bytes of each compressor so far.
        self._spent = {one.spec: (0.0, 0) for one in compressors}
        for one, compressor in self._pairs:
            self._settle(one, compressor, again)

    def _settle(self, one: Input, compressor: Compressor, again: bool) -> None:
        """A result that needs no measuring, where there is one."""
        if compressor.trouble is not None:
            self._note(_blank(one, compressor, "", NO_MODEL))
        elif compressor.tool.path() is None:
            self._note(_blank(one, compressor, "", NOT_INSTALLED))
        else:
            known = self._kept[compressor.spec].find(one.sha256)
            if known is not None:
                # Even if it is measured again, this tells how long that takes.
                self._time(known)
                if not again:
                    self._count_kept += 1
                    self._note(known.replace(file=one.name, check=one.check, kept=True))

    def _note(self, result: Result) -> None:
        self._results[result.file, result.spec] = result

    def _time(self, result: Result) -> None:
        seconds, count = self._spent[result.spec]
        seconds += result.compress.wall + result.decompress.wall
        self._spent[result.spec] = seconds, count + result.raw_bytes

    def results(self) -> tuple[Result, ...]:
        """Measures what is left; all results, in the order of files and compressors."""
        rest = [pair for pair in self._pairs if (pair[0].name, pair[1].spec) not in self._results]
        copied, lost = "", ""
        source = self._scratch / "source"
        for number, (one, compressor) in enumerate(rest):
            self._progress(self._step(one.name, compressor.tool.name, rest[number:]))
            try:
                if one.name not in (copied, lost):
                    copied = ""
                    _copy(one, source)
                    copied = one.name
            except (OSError, LlmzError) as error:
                lost = one.name
                self._trouble(one.name, error)
            if one.name == lost:
                self._note(_blank(one, compressor, "", "not as it was when the run began"))
                continue
            result = self._measure(one, compressor, source)
            self._note(result)
            if result.ok:
                self._time(result)
                self._keep(result)
        source.unlink(missing_ok=True)
        self._progress(self._step("", "", []))
        return tuple(self._results[one.name, compressor.spec] for one, compressor in self._pairs)

    def _measure(self, one: Input, compressor: Compressor, source: Path) -> Result:
        tool, version = compressor.tool, self._kept[compressor.spec].version
        told: dict[str, Any] = {}

        def look(archive: Path) -> None:
            if compressor.own:
                told.update(_inside(archive, source, self._scratch))

        model = "" if compressor.model is None else compressor.model.path
        try:
            done = trial(tool, source, self._scratch, model=model, look=look)
        except Failed as error:
            return _blank(one, compressor, version, str(error))
        result = _blank(one, compressor, version, "ok").replace(
            archive_bytes=done.size, compress=done.compress, decompress=done.decompress
        )
        return result.replace(**told)

    def _keep(self, result: Result) -> None:
        if self._keeps:
            try:
                self._kept[result.spec].add(result)
            except OSError as error:
                self._keeps = False
                self._trouble(folder(), error)

    def _step(self, file: str, compressor: str, rest: Sequence[tuple[Input, Compressor]]) -> Step:
        left: float | None = 0.0
        for one, other in rest:
            seconds, count = self._spent[other.spec]
            left = None if left is None or not count else left + seconds / count * one.bytes
        total = len(self._pairs)
        return Step(total - len(rest), total, self._count_kept, file, compressor, left)


def _blank(one: Input, compressor: Compressor, version: str, status: str) -> Result:
    """A result without numbers."""
    tool = compressor.tool
    words = (Path(tool.program).name, *tool.compress)
    if compressor.own:
        # Not how this very llmzip is found.
        words = ("llmzip", *tool.compress[len(python("llmzip")) - 1 :])
    return Result(
        one.name,
        one.sha256,
        one.bytes,
        tool.name,
        compressor.spec,
        version,
        shlex.join(words),
        status=status,
        check=one.check,
        date=_today(),
    )


def _inside(archive: Path, content: Path, scratch: Path) -> dict[str, Any]:
    """What `along.inside` finds, in a process that the others' memory does not show."""
    printed = scratch / "inside.json"
    run(
        [*python("llmzip.measure.along"), str(archive), str(content)],
        folder=scratch,
        stdout=printed,
        environment=environment(),
    )
    found: dict[str, Any] = json.loads(printed.read_text())
    printed.unlink()
    return found | {"along": tuple((at, bits) for at, bits in found["along"])}


def _copy(one: Input, target: Path) -> None:
    """The very content whose sum was taken; a file may change while others are measured."""
    target.unlink(missing_ok=True)
    shutil.copyfile(one.path, target)
    with open(target, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != one.sha256:
            raise ChangedError(f"{one.path} has changed since the run began: measure it again")


def _today() -> str:
    return datetime.date.fromtimestamp(time.time()).isoformat()


def _version() -> str:
    from llmzip._native import VERSION

    return VERSION


def _raise(name: str, error: Exception) -> None:
    raise error
