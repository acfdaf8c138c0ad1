"""What integers cost: a text's code length by the exact engine, beside float32 with PyTorch.

Usage: python bench/llm_loss.py MODEL TEXT [--bytes 60000] [--window 2048] [--source PATH]

MODEL is what ``llmzip -m`` takes. The same tokens are evaluated in the same windows, each of which
begins with nothing: by the engine, by float32 with the weights that the pack stands for and, with
``--source``, with those of the GGUF file or folder that it was made of. Needs the extra ``hf``.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from report import grid

from llmzip.models import torch_float
from llmzip.models.loaded import named
from llmzip.route import language

Costs = Callable[[list[int], int], list[float]]


def measured(name: str, costs: Costs, tokens: list[int], window: int) -> tuple[str, float, float]:
    """Name, bits of all tokens, seconds."""
    began = time.perf_counter()
    bits = math.fsum(costs(tokens, window)) / math.log(2)
    return name, bits, time.perf_counter() - began


def table(rows: Sequence[tuple[str, float, float]], size: int) -> str:
    """The rows as Markdown, beside the first of them, which is the engine's."""
    head = ("evaluation", "bits", "bits/byte", "the engine against it", "seconds")
    exact = rows[0][1]
    body = [
        (
            name,
            f"{bits:,.1f}",
            f"{bits / size:.5f}",
            f"{100 * (exact / bits - 1):+.4f} %",
            f"{s:.0f}",
        )
        for name, bits, s in rows
    ]
    return grid(head, body)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="code length of the exact engine and of floats")
    parser.add_argument("model")
    parser.add_argument("text", type=Path)
    parser.add_argument("--bytes", type=int, default=60_000, help="of the text's beginning")
    parser.add_argument("--window", type=int, default=2048)
    parser.add_argument("--source", help="what the pack was made of")
    parser.add_argument("--threads", type=int, default=0)
    asked = parser.parse_args()
    with asked.text.open("rb") as file:
        text = file.read(asked.bytes)
    model = language(named(asked.model, asked.threads))
    tokens = model.native.tokens(text)
    window = min(asked.window, model.native.context)
    rows = [measured("the engine", model.native.costs, tokens, window)]
    floats = torch_float.of_pack(model.pack)
    rows.append(measured("float32, the pack's weights", floats.costs, tokens, window))
    if asked.source is not None:
        floats = torch_float.of_source(asked.source)
        rows.append(measured("float32, the source's weights", floats.costs, tokens, window))
    print(
        f"{asked.text.name}, {len(text):,} bytes, {len(tokens):,} tokens, windows of {window:,}\n"
    )
    print(table(rows, len(text)))


if __name__ == "__main__":
    main()
