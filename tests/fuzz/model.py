"""Fuzzes what reads model packs, and archives that a language model predicts.

Usage: python tests/fuzz/model.py [--runs N | --seconds S] [--seed N] [--artifacts FOLDER]

Three kinds of input, all made from the tiny model. *Packs* with bytes or fields of the header
changed: they must be refused, or code a text and decode it again. *Archives* that bring their
model, damaged: as in `container.py`. *Payloads* that no encoder made, under right checks: they must
be refused. Exits 1 at the first failure, with the input left in the artifacts folder.
"""

from __future__ import annotations

import gc
import io
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import container
from container import EDGES, HERE, Honest, Wrong, attempt, damage

sys.path.insert(0, str(HERE.parent))

import synthetic
from golden import bad, inputs
from golden.parts import CODED, Archive, coded_segment, varint
from llmzip import _native
from llmzip.archive import write_archive
from llmzip.errors import LlmzError
from llmzip.models import loaded, packfile
from llmzip.models.importing import import_model
from llmzip.options import Options

TEXT = (synthetic.TEXT + " in 1865: \N{EURO SIGN} 7, and\tnoise \x00\x7f.\n").encode() * 5
# As new to the mixer as to the model, which therefore is asked about the wrapped lines behind it.
UNLIKE = bytes(32 + byte % 95 for byte in inputs.random(250))
WRAPPED = UNLIKE + inputs.wrapped(1200, 40, b"\r\n", 2)
LLM = ("llm", 1, 1)
SETTINGS = _native.settings("llm", 1, 3, TEXT)
# A pack in whose place another one is claimed may ask for this much.
MEMORY = 64 << 20


def tiny(kind: str) -> bytes:
    """The tiny model's pack out of a GGUF file with matrices of this kind."""
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(synthetic.gguf(kind))
        file.flush()
        return import_model(file.name)


def lied(rng: random.Random, pack: bytes) -> bytes:
    """A pack with some values of the header changed, whose length is right again."""
    size = int.from_bytes(pack[12:20], "little")
    header = json.loads(pack[20 : 20 + size])
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        node, key = header, rng.choice(sorted(header))
        while isinstance(node[key], dict) and node[key]:
            node = node[key]
            key = rng.choice(sorted(node))
        value = rng.choice((*EDGES, -1, 1.5, None, True, "", "llama3", [], [1], {}))
        if type(node[key]) is int and rng.random() < 0.5:
            value = node[key] + rng.choice((-64, -1, 1, 16, 64))
        match rng.randrange(8):
            case 0:
                del node[key]
            case 1:
                node[rng.choice(sorted(node))] = node[key]
            case _:
                node[key] = value
        if not header:
            break
    text = json.dumps(header).encode()
    # Tensors stay where they were as long as the text fits.
    start = min(entry for entry in range(20 + size, len(pack)) if entry % 64 == 0)
    front = pack[:12] + len(text).to_bytes(8, "little") + text
    return front.ljust(start, b"\0") + pack[start:]


def try_pack(pack: bytes) -> str:
    """What becomes of a text with a pack that may be damaged."""
    refused = attempt("packfile.check", lambda: packfile.check(pack))
    with tempfile.NamedTemporaryFile(suffix=".lzpack") as file:
        file.write(pack)
        file.flush()
        attempt("packfile.read_header", lambda: packfile.read_header(file.name))

    def use() -> bytes:
        model = loaded.Loaded(pack, sha256(pack).digest(), "tiny", "the pack", 1)
        if model.memory(SETTINGS) > MEMORY:
            return b""
        tokens = model.native.tokens(TEXT)
        if len(model.native.costs(tokens[:40], 16)) != min(len(tokens), 40):
            raise Wrong("not every token has a cost")
        segment = coded_segment(LLM, SETTINGS, [(CODED, TEXT)], model=model.native)
        (chunk,) = segment.chunks
        if chunk.type != CODED:
            return b""
        decoder = _native.Decoder("llm", 1, SETTINGS, len(TEXT))
        decoder.set_model(model.native)
        if decoder.decode_chunk(chunk.payload, len(TEXT)) != TEXT:
            raise Wrong("a text does not come back")
        return b""

    used = attempt("coding with the pack", use)
    if isinstance(used, LlmzError) and not isinstance(refused, LlmzError):
        raise Wrong(f"packfile.check accepts it, but coding says {used}")
    return refused.kind if isinstance(refused, LlmzError) else "usable"


