"""The corpora of this machine: a folder for each, and beside it a record of what was put there.

Only complete and checked files are in the folder; downloads under way are in `NAME.part`.
"""

from __future__ import annotations

import json
import os

from llmzip import userdata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from llmzip.corpora.manifest import Corpus


def folder(environment: Mapping[str, str] = os.environ) -> str:
    """Where corpora are kept: `LLMZIP_CORPORA`, or the platform's folder for a program's data."""
    return os.path.abspath(userdata.folder("corpora", "LLMZIP_CORPORA", environment))


def partial(name: str) -> str:
    """The folder of what is not complete yet."""
    return os.path.join(folder(), name + ".part")


def _record(name: str) -> str:
    return os.path.join(folder(), name + ".json")


def recorded(name: str) -> dict[str, dict[str, Any]]:
    """What `get` found out of each file: its bytes, its sha256 and which sum it was checked by.

    Empty for a corpus that was not got, or whose record is damaged.
    """
    try:
        with open(_record(name), encoding="utf-8") as file:
            files = json.load(file)["files"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}
    return files if isinstance(files, dict) else {}


def keep_record(name: str, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Notes what the files of a corpus are, now that all of them are there."""
    from llmzip.output import open_output

    text = json.dumps({"corpus": name, "files": files}, sort_keys=True, indent=1)
    with open_output(_record(name), archive=False, force=True, inputs=()) as output:
        output.stream.write(text.encode() + b"\n")
        output.commit()


def has(corpus: Corpus) -> bool:
    """Whether all files that were got are there with their sizes, and are those of the manifest.

    Contents are not read: `get` did that.
    """
    files = recorded(corpus.name)
    if not files:
        return False
    try:
        for path, facts in files.items():
            if os.stat(os.path.join(corpus.folder, path)).st_size != facts["bytes"]:
                return False
    except (OSError, KeyError, TypeError):
        return False
    for file in corpus.files:
        facts = files.get(file.path, {})
        if facts.get("bytes") != file.bytes or file.sha256 not in ("", facts.get("sha256")):
            return False
    return True
