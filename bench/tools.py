"""The compressors that are measured, as command lines."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tool:
    """A compressor with its options.

    In ``compress`` and ``decompress`` the words ``{input}``, ``{archive}`` and ``{output}`` stand
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


def peers() -> list[Tool]:
    """The general compressors that Debian has packages of, at their strongest, on one thread."""
    return [
        Tool(
            "xz -9e",
            "xz",
            ("-9e", "-T1", "-k", "-c", "{input}"),
            ("-d", "-T1", "-c", "{archive}"),
        ),
        Tool(
            "zstd --ultra -22",
            "zstd",
            ("--ultra", "-22", "-T1", "-q", "-f", "-o", "{archive}", "{input}"),
            ("-d", "-T1", "-q", "-f", "-o", "{output}", "{archive}"),
        ),
        Tool(
            "brotli -q 11",
            "brotli",
            ("-q", "11", "-f", "-o", "{archive}", "{input}"),
            ("-d", "-f", "-o", "{output}", "{archive}"),
        ),
        Tool(
            "bzip3 -b 16",
            "bzip3",
            ("-e", "-b", "16", "-f", "{input}", "{archive}"),
            ("-d", "-f", "{archive}", "{output}"),
        ),
        Tool(
            "zpaq -m5",
            "zpaq",
            ("a", "{archive}", "{input}", "-m5", "-t1"),
            ("x", "{archive}", "{input}", "-to", "{output}", "-t1"),
            version=(),
        ),
        Tool(
            "lrzip -z -L9",
            "lrzip",
            ("-z", "-L9", "-p1", "-q", "-o", "{archive}", "{input}"),
            ("-d", "-p1", "-q", "-o", "{output}", "{archive}"),
        ),
    ]


def llmzip(program: str, levels: Iterable[int], default: int = 6) -> list[Tool]:
    """llmzip at ``levels`` without verification, and at its default level with it."""
    read = ("-d", "-T1", "-q", "-k", "-f", "-o", "{output}", "{archive}")

    def tool(level: int, *extra: str) -> Tool:
        options = (f"-{level}", *extra)
        write = (*options, "-T1", "-q", "-k", "-f", "-o", "{archive}", "{input}")
        return Tool(" ".join(("llmzip", *options)), program, write, read)

    return [*(tool(level, "--no-verify") for level in levels), tool(default)]


def paq8px(program: str, level: str) -> Tool:
    """paq8px at a level such as ``8`` or ``8L``."""
    return Tool(
        f"paq8px -{level}",
        program,
        (f"-{level}", "{input}", "{archive}"),
        ("-d", "{archive}", "{output}"),
        version=(),
    )


def lpaq8(program: str, level: int) -> Tool:
    """lpaq8 (or lpaq1, lpaq9: the same command line) at a memory level."""
    return Tool(
        f"lpaq8 {level}",
        program,
        (str(level), "{input}", "{archive}"),
        ("d", "{archive}", "{output}"),
        version=(),
    )
