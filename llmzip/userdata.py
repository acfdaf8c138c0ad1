"""Where what llmzip keeps for its user lies: models, corpora; and what it can make again."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def folder(kind: str, variable: str, environment: Mapping[str, str] = os.environ) -> str:
    """The folder for `kind`: what `variable` says, or the platform's for a program's data."""
    if environment.get(variable):
        return environment[variable]
    data = _platform(environment, "Application Support", "XDG_DATA_HOME", (".local", "share"))
    return os.path.join(data, "llmzip", kind)


def cache(kind: str, environment: Mapping[str, str] = os.environ) -> str:
    """The folder for `kind` of what costs only time to lose: below `LLMZIP_CACHE`, or the system's
    for caches.
    """
    if environment.get("LLMZIP_CACHE"):
        return os.path.join(environment["LLMZIP_CACHE"], kind)
    caches = _platform(environment, "Caches", "XDG_CACHE_HOME", (".cache",))
    return os.path.join(caches, "llmzip", kind)


def _platform(
    environment: Mapping[str, str], library: str, variable: str, below_home: tuple[str, ...]
) -> str:
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", library)
    if sys.platform == "win32":
        return environment.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    return environment.get(variable) or os.path.join(home, *below_home)
