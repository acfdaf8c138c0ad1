"""The same content and options give the same bytes: on any threads, instruction set, read sizes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from llmzip import Options
from llmzip.archive import write_archive


class Dribble(io.RawIOBase):
    """Gives `step` bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = memoryview(data)
        self._step = step

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        length = min(self._step, size) if size >= 0 else self._step
        out, self._data = bytes(self._data[:length]), self._data[length:]
        return out


def write(source, **options) -> bytes:
    sink = io.BytesIO()
    write_archive(source, sink, Options(level=3, **options))
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["mixed", "table"])
def test_threads_and_verification_change_nothing(options, mixed, unlike, rows, kind):
    content = unlike + mixed if kind == "mixed" else rows(250)
    made = {
        write(
            io.BytesIO(content),
            **options,
            threads=threads,
            verify=verify,
            segment_size=2000,
        )
        for threads in (1, 2, 7)
        for verify in (True, False)
    }
    assert len(made) == 1


@pytest.mark.parametrize("step", [1, 7, 1999, 2000, 2001, 1 << 20])
def test_a_pipe_gives_what_a_file_gives(options, mixed, step):
    options |= {"threads": 1, "segment_size": 2000, "verify": False}
    assert write(Dribble(mixed, step), **options) == write(io.BytesIO(mixed), **options)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_pipe_gives_what_a_file_gives_at_a_segments_edge(options, mixed, extra):
    content = mixed[: 4000 + extra]
    options |= {"threads": 1, "segment_size": 2000}
    assert write(Dribble(content, 13), **options) == write(io.BytesIO(content), **options)


PROGRAM = """
import hashlib, json, sys
from llmzip import Options, compress
data = sys.stdin.buffer.read()
for level in (3, 6, 9):
    options = Options(level=level, threads=1, **json.loads(sys.argv[1]))
    print(hashlib.sha256(compress(data, options=options)).hexdigest())
"""


def hashes(options: dict[str, str], data: bytes, simd: str | None) -> bytes:
    env = {key: value for key, value in os.environ.items() if key != "LLMZIP_SIMD"}
    if simd is not None:
        env["LLMZIP_SIMD"] = simd
    # -P: a checkout in the working directory must not stand in for what is installed.
    command = [sys.executable, "-P", "-c", PROGRAM, json.dumps(options)]
    return subprocess.run(command, input=data, env=env, check=True, capture_output=True).stdout


@pytest.mark.parametrize("kind", ["mixed", "table"])
def test_instruction_sets_change_nothing(options, mixed, unlike, rows, simd, kind):
    if kind == "table" and options["predictor"] not in ("pc", "circuit"):
        pytest.skip("a table is any content to other predictors")
    content = unlike + mixed[:8000] if kind == "mixed" else rows(900)
    assert hashes(options, content, simd) == hashes(options, content, None)
