"""Compressors as command lines."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig

from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What peers read from the environment beside their command line: options of the user's own.
_OPTIONS = (
    *("XZ_OPT", "XZ_DEFAULTS", "ZSTD_CLEVEL", "ZSTD_NBTHREADS", "GZIP", "BZIP", "BZIP2"),
    *("LLMZIP_THREADS",),
)


class Tool(Record):
    """A compressor with its options.

    In `compress` and `decompress` the words `{input}`, `{archive}`, `{output}` and `{model}` stand
    for file names; a command without the name of its result writes it to standard output.
    """

    name: str
    program: str
    compress: tuple[str, ...]
    decompress: tuple[str, ...]
    version: tuple[str, ...] = ("--version",)

    def path(self) -> str | None:
        """Where the program is, or None when it is not installed."""
        return shutil.which(self.program)

    def describe(self) -> str:
        """The version that the program states, or an empty string when it states none."""
        try:
            asked = subprocess.run(
                [self.program, *self.version],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=20,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = re.search(r"\bv?(\d+(?:\.\d+)+[\w.+-]*)", asked.stdout + asked.stderr)
        return found[1] if found else ""


def environment() -> dict[str, str]:
    """The environment of a measured program: this one without options for compressors."""
    kept = {name: value for name, value in os.environ.items() if name not in _OPTIONS}
    # lrzip reads a file of settings otherwise.
    return kept | {"LRZIP": "NOCONFIG"}


def peers() -> list[Tool]:
    """The general compressors that Debian has packages of, at their strongest, on one thread."""
    return [xz("9e"), zstd("22"), brotli("11"), bzip3("16"), zpaq("5"), lrzip("9")]


def xz(level: str, threads: int = 1) -> Tool:
    """xz at a level such as `9` or `9e`."""
    there = (f"-{level}", f"-T{threads}", "-k", "-c", "{input}")
    return Tool(f"xz -{level}", "xz", there, ("-d", f"-T{threads}", "-c", "{archive}"))


def zstd(level: str, threads: int = 1) -> Tool:
    """zstd at a level from 1 to 22."""
    options = ("--ultra", f"-{level}") if int(level) > 19 else (f"-{level}",)
    there = (*options, f"-T{threads}", "-q", "-f", "-o", "{archive}", "{input}")
    back = ("-d", f"-T{threads}", "-q", "-f", "-o", "{output}", "{archive}")
    return Tool(" ".join(("zstd", *options)), "zstd", there, back)


def brotli(quality: str, threads: int = 1) -> Tool:
    """brotli at a quality from 0 to 11; it has one thread."""
    there = ("-q", quality, "-f", "-o", "{archive}", "{input}")
    back = ("-d", "-f", "-o", "{output}", "{archive}")
    return Tool(f"brotli -q {quality}", "brotli", there, back)


def bzip3(block: str, threads: int = 1) -> Tool:
    """bzip3 with blocks of so many MiB."""
    jobs = ("-j", str(threads)) if threads > 1 else ()
    there = ("-e", "-b", block, *jobs, "-f", "{input}", "{archive}")
    return Tool(f"bzip3 -b {block}", "bzip3", there, ("-d", *jobs, "-f", "{archive}", "{output}"))


def zpaq(method: str, threads: int = 1) -> Tool:
    """zpaq with a method from 0 to 5."""
    there = ("a", "{archive}", "{input}", f"-m{method}", f"-t{threads}")
    back = ("x", "{archive}", "{input}", "-to", "{output}", f"-t{threads}")
    return Tool(f"zpaq -m{method}", "zpaq", there, back, version=())


def lrzip(level: str, threads: int = 1) -> Tool:
    """lrzip with its zpaq backend at a level from 1 to 9."""
    there = ("-z", f"-L{level}", f"-p{threads}", "-q", "-o", "{archive}", "{input}")
    back = ("-d", f"-p{threads}", "-q", "-o", "{output}", "{archive}")
    return Tool(f"lrzip -z -L{level}", "lrzip", there, back)


def bzip2(level: str, threads: int = 1) -> Tool:
    """bzip2 at a level from 1 to 9; it has one thread."""
    return Tool(f"bzip2 -{level}", "bzip2", (f"-{level}", "-k", "-c", "{input}"), _BACK)


def gzip(level: str, threads: int = 1) -> Tool:
    """gzip at a level from 1 to 9, without the name; it has one thread."""
    return Tool(f"gzip -{level}", "gzip", (f"-{level}", "-n", "-k", "-c", "{input}"), _BACK)


_BACK = ("-d", "-c", "{archive}")


def llmzip(program: str, levels: Iterable[int], default: int = 6) -> list[Tool]:
    """llmzip at `levels` without verification, and at its default level with it."""
    tools = [own((f"-{level}", "--no-verify"), program=(program,)) for level in levels]
    return [*tools, own((f"-{default}",), program=(program,))]


def python(module: str) -> tuple[str, ...]:
    """This Python, to run a module of this very package in whatever folder it is started."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if top in sysconfig.get_paths().values():
        return sys.executable, "-P", "-m", module
    # From a checkout: another llmzip may be installed.
    start = f"import runpy, sys; sys.path.insert(0, {top!r}); runpy.run_module({module!r}, None, "
    return sys.executable, "-P", "-c", start + "'__main__', True)"


def own(
    options: tuple[str, ...],
    read: tuple[str, ...] = (),
    *,
    name: str | None = None,
    program: tuple[str, ...] | None = None,
    threads: int = 1,
) -> Tool:
    """llmzip with `options` for compressing and `read` for decompressing.

    program: by default that of this very package.
    """
    first, *asked = program or python("llmzip")
    # Braces stand for files in words.
    words = [word.replace("{", "{{").replace("}", "}}") for word in asked]
    common = (f"-T{threads}", "-q", "-k", "-f", "-o")
    there = (*words, *options, *common, "{archive}", "{input}")
    back = (*words, "-d", *read, *common, "{output}", "{archive}")
    name = name or " ".join(("llmzip", *options))
    return Tool(name, first, there, back, (*asked, "--version"))


def paq8px(level: str, threads: int = 1, *, program: str = "paq8px") -> Tool:
    """paq8px at a level such as `8` or `8L`; it has one thread."""
    there = (f"-{level}", "{input}", "{archive}")
    return Tool(f"paq8px -{level}", program, there, ("-d", "{archive}", "{output}"), version=())


def lpaq8(level: str, threads: int = 1, *, program: str = "lpaq8") -> Tool:
    """lpaq8 (or lpaq1, lpaq9: the same command line) at a memory level; it has one thread."""
    there = (level, "{input}", "{archive}")
    return Tool(f"lpaq8 {level}", program, there, ("d", "{archive}", "{output}"), version=())