def honest(pack: bytes) -> list[Honest]:
    """Archives that bring the model."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.lzpack"
        path.write_bytes(pack)
        for level, size in ((3, None), (6, 300)):
            sink = io.BytesIO()
            options = Options(
                level=level,
                model=str(path),
                embed_model=True,
                segment_size=size,
                predictor="llm",
                verify=False,
                threads=1,
            )
            write_archive(io.BytesIO(TEXT), sink, options)
            step = size or len(TEXT)
            parts = tuple(TEXT[at : at + step] for at in range(0, len(TEXT), step))
            made.append(Honest(sink.getvalue(), TEXT, parts))
    return made


def payload(rng: random.Random, text: bytes, pack: bytes, model: _native.Model) -> bytes:
    """An archive of a text with a chunk whose payload was not coded, under right checks."""
    settings = bytearray(_native.settings("llm", 1, rng.choice((3, 4, 6, 7)), text))
    settings[-2:] = rng.choice((0, 1, 4, 5, 24)), rng.randrange(4)
    cut = rng.randrange(1, len(text))
    raws = [(CODED, text[:cut]), (CODED, text[cut:])]
    segment = coded_segment(LLM, bytes(settings), raws, model=model)
    chunk = rng.choice(segment.chunks)
    chunk.payload = (
        damage(rng, chunk.payload) if rng.random() < 0.7 else rng.randbytes(len(chunk.raw) // 2)
    )
    if len(chunk.payload) >= len(chunk.raw):
        chunk.payload = chunk.payload[: len(chunk.raw) - 1]
    if rng.random() < 0.1:
        segment.settings = rng.randbytes(rng.randrange(9))
    part = coded_segment(bad.ZSTD, bad.LEVEL, [(CODED, pack)], index=1)
    archive = Archive([LLM, bad.ZSTD], [segment], level=3, model=[part], decoder_memory=0)
    archive.records[5] = b"\2" + sha256(pack).digest() + varint(len(pack)) + b"\4tiny"
    return archive.build()


def one_case(
    rng: random.Random, pack: bytes, model: _native.Model, archives: list[Honest]
) -> tuple[bytes, str]:
    """An input, and what became of it; raises ``Wrong`` with the input as its second argument."""
    kind = rng.randrange(4)
    data = b""
    try:
        if kind < 2:
            data = lied(rng, pack) if kind else damage(rng, pack)
            return data, f"pack {try_pack(data)}"
        if kind == 2:
            base = rng.choice(archives)
            data = damage(rng, base.data)
            return data, f"archive {container.check(data, base.content, base.segments)}"
        text = rng.choice((TEXT, WRAPPED))
        data = payload(rng, text, pack, model)
        return data, f"payload {container.check(data, text, None)}"
    except Wrong as error:
        raise Wrong(str(error), data) from error


def main() -> int:
    """Command line; see the module's text."""
    asked = container.parse(HERE / "artifacts" / "model")
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    limit = used + container.HEADROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    packs = [tiny(kind) for kind in ("f32", "q4_1")]
    models = [_native.Model(pack, 1) for pack in packs]
    archives = [honest(pack) for pack in packs]
    for base in (base for some in archives for base in some):
        if container.check(base.data, base.content, base.segments) != "harmless":
            print("an honest archive is refused", file=sys.stderr)
            return 1
    if any(try_pack(pack) != "usable" for pack in packs):
        print("an honest pack is refused", file=sys.stderr)
        return 1
    end = time.monotonic() + asked.seconds if asked.seconds is not None else float("inf")
    counts: Counter[str] = Counter()
    number = 0
    while (asked.runs is None or number < asked.runs) and time.monotonic() < end:
        try:
            which = number % len(packs)
            rng = random.Random(f"{asked.seed}:{number}")
            _, outcome = one_case(rng, packs[which], models[which], archives[which])
        except Wrong as error:
            asked.artifacts.mkdir(parents=True, exist_ok=True)
            left = asked.artifacts / f"{asked.seed}-{number}"
            left.write_bytes(error.args[1])
            print(f"case {number}, seed {asked.seed}: {error.args[0]}; {left}", file=sys.stderr)
            return 1
        counts[outcome] += 1
        number += 1
        # Tracebacks of what was refused hold decoders of a hundred megabytes each.
        gc.collect()
    print(f"{number} cases: " + ", ".join(f"{n} {name}" for name, n in counts.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
