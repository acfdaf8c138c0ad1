"""A process that forks after it used a model: the child has no threads that evaluate it."""

from __future__ import annotations

import multiprocessing
import sys

import pytest

import synthetic
from llmzip.models.loaded import Loaded, named


def costs(model: Loaded) -> list[float]:
    tokens = model.native.tokens(synthetic.TEXT.encode())
    return model.native.costs(tokens, 64)


def child(model: Loaded, wanted: list[float]) -> None:
    sys.exit(0 if costs(model) == wanted else 9)


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="processes do not fork here"
)
def test_a_child_evaluates_with_threads_of_its_own(tmp_path):
    path = tmp_path / "tiny.lzpack"
    path.write_bytes(synthetic.pack(tmp_path / "tiny.gguf"))
    model = named(str(path), 2)
    wanted = costs(model)
    process = multiprocessing.get_context("fork").Process(target=child, args=(model, wanted))
    process.start()
    process.join(60)
    process.kill()
    assert process.exitcode == 0
    assert costs(model) == wanted
