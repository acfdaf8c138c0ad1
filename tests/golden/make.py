"""Makes the golden archives and the broken ones, with a manifest that says what each is for.

`python tests/golden/make.py` writes `good/` and `bad/` beside this file; with `--check` it only
compares. Golden archives are what a reader must read for ever, so they change only with a commit
that means to change bytes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent))

import synthetic  # noqa: E402
from golden import bad, columns, inputs  # noqa: E402
from golden.parts import (  # noqa: E402
    AFTER,
    CODED,
    CONSTANT,
    COPIED,
    COPY,
    KEPT,
    STORED,
    Archive,
    Chunk,
    Good,
    Segment,
    coded_segment,
    model_record,
    new_encoder,
    segment_of,
    varint,
    written,
)
from llmzip import _native  # noqa: E402
from llmzip.base import Base  # noqa: E402
from llmzip.siblings import Folder  # noqa: E402

CONTENTS = {
    "text": inputs.text(4000),
    "records": inputs.records(4000),
    "code": inputs.machine_code(4000),
    "image": inputs.image(64, 48),
    "table": inputs.table(150),
    "random": inputs.random(2000),
    "constant": b"\0" * 5000,
    "byte": b"\x80",
    "empty": b"",
}

# Where the level does not matter.
LEVEL = 3

# Predictors whose bytes may still change: no golden archives before FORMAT.md has them.
NOT_DESCRIBED: set[str] = set()

CM = ("cm", 1, 1)
TENSOR = ("tensor", 1, 3)
LLM = ("llm", 1, 1)
# The classes of cm in the order of their numbers, each with content and a stride.
CLASSES = {
    "text": (inputs.text(2500), 0),
    "binary": (inputs.records(2500), 16),
    "bilevel": (inputs.bilevel(40, 60), 40),
    "executable": (inputs.machine_code(2500), 4),
    "grey": (inputs.stack(20, 17, 8), 20),
}


def described() -> list[tuple[str, int, int]]:
    """Predictors of llmzip that FORMAT.md describes, in a fixed order."""
    known = {*_native.predictors(), *_native.model_predictors()}
    return sorted(p for p in known if p[0] not in NOT_DESCRIBED)


def ids() -> list[str]:
    """The newest version of each is what llmzip writes; without those that need a model."""
    return sorted({id for id, _, _ in {*described()} - {*_native.model_predictors()}})


def cases() -> Iterator[Good]:
    yield from routed()
    yield from forced()
    yield from split()
    yield from mixing()
    yield from columns.tables()
    yield from tensors()
    yield from copies()
    yield from mixed_tensors()
    yield from changes()
    yield from with_model()
    yield from columns.with_circuit()
    yield from by_hand()


@functools.cache
def pack() -> bytes:
    """The tiny model."""
    with tempfile.TemporaryDirectory() as folder:
        return synthetic.pack(Path(folder) / "tiny.gguf")


def with_model() -> Iterator[Good]:
    """`llm`: what llmzip writes, and every level and class, with short windows too."""
    text = (synthetic.TEXT + ", it says in 1865: \N{EURO SIGN} 7.\n").encode()
    # What the mixer knows as little of as the tiny model does: only there it asks that.
    unlike = bytes(32 + byte % 95 for byte in inputs.random(250))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.lzpack"
        path.write_bytes(pack())
        for level in (3, 6, 7, 8):
            content = unlike + text * 8 + inputs.text(700)
            data = written(content, level=level, model=str(path))
            yield Good(
                f"llm-{level}", f"text by a model at level {level}", data, content, model=True
            )
        content = unlike + inputs.wrapped(1500, 40)
        data = written(content, level=6, model=str(path))
        yield Good("llm-wrapped", "wrapped text by a model", data, content, model=True)
        content = unlike + text * 6
        data = written(content, level=6, model=str(path), segment_size=500)
        yield Good("llm-segments", "segments by a model", data, content, model=True)
        data = written(content, level=6, model=str(path), embed_model=True)
        yield Good("llm-embedded", "text by a model that the archive brings", data, content)
        for level, segments in ((6, 3), (8, 2)):
            content = unlike + text * 12
            data = written(content, level=level, model=str(path), segments=segments)
            intent = f"a text by a model in {segments} segments at level {level}"
            yield Good(f"llm-{level}-after", intent, data, content, model=True)
        yield going_on()
        yield unfolded(unlike)
    for level, class_, stride, window, learns in (
        *((3, 0, 0, 5, 1), (6, 1, 16, 0, 0), (5, 3, 4, 8, 1), (7, 0, 0, 4, 0)),
    ):
        settings = bytes([level, class_, stride, 0, window, learns])
        # A block with the model and one without, what is stored and learnt, what comes again.
        raws = [
            (CODED, unlike + text * 3),
            (CODED, inputs.random(60)),
            (STORED, b"as it is"),
            (CODED, inputs.records(900)),
            (CONSTANT, b"=" * 700),
            (CODED, text[::-1] + text + inputs.random(60)[:20]),
        ]
        segment = coded_segment(LLM, settings, raws, model=_native.Model(pack(), 1))
        archive = Archive([LLM], [segment], level=level)
        archive.records[5] = model_record(pack())
        intent = f"llm at level {level}, class {class_}, with a window of 2^{window}"
        name = f"hand-llm-{level}-{class_}-{window}"
        yield Good(name, intent, archive.build(), archive.content(), model=True)

    # Parts of any size, coded and stored, and a chunk of each type.
    whole, half = pack(), len(pack()) // 2
    zeros = whole.index(bytes(20))
    rows = (whole[:zeros], CODED), (whole[zeros : zeros + 20], CONSTANT)
    raws = [(kind, raw) for raw, kind in (*rows, (whole[zeros + 20 : half], CODED))]
    parts = [
        coded_segment(bad.ZSTD, bad.LEVEL, raws, index=1),
        Segment(2, b"", [Chunk(STORED, whole[half:-7], whole[half:-7])]),
        coded_segment(bad.ZSTD, bad.LEVEL, [(CODED, whole[-7:])], index=1),
    ]
    settings = bytes([3, 0, 0, 0, 5, 1])
    segment = coded_segment(LLM, settings, [(CODED, text)], model=_native.Model(pack(), 1))
    archive = Archive([LLM, bad.ZSTD, bad.STORE], [segment], level=3, model=parts)
    archive.records[5] = model_record(pack(), kind=2)
    intent = "a model in parts of many kinds"
    yield Good("hand-embedded", intent, archive.build(), archive.content())


def unfolded(unlike: bytes) -> Good:
    """Blocks without their line ends among others; some begin and end within a line."""
    settings = bytes([4, 0, 0, 0, 6, 3])
    lines = inputs.wrapped(1300, 50, b"\r\n", 4)
    raws = [
        # Of more raw bytes than the canary has, the model sees fewer.
        (CODED, lines[:45] + unlike[:150] + lines),
        (STORED, b"as it is\r"),
        (CODED, b"\n" + unlike[:200] + lines[30:900]),
        (CODED, inputs.random(60)),
        (CONSTANT, b"=" * 300),
        (CODED, unlike[:250] + inputs.wrapped(900, 30, indent=2)),
    ]
    segment = coded_segment(LLM, settings, raws, model=_native.Model(pack(), 1))
    archive = Archive([LLM], [segment], level=4)
    archive.records[5] = model_record(pack())
    intent = "llm at level 4 in blocks without their line ends"
    return Good("hand-llm-unfolded", intent, archive.build(), archive.content(), model=True)


def going_on() -> Good:
    """Segments that go on from one whose chunks are of all types, and themselves have some."""
    text = (synthetic.TEXT + "; ").encode()
    unlike = bytes(32 + byte % 95 for byte in inputs.random(250))
    parts = [
        [(CODED, unlike + text * 2), (CODED, inputs.random(60)), (CONSTANT, b"=" * 200)],
        [(CONSTANT, b"-" * 200), (CODED, text + unlike[:20]), (STORED, b"as it is")],
        [(STORED, b"nothing is predicted")],
        [(CODED, inputs.random(60)), (CODED, text[:40])],
    ]
    longest = max(sum(len(raw) for _, raw in part) for part in parts[1:])
    settings = bytes([5, 0, 0, 0, 4, 1]) + varint(longest)
    model = _native.Model(pack(), 1)
    first = new_encoder(LLM, settings, b"".join(raw for _, raw in parts[0]), model)
    segments = [segment_of(first, settings, parts[0])]
    for part in parts[1:]:
        after = first.after(sum(len(raw) for _, raw in part))
        segments.append(segment_of(after, settings, part))
        segments[-1].flags = AFTER
    archive = Archive([LLM], segments, level=5, decoder_memory=bad.MEMORY)
    archive.records[5] = model_record(pack())
    intent = "segments with chunks of all types that go on from segment 0"
    return Good("hand-llm-after", intent, archive.build(), archive.content(), model=True)


def routed() -> Iterator[Good]:
    """What llmzip writes by default, at each level."""
    for level in range(1, 10):
        data = written(CONTENTS["text"], level=level)
        yield Good(f"level-{level}-text", f"text at level {level}", data, CONTENTS["text"])
    for level in (3, 6, 8):
        for name in ("records", "code", "image", "table", "random", "constant", "byte", "empty"):
            data = written(CONTENTS[name], level=level)
            yield Good(f"level-{level}-{name}", f"{name} at level {level}", data, CONTENTS[name])


def forced() -> Iterator[Good]:
    """Each predictor by name, on what it shrinks and what it does not."""
    for id in ids():
        for name in ("text", "random", "byte", "empty"):
            data = written(CONTENTS[name], predictor=id, level=LEVEL)
            yield Good(f"{id}-{name}", f"{name} with predictor {id}", data, CONTENTS[name])


def split() -> Iterator[Good]:
    """Several segments, several archives, metadata."""
    both = CONTENTS["text"] + CONTENTS["constant"] + CONTENTS["random"]
    for id in ids():
        data = written(both, predictor=id, level=LEVEL, segment_size=3000)
        yield Good(f"{id}-segments", f"segments of 3,000 bytes with {id}", data, both)
    one = written(CONTENTS["table"], level=LEVEL)
    two = written(CONTENTS["text"], level=LEVEL, predictor="zstd")
    none = written(b"", level=LEVEL)
    joined = CONTENTS["table"] + CONTENTS["text"] + CONTENTS["table"]
    intent = "concatenation of archives, one of them empty"
    yield Good("concatenated", intent, one + none + two + one, joined)
    comment = "A comment: naïve, 東京, \N{GRINNING FACE}"
    data = written(CONTENTS["byte"], level=LEVEL, comment=comment)
    yield Good("comment", "a comment beyond ASCII", data, CONTENTS["byte"])


def mixing() -> Iterator[Good]:
    """`cm` at every level and for every class, whatever the content would be taken for."""
    for level in range(3, 9):
        for number, (name, (content, stride)) in enumerate(CLASSES.items()):
            settings = bytes([level, number]) + stride.to_bytes(2, "little")
            if name == "grey":  # images of 340 pixels behind a header of 16 bytes
                settings += (340).to_bytes(4, "little") + (16).to_bytes(4, "little")
            raws = [
                (CODED, content[:1000]),
                (CODED, inputs.random(60)),
                (STORED, b"as it is"),
                (CODED, content[1000:]),
            ]
            archive = Archive([CM], [coded_segment(CM, settings, raws)], level=level)
            intent = f"level {level} of cm for content of class {number}"
            yield Good(f"cm-{level}-{name}", intent, archive.build(), archive.content())


def tensors() -> Iterator[Good]:
    """`tensor` for kinds of each way to fall into planes; a file that llmzip cuts along tensors."""
    for kind, unit, row in [
        *(("bf16", 2, 60), ("f32", 4, 25), ("f64", 8, 0), ("f16", 2, 0), ("f8e4m3", 1, 100)),
        *(("i32", 4, 10), ("u4", 1, 64), ("q4_1", 20, 64), ("q6_k", 210, 512), ("q8_0", 34, 0)),
    ]:
        content = inputs.weights(12_000 // unit * unit, unit, row)
        for level in (1, 6):
            settings = _native.tensor_settings(level, kind, row, None)
            raws = [
                (CODED, content[:5001]),
                (CODED, content[5001:5003]),
                (CODED, inputs.random(300)),
                (CODED, content[5003:]),
            ]
            archive = Archive([TENSOR], [coded_segment(TENSOR, settings, raws)], level=level)
            intent = f"{kind} in rows of {row} with tensor at level {level}"
            yield Good(f"tensor-{level}-{kind}", intent, archive.build(), archive.content())
    content = inputs.sparse(135_001)
    segment = coded_segment(TENSOR, _native.tensor_settings(6, "i16", 0, None), [(CODED, content)])
    archive = Archive([TENSOR], [segment], level=6)
    intent = "a chunk of two blocks"
    yield Good("tensor-6-blocks", intent, archive.build(), archive.content())
    content = inputs.weights(3000, 2, 75)
    content = content + content[300:] + content[:1001] + content[7:] * 2
    settings = _native.tensor_with_matches(_native.tensor_settings(6, "bf16", 75, None))
    raws = [
        (CODED, content[:4001]),
        (CODED, inputs.random(300)),
        (CODED, content[4001:4003]),
        (CODED, content[4003:]),
    ]
    archive = Archive([TENSOR], [coded_segment(TENSOR, settings, raws)], level=6)
    yield Good("tensor-6-matches", "long matches", archive.build(), archive.content())
    values = [content[at : at + 4] for at in range(0, 68, 4)]
    content = b"".join(values[byte % 17] for byte in inputs.weights(4000, 1, 50))
    settings = _native.tensor_with_values(_native.tensor_settings(6, "f32", 50, None), content)
    assert settings
    raws = [
        (CODED, content[:4001]),
        (CODED, content[4001:4004]),
        (CODED, content[4004:]),
    ]
    archive = Archive([TENSOR], [coded_segment(TENSOR, settings, raws)], level=6)
    yield Good("tensor-6-values", "17 values", archive.build(), archive.content())
    pairs = [
        (a % 23, b % (a % 3 * 20 + 5))
        for a, b in zip(*[iter(inputs.weights(24_000, 1, 50))] * 2, strict=True)
    ]
    content = b"".join((a << 7 | b).to_bytes(2, "little") for a, b in pairs)
    settings = _native.tensor_settings(7, "bf16", 0, None)
    raws = [(CODED, content[:14_001]), (CODED, content[14_001:])]
    archive = Archive([TENSOR], [coded_segment(TENSOR, settings, raws)], level=7)
    yield Good("tensor-7-bf16", "plane 0 chooses tables", archive.build(), archive.content())
    file = inputs.safetensors()
    for level in (1, 3, 6, 9):
        intent = f"a safetensors file at level {level}"
        yield Good(f"level-{level}-safetensors", intent, written(file, level=level), file)


def copies() -> Iterator[Good]:
    """Tensors that occur again; copies of whatever else may be kept."""
    file = inputs.tied()
    for level in (1, 6):
        intent = f"a safetensors file with equal tensors at level {level}"
        yield Good(f"level-{level}-tied", intent, written(file, level=level), file)
    yield from copies_of_others(file)
    text = inputs.text(1500)
    raws = [(STORED, b"stored"), (CODED, text), (CONSTANT, b"=" * 700), (CODED, inputs.random(99))]
    kept = coded_segment(CM, _native.settings("cm", 1, LEVEL, text), raws)
    other = coded_segment(bad.ZSTD, bad.LEVEL, raws[1:], index=1)
    kept.flags = other.flags = KEPT

    def copy(place: int, of: Segment, cut: int) -> Segment:
        raw = of.raw()
        chunks = [Chunk(COPIED, raw[:cut], b""), Chunk(COPIED, raw[cut:], b"")]
        return Segment(0, bytes([0, place]), chunks, flags=COPY)

    segments = [kept, copy(0, kept, 9), other, copy(2, other, 1600), copy(0, kept, 1000)]
    archive = Archive([CM, bad.ZSTD], segments, level=LEVEL)
    intent = "copies of two segments, in chunks of other lengths"
    yield Good("hand-copies", intent, archive.build(), archive.content())


def copies_of_others(first: bytes) -> Iterator[Good]:
    """A file that has a tensor of another one, whose archive lies beside it."""
    name, content = "level-6-tied", inputs.shard()
    with tempfile.TemporaryDirectory() as path:
        folder, archive = Folder(), Path(path) / f"{name}.llmz"
        archive.write_bytes(written(first, level=6, folder=folder))
        folder.add(str(archive))
        data = written(content, level=6, folder=folder)
    intent = f"a safetensors file with a tensor of what {name} holds"
    yield Good("level-6-shard", intent, data, content, other=name)


def mixed_tensors() -> Iterator[Good]:
    """Planes that are mixed: of each kind that has some, and in a file."""
    for kind, row in (
        *(("bf16", 60), ("f32", 0), ("f64", 25), ("f16", 4097), ("f8e4m3", 64), ("f8e5m2", 7)),
    ):
        # llmzip mixes no shorter plane; the reference would take long for all of it.
        content = inputs.floats(17_000, kind, row or 30)
        unit = len(content) // 17_000
        settings = _native.tensor_settings(8, kind, row, None)
        first, second = 700 * unit + unit // 2, 1000 * unit
        raws = [
            (CODED, content[:first]),
            (CODED, inputs.random(40 * unit)),
            (CODED, content[first:second]),
        ]
        segment = coded_segment(TENSOR, settings, raws, ahead=content[second:])
        archive = Archive([TENSOR], [segment], level=8)
        intent = f"{kind} in rows of {row} with mixed planes"
        yield Good(f"tensor-8-{kind}", intent, archive.build(), archive.content())


def changes() -> Iterator[Good]:
    """A file with a mixed tensor, and one that is a change of it, which needs it to be read."""
    file, other = inputs.mixed(), inputs.tuned()
    name = "level-8-mixed"
    yield Good(name, "a file with a mixed tensor at level 8", written(file, level=8), file)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.llmz"
        path.write_bytes(written(file, level=8))
        base = Base(str(path))
        for level in (1, 6, 8):
            data = written(other, base=base, level=level)
            intent = f"a change of what {name} holds, at level {level}"
            yield Good(f"level-{level}-change", intent, data, other, name)
        base.close()


def by_hand() -> Iterator[Good]:
    """What the format allows and llmzip's writer may not choose."""
    text, more = inputs.text(1500), inputs.text(1500, 2)
    chunks = [
        (STORED, b"stored first"),
        (CODED, text),
        (CONSTANT, b"=" * 700),
        (CODED, inputs.random(300)),
        (CODED, more),
        (STORED, inputs.random(40, 2)),
        (CODED, text[200:1200]),
        (CODED, b"!"),
    ]
    for predictor in described():
        if predictor in _native.model_predictors():
            continue
        id, version, _ = predictor
        settings = _native.settings(id, version, LEVEL, text)
        raws = [(STORED, raw) for _, raw in chunks] if id == "store" else chunks
        segments = [
            coded_segment(predictor, settings, raws),
            coded_segment(predictor, settings, raws[:2]),
        ]
        archive = Archive([predictor], segments, level=LEVEL)
        name = f"hand-{id}-{version}-chunks"
        yield Good(
            name, f"chunks of every type in one segment of {id}", archive.build(), archive.content()
        )
    few = coded_segment(bad.ZSTD, bad.LEVEL, [(CODED, text[:400])])
    plain = coded_segment(bad.STORE, b"", [(STORED, b"plain")], index=1)
    few.label, plain.label = "größe.0".encode(), b"layers.1.weight"

    def hand(name: str, intent: str, **changes: object) -> Good:
        archive = Archive([bad.ZSTD, bad.STORE], [few, plain, few], **changes)
        return Good(f"hand-{name}", intent, archive.build(), archive.content())

    yield hand("labels", "segments with labels, two predictors")
    yield hand("minor", "a newer minor version", minor=200)
    yield hand("compatible", "compatible flags nobody knows", compatible=0xFF)
    yield hand(
        "even-tags",
        "even metadata tags nobody knows",
        records={0: b"", 4: b"\0\1", 2**40: b"?" * 300},
    )
    yield hand("writer", "a writer's name", records={2: "llmzip — by hand".encode()})
    large = Archive([bad.ZSTD], [few])
    bounds = b"\xff\xff\xff\xff\x0f" + b"\x80\x80\x40" + b"\x80\x80\x80\x40"
    large.records = {7: bounds}
    yield Good("hand-bounds", "bounds far above what is used", large.build(), large.content())


