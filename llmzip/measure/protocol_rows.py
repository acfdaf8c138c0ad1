"""Chunks and tokens as tables for a terminal."""

from __future__ import annotations

from llmzip.measure.tokens import EXACT
from llmzip.text import printable, quantity, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmzip.measure.chunks import ChunkResult
    from llmzip.measure.tokens import TokenResult


def chunk_lines(results: Sequence[ChunkResult]) -> Iterator[str]:
    """Rates in percent, a file after the other, the check last."""
    for file in dict.fromkeys(result.file for result in results):
        own = [result for result in results if result.file == file]
        first = own[0]
        check = "a check: " if first.check else ""
        yield (
            f"{check}{printable(file)}, {first.raw_bytes:,} bytes in {first.chunks:,} chunks of "
            f"{first.chunk:,}"
        )
        head = ("compressor", "bytes", "percent", "adjusted", "model", "MB/s both ways")
        body: list[Sequence[str]] = [head]
        for result in own:
            if not result.ok:
                body.append((result.compressor, *("-" * (len(head) - 1))))
                continue
            size = f"{result.coded_bytes:,}"
            model = quantity(result.model_bytes) if result.model_bytes else ""
            speed = f"{result.raw_bytes / 1e6 / max(result.seconds, 1e-6):.3g}"
            rates = (f"{result.rate:.2f}", f"{result.adjusted_rate:.2f}")
            body.append((result.compressor, size, *rates, model, speed))
        yield from table(body, right={1, 2, 3, 4, 5})
        for result in own:
            if not result.ok:
                yield f"  {result.compressor}: {printable(result.status)}"
        yield ""
    if any(result.ok and result.by_floats for result in results):
        yield "  Those by float32 are code lengths, which may differ elsewhere, and no archives;"
        yield "  their models count two bytes for each weight, as in the paper."
    yield "  Each chunk was coded alone, decoded and compared. No container is counted; chunks of"
    yield "  llmzip have a byte that says how they are coded. Adjusted: with the model's bytes."


def token_lines(results: Sequence[TokenResult]) -> Iterator[str]:
    """Bits for each character, a text after the other."""
    for file in dict.fromkeys(result.file for result in results):
        own = [result for result in results if result.file == file]
        first = own[0]
        characters = next((r.characters for r in own if r.ok and r.characters is not None), None)
        counted = f"{first.raw_bytes:,} bytes"
        unit = "byte"
        if characters is not None:
            counted, unit = f"{counted}, {characters:,} characters", "character"
        yield f"{printable(file)}, {counted}: bits for each {unit}"
        head = ("model", "by", "tokens", "entropy", "token by token", "ranks, zlib", "adjusted")
        body: list[Sequence[str]] = [head]
        for result in own:
            if not result.ok:
                body.append((printable(result.model), *("-" * (len(head) - 1))))
                continue
            bits = (result.entropy_bits, float(result.token_bits), 8.0 * result.rank_bytes)
            body.append(
                (
                    printable(result.model),
                    result.arithmetic,
                    f"{result.tokens:,}",
                    *(f"{value / result.units:.4f}" for value in bits),
                    f"{result.adjusted_bits / result.units:.4f}",
                )
            )
        yield from table(body, right={2, 3, 4, 5, 6})
        for result in own:
            if not result.ok:
                yield f"  {printable(result.model)}: {printable(result.status)}"
        yield ""
    context = results[0].context
    yield f"  Code lengths, no archives; windows of {context:,} tokens, each from nothing."
    if any(result.ok and result.arithmetic != EXACT for result in results):
        yield "  Those of float32 may differ on another machine, and code nothing that opens there."
