"""Where what llmzip keeps for its user lies: models, corpora."""

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
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        data = os.path.join(home, "Library", "Application Support")
    elif sys.platform == "win32":
        data = environment.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    else:
        data = environment.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return os.path.join(data, "llmzip", kind)
