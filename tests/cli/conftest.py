"""Runs the installed program as a user would, in a folder of its own."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# Beside this Python, or where the shell finds it.
PROGRAM = Path(sys.executable).parent / "llmzip"
if not PROGRAM.exists():
    PROGRAM = Path(shutil.which("llmzip") or PROGRAM)

_LIBC = ctypes.CDLL(None, use_errno=True)


def obey_modes() -> None:
    """For `preexec_fn`: give up root's right to ignore the modes of files."""
    if os.geteuid() == 0:
        drop_from_bounding_set, dac_override, dac_read_search = 24, 1, 2
        for capability in (dac_override, dac_read_search):
            if _LIBC.prctl(drop_from_bounding_set, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


@dataclass
class Shell:
    """A scratch folder, and ways to call llmzip in it."""

    folder: Path

    def __call__(
        self,
        *arguments: str | bytes,
        code: int | None = 0,
        stdin: bytes | None = None,
        env: dict[str, str] | None = None,
        **more: object,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run llmzip; without `stdin`, standard input is empty. Checks the exit code."""
        source = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        done = subprocess.run(  # type: ignore[call-overload]
            [str(PROGRAM), *arguments],
            cwd=self.folder,
            env=self.environment(env),
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | source | more),
            timeout=120,
        )
        if code is not None:
            assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        if done.stderr is not None:
            assert b"Traceback" not in done.stderr, done.stderr.decode()
            assert b"internal error" not in done.stderr, done.stderr.decode()
        return done

    def fails(self, *arguments: str | bytes, code: int = 1, **more: object) -> str:
        """Run llmzip, check that it fails with `code` and one line; returns that line."""
        done = self(*arguments, code=code, **more)  # type: ignore[arg-type]
        lines = done.stderr.decode().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("llmzip: ")
        return lines[0]

    def start(self, *arguments: str, **more: object) -> subprocess.Popen[bytes]:
        """Start llmzip and do not wait for it."""
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            [str(PROGRAM), *arguments],
            cwd=self.folder,
            env=self.environment(None),
            **(options | more),
        )

    @staticmethod
    def environment(more: dict[str, str] | None) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LLMZIP_")}
        return kept | {"TERM": "xterm"} | (more or {})

    def write(self, name: str, content: bytes = b"some content\n" * 100) -> Path:
        """Make a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def names(self) -> list[str]:
        """Everything in the folder and below, hidden files too."""
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*"))


@pytest.fixture
def llmzip(tmp_path: Path) -> Shell:
    """llmzip in an empty folder."""
    assert PROGRAM.exists(), f"{PROGRAM} is missing: install llmzip before testing it"
    return Shell(tmp_path)
