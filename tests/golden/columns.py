"""Golden archives of tables and stacks of images, by circuits that learn and by trained ones."""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from golden import bad, inputs
from golden.parts import (
    CODED,
    CONSTANT,
    STORED,
    Archive,
    Good,
    coded_segment,
    model_record,
    written,
)
from llmzip import _native

PC = ("pc", 1, 1)
CIRCUIT = ("circuit", 1, 1)


@functools.cache
def circuit() -> bytes:
    """The pack of a circuit for `inputs.rows`."""
    return _native.train(inputs.rows(300), 8, 2, 1, None)


def with_circuit() -> Iterator[Good]:
    """`circuit`: what llmzip writes, and chunks of each type, of tables and of stacks."""
    content = inputs.rows(90, 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.lzpack"
        path.write_bytes(circuit())
        data = written(content, level=6, model=str(path), predictor="circuit")
        yield Good("circuit-rows", "rows by a circuit", data, content, circuit=True)
        options = {"model": str(path), "predictor": "circuit", "embed_model": True}
        data = written(content, level=6, **options)
        yield Good("circuit-embedded", "rows by a circuit that the archive brings", data, content)
    raws = [
        (CODED, content[:2000]),
        (CODED, inputs.random(60)),
        (STORED, b"as it is"),
        (CONSTANT, b"=" * 700),
        (CODED, content[2000:] + b"no row"),
    ]
    segment = coded_segment(CIRCUIT, b"", raws, model=_native.Circuit(circuit()))
    archive = Archive([CIRCUIT], [segment], records={5: model_record(circuit(), b"rows")})
    intent = "chunks of every type by a circuit"
    name = "hand-circuit-chunks"
    yield Good(name, intent, archive.build(), archive.content(), circuit=True)
    for states in (4, 32):
        own = _native.train(inputs.poster(6, 5, 120), states, 2, 1, None)
        images = inputs.poster(6, 5, 40, states)
        raws = [(CODED, images[:300]), (CODED, images[300:310]), (CODED, images[310:])]
        segment = coded_segment(CIRCUIT, b"", raws, model=_native.Circuit(own))
        parts = [coded_segment(bad.ZSTD, bad.LEVEL, [(CODED, own)], index=1)]
        archive = Archive([CIRCUIT, bad.ZSTD], [segment], model=parts)
        archive.records[5] = model_record(own, b"images", kind=2)
        intent = f"images by a circuit of {states} states that the archive brings"
        yield Good(f"hand-circuit-{states}", intent, archive.build(), archive.content())
    yield from joined()


def joined() -> Iterator[Good]:
    """`circuit` in the mixer of images: chunks of every type, some of which cut images."""
    own = _native.train(inputs.stack(8, 8, 120), 4, 2, 1, None)
    images = inputs.stack(8, 8, 40, 4)
    for level in (6, 7, 8):
        settings = b"\0" + (_native.Circuit(own).joined(level, images) or b"")
        raws = [
            (CODED, images[:700]),
            (CODED, images[700:702]),
            (CONSTANT, b"=" * 50),
            (STORED, b"as it is"),
            (CODED, images[702:]),
        ]
        segment = coded_segment(CIRCUIT, settings, raws, model=_native.Circuit(own))
        parts = [coded_segment(bad.ZSTD, bad.LEVEL, [(CODED, own)], index=1)]
        archive = Archive([CIRCUIT, bad.ZSTD], [segment], level=level, model=parts)
        archive.records[5] = model_record(own, b"images", kind=2)
        intent = f"images by a circuit and contexts of pixels at level {level}"
        yield Good(f"hand-circuit-joined-{level}", intent, archive.build(), archive.content())


def tables() -> Iterator[Good]:
    """`pc`: tables whose circuit learns twice, in chunks that cut rows; those that end early."""
    content = inputs.rows(420)
    data = written(content, predictor="pc", level=6)
    yield Good("pc-6-rows", "a table of text at level 6", data, content)
    for level, count in ((3, 320), (7, 310), (8, 310)):
        content = inputs.rows(count, level)
        raws = [(CODED, content[at : at + 9000]) for at in range(0, len(content), 9000)]
        yield table(
            f"pc-{level}-chunks", f"a table of text in chunks at level {level}", level, raws
        )
    content = inputs.objects(330)
    data = written(content, predictor="pc", level=5)
    yield Good("pc-5-objects", "objects of JSON, one a line", data, content)
    content = inputs.rows(60)
    # What does not shrink ends a table, whether it is coded as cm then or stored.
    for name, cuts in (("coded", [1500, 1510, 2200]), ("first", [20, 2000]), ("small", [500, 530])):
        cuts = [0, *cuts, len(content)]
        raws = [(CODED, content[a:b]) for a, b in itertools.pairwise(cuts)]
        yield table(f"pc-3-{name}", "a table that a chunk ends", 3, raws)
    for kind in ("|u1", "|i1", "<u2", "<i4", "<u8", "<i8"):
        content = inputs.array(330, kind)
        data = written(content, level=6)
        yield Good(f"pc-6-array-{kind[1:]}", f"rows of an array of {kind}", data, content)
    content = inputs.array(300)
    for level in (3, 6, 7):
        data = written(content[:-5], predictor="pc", level=level)
        intent = f"rows of an array with its header, the last one cut, at level {level}"
        yield Good(f"pc-{level}-array", intent, data, content[:-5])
    content = inputs.rows(40) + b"and no more"
    data = written(content, predictor="pc", level=4)
    yield Good("pc-4-open", "a table with lines behind it", data, content)


def table(name: str, intent: str, level: int, raws: list[tuple[int, bytes]]) -> Good:
    """A segment of `pc` with these chunks."""
    settings = _native.settings("pc", 1, level, b"".join(raw for _, raw in raws))
    archive = Archive([PC], [coded_segment(PC, settings, raws)], level=level)
    return Good(name, intent, archive.build(), archive.content())
