"""The models of this machine: a folder with a file for each pack, named by its sha256.

Beside each stands a small JSON file with the name that it was imported under.
"""

from __future__ import annotations

import hashlib
import json
import os
import re

from llmzip import userdata
from llmzip.errors import CorruptError, ModelError, UsageError
from llmzip.fileio import ExistsError, named
from llmzip.output import open_output
from llmzip.record import Record
from llmzip.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmzip.output import Output

SUFFIX = ".lzpack"
# The fewest digits of a sha256 that name a model.
_FEWEST = 6
_DIGITS = re.compile("[0-9a-fA-F]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Model(Record):
    """A pack of the store, or a file elsewhere.

    `name` and `source` are "" where nobody gave one.
    """

    sha256: str
    name: str
    path: str
    bytes: int
    source: str = ""

    @property
    def label(self) -> str:
        """The name, or the start of the sha256."""
        return self.name or self.sha256[:12]


def folder(environment: Mapping[str, str] = os.environ) -> str:
    """Where models are kept: `LLMZIP_MODELS`, or the platform's folder for a program's data."""
    return userdata.folder("models", "LLMZIP_MODELS", environment)


def models() -> list[Model]:
    """Every model of the store, by name; one without a name comes last."""
    try:
        names = os.listdir(folder())
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        sha256 = name.removesuffix(SUFFIX)
        if name != sha256 and re.fullmatch("[0-9a-f]{64}", sha256):
            found.append(_model(sha256))
    return sorted(found, key=lambda model: (not model.name, model.name, model.sha256))


def _model(sha256: str) -> Model:
    path = os.path.join(folder(), sha256 + SUFFIX)
    facts = {}
    try:
        with open(_facts(sha256), encoding="utf-8") as file:
            facts = json.load(file)
    except (FileNotFoundError, ValueError):
        # Without it the model has no name, and is found by its sha256.
        pass
    texts = [facts.get(key, "") if isinstance(facts, dict) else "" for key in ("name", "source")]
    name, source = [text if isinstance(text, str) else "" for text in texts]
    return Model(sha256, name, path, os.stat(path).st_size, source)


def _facts(sha256: str) -> str:
    return os.path.join(folder(), sha256 + ".json")


def check_name(name: str) -> str:
    """`name`, if a model may be called so; `UsageError` otherwise."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{printable(name)!r} is no name for a model: up to 64 letters, digits and . _ - are"
        )
    return name


def name_for(path: str) -> str:
    """The name of a model that nobody named, after its file or folder."""
    base = os.path.basename(os.path.abspath(path)).lower()
    for suffix in (SUFFIX, ".gguf", ".pc"):
        base = base.removesuffix(suffix)
    return re.sub(r"[^a-z0-9._-]+", "-", base).strip("._-")[:64] or "model"


def add(pack: bytes, name: str, source: str, *, force: bool = False) -> Model:
    """Puts a pack into the store under `name`; a pack that is there takes on the name.

    force: another model of that name loses it. Otherwise `ExistsError` is raised.
    """
    check_name(name)
    sha256 = hashlib.sha256(pack).hexdigest()
    others = [model for model in models() if model.name == name and model.sha256 != sha256]
    if others and not force:
        raise ExistsError(
            f"another model is called {name}; choose another name with --name, or -f takes it over"
        )
    os.makedirs(folder(), exist_ok=True)
    _write(os.path.join(folder(), sha256 + SUFFIX), [pack])
    for model in others:
        _describe(model.sha256, "", model.source)
    _describe(sha256, name, source)
    return _model(sha256)


def _describe(sha256: str, name: str, source: str) -> None:
    text = json.dumps({"name": name, "source": source}, sort_keys=True)
    _write(_facts(sha256), [text.encode() + b"\n"])


def _write(path: str, pieces: Iterable[bytes]) -> None:
    with open_output(path, archive=False, force=True, inputs=()) as output:
        _fill(output, pieces)


def _fill(output: Output, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        output.stream.write(piece)
    output.commit()


def find(wanted: str) -> Model:
    """The model called `wanted`: a name, the path of a pack, or the start of a sha256.

    Raises `ModelError` where there is none, or more than one; what it says helps.
    """
    known = models()
    found = [model for model in known if model.name == wanted]
    if not found and os.path.isfile(wanted):
        return _file(wanted)
    if not found and len(wanted) >= _FEWEST and _DIGITS.fullmatch(wanted):
        found = [model for model in known if model.sha256.startswith(wanted.lower())]
    if len(found) > 1:
        all_of = ", ".join(f"{model.name or '-'} {model.sha256[:16]}" for model in found)
        raise ModelError(f"may be any of: {all_of}; write more of the sha256")
    if not found:
        raise ModelError(_missing(wanted))
    return found[0]


def _file(path: str) -> Model:
    """The pack at `path`, not in the store."""
    from llmzip.models.packfile import is_circuit, is_pack

    if not (is_pack(path) or is_circuit(path)):
        raise ModelError(f"no model pack; llmzip models import {path} makes one of it")
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Model(sha256, name_for(path), path, os.stat(path).st_size)


def _missing(wanted: str) -> str:
    from llmzip.models.pull import KNOWN

    if wanted in KNOWN:
        return f"this model is not here; llmzip models pull {wanted} gets it"
    return (
        "no such model is here; llmzip models list shows those that are, llmzip models import PATH "
        "or pull NAME gets one"
    )


def read(model: Model) -> bytes:
    """The pack itself; `CorruptError` where it is not what its sha256 says, and OSError."""
    try:
        with open(model.path, "rb") as file:
            pack = file.read()
    except OSError as error:
        raise named(error, model.path) from None
    if hashlib.sha256(pack).hexdigest() != model.sha256:
        raise CorruptError(f"{model.path} is damaged; remove {model.label} and get it again")
    return pack


def export(model: Model, path: str, *, force: bool = False) -> None:
    """Copies the pack to `path`, which must not be there without `force`."""
    pack = read(model)
    status = os.stat(model.path)
    inputs = {(status.st_dev, status.st_ino)}
    with open_output(path, archive=True, force=force, inputs=inputs) as output:
        _fill(output, [pack])


def remove(model: Model) -> None:
    """Takes the pack out of the store."""
    if os.path.realpath(os.path.dirname(model.path)) != os.path.realpath(folder()):
        raise UsageError(f"{model.path} is not in the store: remove the file itself")
    os.unlink(model.path)
    try:
        os.unlink(_facts(model.sha256))
    except FileNotFoundError:
        pass
