"""Compressors by the names that `--with` takes."""

from __future__ import annotations

import os
import re
from functools import partial

from llmzip.errors import ModelError, UsageError
from llmzip.measure import tools
from llmzip.options import DEFAULT_LEVEL, check_model
from llmzip.record import Record
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmzip.errors import LlmzError
    from llmzip.measure.tools import Tool
    from llmzip.models.store import Model

    Make = Callable[[str, int], Tool]

# The peers: what makes their command line, the option that they have by default (the strongest that
# is in use), and what options they take.
_PEERS: dict[str, tuple[Make, str, str]] = {
    "xz": (tools.xz, "9e", "[0-9]e?"),
    "zstd": (tools.zstd, "22", "[1-9]|1[0-9]|2[0-2]"),
    "brotli": (tools.brotli, "11", "[0-9]|1[01]"),
    "bzip3": (tools.bzip3, "16", "[1-9]|[1-9][0-9]|[1-4][0-9][0-9]|50[0-9]|51[01]"),
    "zpaq": (tools.zpaq, "5", "[0-5]"),
    "lrzip": (tools.lrzip, "9", "[1-9]"),
    "bzip2": (tools.bzip2, "9", "[1-9]"),
    "gzip": (tools.gzip, "9", "[1-9]"),
    "paq8px": (tools.paq8px, "8", "[0-9]{1,2}[A-Z]*"),
    "lpaq8": (tools.lpaq8, "9", "[0-9]"),
}
# The programs that a path may lead to, since no package has them.
_BY_PATH = {"paq8px": tools.paq8px, "lpaq8": tools.lpaq8}
_PREDICTORS = ("cm", "tensor", "pc")
_WITH_MODEL = ("llm", "circuit")


class Compressor(Record):
    """A tool of a run; `spec` is what `--with` calls it, with its option written out.

    own: whether it is llmzip. model: the one that it is given. trouble: why it cannot run at all.
    """

    spec: str
    tool: Tool
    own: bool = False
    model: Model | None = None
    trouble: LlmzError | None = None


def choose(
    wanted: str | Sequence[str] | None = None,
    *,
    level: int | None = None,
    model: str | None = None,
    threads: int = 1,
) -> list[Compressor]:
    """The compressors that a comma-separated list names, each once.

    None: llmzip, the six peers that bench/ has, bzip2 and gzip. level: llmzip's where a name has
    none. model: adds llmzip with that model. A model that is missing is the compressor's `trouble`;
    `UsageError` for a name or option that there is not.
    """
    level = DEFAULT_LEVEL if level is None else level
    if wanted is None:
        wanted = ["llmzip", *(name for name in _PEERS if name not in _BY_PATH)]
    elif isinstance(wanted, str):
        wanted = wanted.split(",")
    words = [word.strip() for word in wanted if word.strip()]
    if model is not None:
        words.append(f"llm:{model}")
    if not words:
        raise UsageError("--with names no compressor; write for example llmzip,xz,zstd")
    found: dict[str, Compressor] = {}
    for word in words:
        one = _compressor(word, level, threads)
        found.setdefault(one.spec, one)
    return list(found.values())


def _compressor(word: str, level: int, threads: int) -> Compressor:
    if re.fullmatch("-[1-9]", word):
        return _own(f"llmzip:{word[1]}", (word,), threads)
    head, colon, option = word.partition(":")
    if head in _WITH_MODEL:
        return _modelled(head, option, level, threads)
    if head in ("llmzip", *_PREDICTORS):
        if colon and not re.fullmatch("[1-9]", option):
            raise _no_option(word, option, "a level from 1 to 9")
        level = int(option or level)
        predictor = () if head == "llmzip" else ("-p", head)
        return _own(f"{head}:{level}", (f"-{level}", *predictor), threads)
    return _peer(word, threads)


def _own(spec: str, options: tuple[str, ...], threads: int) -> Compressor:
    # What was written is decoded by another process anyhow.
    tool = tools.own(
        (*options, "--no-verify"), name=" ".join(("llmzip", *options)), threads=threads
    )
    return Compressor(spec, tool, own=True)


def _modelled(head: str, option: str, level: int, threads: int) -> Compressor:
    from llmzip.models import store

    found = re.fullmatch("(.+?)(?::([1-9]))?", option)
    if found is None:
        raise UsageError(f"{head} needs a model: write {head}:NAME, as llmzip models list has it")
    wanted, level = found[1], int(found[2] or level)
    alone = ("-p", "circuit") if head == "circuit" else ()
    check_model(level, alone[1] if alone else None)
    options, read = (f"-{level}", *alone, "-m"), ("-m", "{model}")
    name = " ".join(("llmzip", *options, wanted))
    tool = tools.own((*options, "{model}", "--no-verify"), read, name=name, threads=threads)
    spec = f"{head}:{wanted}:{level}"
    try:
        model = store.find(wanted)
    except ModelError as error:
        return Compressor(spec, tool, own=True, trouble=error)
    return Compressor(spec, tool, own=True, model=model.replace(path=os.path.abspath(model.path)))


def _peer(word: str, threads: int) -> Compressor:
    make: Make
    folder, slash, rest = word.rpartition("/")
    head, colon, option = rest.partition(":")
    if head not in _PEERS or (slash and head not in _BY_PATH):
        known = ", ".join(("llmzip", "-1 to -9", *_PREDICTORS, "llm:MODEL", "circuit:MODEL"))
        peers = ", ".join(_PEERS)
        raise UsageError(f"--with: {printable(word)!r} is none of {known}, {peers}")
    make, default, allowed = _PEERS[head]
    if colon and not re.fullmatch(allowed, option):
        raise _no_option(word, option, f"as in {head}:{default}")
    option = option or default
    if slash:
        make = partial(_BY_PATH[head], program=os.path.abspath(f"{folder}/{head}"))
    return Compressor(f"{folder}{slash}{head}:{option}", make(option, threads))


def _no_option(word: str, option: str, right: str) -> UsageError:
    name = printable(word.partition(":")[0])
    return UsageError(f"--with: {printable(option)!r} is no option of {name}; write {right}")
