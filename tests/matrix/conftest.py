"""What the matrix runs over: every predictor of the build, and content of every kind.

A predictor that is registered is here; there is no list to add it to. Those that need a model have
the tiny one, or a circuit trained on the table, in a store of its own.
"""

from __future__ import annotations

import platform
import struct
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

import synthetic
from llmzip import _native, route
from llmzip.assembler import Assembler
from llmzip.container import PredictorRef
from llmzip.models import loaded, store
from llmzip.options import Options
from llmzip.segments import encode

PREDICTORS = [PredictorRef(*entry) for entry in _native.predictors() + _native.model_predictors()]
# What a predictor that needs a model is given.
MODELS = {"llm": "tiny", "circuit": "rows"}
# A circuit for `spots`, which joins in the contexts of pixels.
IMAGES = "images"
# Every predictor takes it, and the slow ones are quickest there.
LEVEL = 3


def text(length: int) -> bytes:
    """Something like prose."""
    random = Random(1)
    words = ["the", "of", "and", "a", "in", "chunk", "segment", "predict", "mixing", "context"]
    words += ["".join(random.choices("etaoinshrdlu", k=random.randrange(3, 9))) for _ in range(400)]
    out = ""
    while len(out) < length:
        out += (
            " ".join(random.choices(words, k=random.randrange(5, 15))) + random.choice(".,\n") + " "
        )
    return out.encode()[:length]


def wrapped(length: int) -> bytes:
    """The same in lines that are as long as a width lets them be."""
    return "\n\n".join(
        textwrap.fill(part.strip(), 60) for part in text(length).decode().split(".\n")
    ).encode()


def records(count: int) -> bytes:
    """Binary records of 24 bytes: a counter, a slow value, noise, constants."""
    random = Random(2)
    parts = []
    value = 1000
    for number in range(count):
        value += random.randrange(-20, 20)
        parts.append(
            number.to_bytes(4, "little")
            + value.to_bytes(8, "big", signed=True)
            + random.randbytes(2)
            + b"\0\1\0\0REC\xff\xff\0"
        )
    return b"".join(parts)


def table(rows: int) -> bytes:
    """Comma-separated values, a few lines of which are none."""
    random = Random(7)
    lines = ["number,name,class,size,day"]
    for row in range(rows):
        kind = random.randrange(6)
        name = random.choice(("alpha", "beta", "gamma", "delta")) if kind % 2 else "none"
        day = f"2024-{1 + kind:02}-{random.randrange(1, 29):02}"
        lines.append(
            f"{row},{name},{'uvwxyz'[kind]}{kind // 2},{random.randrange(3_000_000)},{day}"
        )
        if row % 50 == 40:
            lines.append(f"# {random.random()}")
    return "\n".join(lines).encode() + b"\n"


def array(rows: int) -> bytes:
    """An array of 16-bit numbers in NumPy's file format, whose columns depend on each other."""
    random = Random(8)
    text = f"{{'descr': '<i2', 'fortran_order': False, 'shape': ({rows}, 4), }}"
    out = b"\x93NUMPY\x01\0\x76\0" + text.ljust(117).encode() + b"\n"
    for _ in range(rows):
        kind = random.randrange(6)
        numbers = (kind, -kind % 4, kind * 500 - random.randrange(3), random.randrange(1000))
        out += b"".join(number.to_bytes(2, "little", signed=True) for number in numbers)
    return out