def files() -> dict[str, bytes]:
    """Every file that this program writes, by its path below this folder."""
    made: dict[str, bytes] = {}
    manifest: dict[str, list[dict[str, object]]] = {"good": [], "bad": []}
    for case in cases():
        manifest["good"].append(
            {
                "name": case.name,
                "intent": case.intent,
                "archive_sha256": hashlib.sha256(case.data).hexdigest(),
                "archive_bytes": len(case.data),
                "content_sha256": hashlib.sha256(case.content).hexdigest(),
                "content_bytes": len(case.content),
            }
            | ({"base": case.base} if case.base else {})
            | ({"other": case.other} if case.other else {})
            | ({"model": True} if case.model else {})
            | ({"circuit": True} if case.circuit else {})
        )
        made[f"good/{case.name}.llmz"] = case.data
    for broken in bad.cases():
        manifest["bad"].append(
            {
                "name": broken.name,
                "intent": broken.intent,
                "archive_sha256": hashlib.sha256(broken.data).hexdigest(),
                "archive_bytes": len(broken.data),
                "error": broken.error,
            }
        )
        made[f"bad/{broken.name}.llmz"] = broken.data
    count = sum(len(part) for part in manifest.values())
    if len(made) != count:
        raise ValueError("two golden files have the same name")
    made["manifest.json"] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    return made


def stored() -> dict[str, bytes]:
    """Every such file that is there."""
    paths = [*FOLDER.glob("good/*.llmz"), *FOLDER.glob("bad/*.llmz"), *FOLDER.glob("manifest.json")]
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in paths}


def main() -> int:
    made, there = files(), stored()
    different = sorted(
        name for name in made.keys() | there.keys() if made.get(name) != there.get(name)
    )
    for name in different:
        if "--check" in sys.argv:
            print(f"{name}: not what this program makes", file=sys.stderr)
        elif name in made:
            (FOLDER / name).parent.mkdir(exist_ok=True)
            (FOLDER / name).write_bytes(made[name])
        else:
            (FOLDER / name).unlink()
    return int(bool(different) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
