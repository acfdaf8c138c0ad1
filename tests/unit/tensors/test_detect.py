"""Detection: arrays of floats are recognised, nothing else is."""

from __future__ import annotations

import math
import struct
import sys
import zlib
from pathlib import Path
from random import Random

import pytest

from llmzip.tensors.detect import SPAN, detect, plan_raw
from llmzip.tensors.layout import Region
from unit.tensors.helpers import planned

COUNT = 20_000


def gauss(scale: float = 0.03, count: int = COUNT) -> list[float]:
    random = Random(7)
    # Rows of different scale, as matrices have them.
    scales = [scale * math.exp(random.gauss(0, 0.5)) for _ in range(64)]
    return [random.gauss(0, scales[index // 64 % 64]) for index in range(count)]


def f32(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def bf16(values: list[float]) -> bytes:
    data = f32(values)
    return b"".join(data[at + 2 : at + 4] for at in range(0, len(data), 4))


def f16(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}e", *values)


def f64(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


PACK = {"f32": f32, "bf16": bf16, "f16": f16, "f64": f64}


@pytest.mark.parametrize("scale", [0.002, 0.03, 1.0])
@pytest.mark.parametrize("kind", PACK)
def test_weights(kind, scale):
    assert detect(PACK[kind](gauss(scale))) == kind


@pytest.mark.parametrize("kind", PACK)
def test_few_weights(kind):
    assert detect(PACK[kind](gauss(count=1500))) == kind


@pytest.mark.parametrize("kind", PACK)
def test_weights_of_which_many_are_zero(kind):
    random = Random(3)
    values = [value if random.random() < 0.4 else 0.0 for value in gauss()]
    assert detect(PACK[kind](values)) == kind


def test_floats_of_reduced_precision():
    held = b"".join(b"\0\0" + bf16([value]) for value in gauss())
    assert detect(held) == "f32"
    assert detect(f32([struct.unpack("<e", f16([value]))[0] for value in gauss()])) == "f32"


def pixels() -> bytes:
    random = Random(1)
    return bytes(
        int(128 + 90 * math.sin(x / 31 + y / 17 + channel) + random.gauss(0, 6)) & 255
        for y in range(200)
        for x in range(200)
        for channel in range(3)
    )


def samples(loudness: float) -> bytes:
    random = Random(2)
    waves = [
        loudness * (0.6 * math.sin(at / 20) + 0.3 * math.sin(at / 3.7)) + random.gauss(0, 9)
        for at in range(COUNT)
    ]
    return struct.pack(f"<{COUNT}h", *(int(max(-32768, min(32767, wave))) for wave in waves))


def text() -> bytes:
    random = Random(4)
    words = ["the", "weight", "of", "a", "network", "is", "a", "number", "that", "was", "learnt"]
    return " ".join(random.choice(words) for _ in range(COUNT)).encode()


PIXELS = pixels()
OTHERS = {
    "text": text(),
    "wide text": text().decode().encode("utf-16-le"),
    "python": Path(__file__).read_bytes(),
    "random": Random(0).randbytes(4 * COUNT),
    "compressed": zlib.compress(Random(0).randbytes(COUNT).hex().encode()),
    "pixels": PIXELS,
    "pixels with alpha": b"".join(PIXELS[at : at + 3] + b"\xff" for at in range(0, 90_000, 3)),
    "quiet samples": samples(900),
    "loud samples": samples(32000),
    "zeros": bytes(COUNT),
    "ones": f32([1.0] * COUNT),
    "counters": struct.pack(f"<{COUNT}I", *range(COUNT)),
    "large counters": struct.pack(f"<{COUNT}Q", *range(1 << 40, (1 << 40) + COUNT * 977, 977)),
    "times": struct.pack(f"<{COUNT}I", *range(1_700_000_000, 1_700_000_000 + COUNT * 61, 61)),
    "bytes as weights": bytes(int(128 + value * 800) & 255 for value in gauss()),
    "words as weights": struct.pack(f"<{COUNT}h", *(int(value * 20_000) for value in gauss())),
    "few": f32(gauss(count=100)),
    "nothing": b"",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_array_of_floats(name):
    assert detect(OTHERS[name]) == ""


def test_machine_code():
    for place in (sys.executable, *(module.__file__ for module in sys.modules.values()
                                    if getattr(module, "__file__", None))):  # fmt: skip
        path = Path(place)
        if path.suffix in ("", ".so", ".pyd", ".exe", ".pyc"):
            assert detect(path.read_bytes()[:SPAN]) == "", path


def test_weights_read_from_within_a_number_are_none():
    assert detect(f32(gauss())[1:]) == ""
    assert detect(bf16(gauss())[1:]) == ""


def test_a_raw_file():
    data = bf16(gauss())
    assert plan_raw(data, len(data)) == (Region(0, len(data), "", "bf16", (COUNT,)),)
    whole = (Region(0, len(data), "", "bf16", (COUNT,)), Region(len(data), 1))
    assert plan_raw(data + b"x", len(data) + 1) == whole
    assert plan_raw(OTHERS["text"], len(OTHERS["text"])) is None
    assert planned(data) is None
