"""What this machine calls itself, beside numbers that depend on it."""

from __future__ import annotations

import os
import platform


def processor() -> str:
    """The processor's name, or its architecture where the system does not tell."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine() -> str:
    """The processor's name and its number of cores."""
    return f"{processor()}, {os.cpu_count()} cores"
