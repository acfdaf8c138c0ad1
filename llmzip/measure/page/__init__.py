"""The page that shows a run: one file with all that it needs, which asks no network for any."""

from __future__ import annotations

import html
import json
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from llmzip.measure.results import Run

_HERE = os.path.dirname(os.path.abspath(__file__))
_PLACE = re.compile("@([a-z]+)@")


def page(run: Run) -> str:
    """HTML of a run. Names of files, which are anybody's, stand in it as data alone."""
    facts = run.as_dict()
    files = dict.fromkeys(result.file for result in run.measured())
    what = next(iter(files)) if len(files) == 1 else f"{len(files)} files"
    return fill("measure", f"{what}, measured by llmzip", facts)


def fill(name: str, title: str, data: Mapping[str, Any], folder: str = _HERE) -> str:
    """The page whose content is `name`.html of `folder`, with its script and `data` as JSON for it.

    All pages have shell.html, tools.js and measure.css, to which `name`.css of another folder adds.
    """
    # So neither an end tag nor a comment can begin within the data.
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    parts = {
        "title": html.escape(title.encode(errors="backslashreplace").decode()),
        "style": _read(_HERE, "measure.css")
        + ("" if folder == _HERE else _read(folder, f"{name}.css")),
        "script": _read(_HERE, "tools.js") + _read(folder, f"{name}.js"),
        "data": text,
        "body": _read(folder, f"{name}.html"),
    }
    # All at once: what is put in is not looked through again.
    return _PLACE.sub(lambda place: parts[place[1]], _read(_HERE, "shell.html"))


def _read(folder: str, name: str) -> str:
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()