def spots(count: int, seed: int) -> bytes:
    """An idx file of grey images of 9 x 8 pixels, a spot in each."""
    random = Random(seed)
    pixels = bytearray()
    for _ in range(count):
        left, top = random.randrange(2, 7), random.randrange(2, 6)
        for place in range(72):
            away = (place % 9 - left) ** 2 + (place // 9 - top) ** 2
            pixels.append(max(250 - 9 * away - random.randrange(3), 0))
    return struct.pack(">4B3I", 0, 0, 8, 3, count, 8, 9) + pixels


UNLIKE = bytes(Random(6).choices(range(32, 127), k=400))
"""As new to a mixer as to the tiny model, which therefore is asked about what begins so."""

SAMPLES = {
    "empty": b"",
    "one-byte": b"\x00",
    "two-bytes": b"\xff\x00",
    "under-canary": bytes(range(63)),
    "canary": bytes(range(64)),
    "over-canary": bytes(range(65)),
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "random": Random(3).randbytes(20_000),
    "text": text(20_000),
    "unlike": UNLIKE + text(8000),
    "wrapped": UNLIKE + wrapped(4000),
    "utf-8": ("žluťoučký kůň — 漢字かな交じり文 🙂 " * 300).encode(),
    "records": records(800),
    "table": table(700),
    "array": array(900),
    "all-bytes": bytes(range(256)) * 40,
    "mixed": text(6000) + Random(4).randbytes(6000) + bytes(6000) + records(200),
}


@pytest.fixture(params=PREDICTORS, ids=lambda ref: f"{ref.id}-{ref.version}")
def predictor(request: pytest.FixtureRequest) -> PredictorRef:
    """Every registered predictor, old versions too."""
    ref: PredictorRef = request.param
    return ref


@pytest.fixture(params=SAMPLES, ids=str)
def sample(request: pytest.FixtureRequest) -> bytes:
    """Content of every kind."""
    return SAMPLES[request.param]


@pytest.fixture(scope="session", autouse=True)
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[loaded.Loaded]:
    """The tiny model; it and a circuit are in a store that what is started here finds, too."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMZIP_MODELS", str(folder))
        store.add(synthetic.pack(folder / "tiny.gguf"), MODELS["llm"], "")
        store.add(_native.train(table(400), 4, 2, 1, None), MODELS["circuit"], "")
        store.add(_native.train(spots(300, 1), 4, 2, 1, None), IMAGES, "")
        yield route.language(loaded.named(MODELS["llm"], 0))


@pytest.fixture
def options(predictor: PredictorRef) -> dict[str, str]:
    """What `Options` take to have all segments coded by the predictor."""
    needs = {"model": MODELS[predictor.id]} if route.needs_model(predictor) else {}
    return {"predictor": predictor.id} | needs


Make = Callable[..., bytes]


def make_archive(
    data: bytes,
    ref: PredictorRef,
    level: int = LEVEL,
    segment_size: int = 1 << 24,
    settings: bytes | None = None,
) -> bytes:
    """An archive whose segments are all coded by `ref`, whatever its version.

    settings: of a circuit for `spots`, in place of those that the level gives.
    """
    name = MODELS.get(ref.id, "") if settings is None else IMAGES
    model = loaded.named(name, 0) if route.needs_model(ref) else None
    assembler = Assembler(Options(level=level), (model.ref,) if model else ())
    cuts = [data[at : at + segment_size] for at in range(0, len(data), segment_size)]
    coded = []
    for seq, cut in enumerate(cuts):
        own = settings or _native.settings(ref.id, ref.version, level, cut[: 1 << 20])
        coded.append(encode(cut, route.Choice(ref, own), seq, 0, model=model))
    memory = max((segment.memory for segment in coded), default=0)
    parts = [assembler.header((ref,), max(map(len, cuts), default=0), memory)]
    parts += [assembler.segment(segment) for segment in coded]
    return b"".join([*parts, assembler.end()])


@pytest.fixture
def make() -> Make:
    """`make_archive`."""
    return make_archive


@pytest.fixture
def mixed() -> bytes:
    """Content with chunks of every type, if it is cut into 6,000 bytes."""
    return SAMPLES["mixed"]


@pytest.fixture
def rows() -> Callable[[int], bytes]:
    """`table`."""
    return table


@pytest.fixture
def unlike() -> bytes:
    """`UNLIKE`."""
    return UNLIKE


@pytest.fixture
def prose() -> Callable[[int], bytes]:
    """`text`."""
    return text


@pytest.fixture
def images() -> Callable[[int, int], bytes]:
    """`spots`."""
    return spots


@pytest.fixture
def pictures(model) -> str:
    """The name of a circuit for `spots`."""
    return IMAGES


SIMD = {
    "scalar": (),
    "avx2": ("avx2",),
    "avx512": ("avx512f", "avx512bw"),
    "neon": ("neon",),
}


def cpu_flags() -> set[str]:
    if platform.machine() in ("aarch64", "arm64"):
        # All have it. An emulator may show its host's /proc/cpuinfo.
        return {"neon"}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


@pytest.fixture(params=SIMD)
def simd(request: pytest.FixtureRequest) -> str:
    """The name of kernels that this machine has."""
    name: str = request.param
    missing = set(SIMD[name]) - cpu_flags()
    if missing:
        pytest.skip(f"this machine has no {', '.join(sorted(missing))}")
    return name
