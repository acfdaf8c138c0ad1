"""Which predictor a segment gets, and what becomes of noise."""

from __future__ import annotations

import io
import lzma
import time
from random import Random

import pytest

import llmzip
from llmzip import route
from llmzip.archive import write_archive

NOISE = Random(1).randbytes(1 << 20)


def chosen(data: bytes, level: int = 6) -> str:
    return route.choose(data, level, None).predictor.id


def words(length: int) -> bytes:
    random = Random(2)
    return bytes(random.choices(b"etaoin shrdlu\n", k=length))


@pytest.mark.parametrize(
    "data",
    [
        NOISE,
        NOISE[: 64 << 10],
        NOISE[:100_001],
        lzma.compress(words(1 << 20)),
    ],
    ids=["noise", "little", "odd", "xz"],
)
def test_noise_is_stored(data):
    assert chosen(data) == "store"
    for level in range(3, 10):
        assert chosen(data, level) == "store"


def test_what_shrinks_is_coded():
    coded = chosen(words(1 << 20))
    assert coded != "store"
    random = Random(3)
    samples = {
        "text": words(200_000),
        "little noise": NOISE[: (64 << 10) - 1],
        "one byte": b"x",
        "zeros": bytes(200_000),
        "text after noise": NOISE[:900_000] + words(60_000),
        "text before noise": words(60_000) + NOISE[:900_000],
        "records": b"".join(NOISE[at : at + 28] + b"\0\0\0\1" for at in range(0, 200_000, 28)),
        "16-bit samples": b"".join(
            random.randrange(-2000, 2000).to_bytes(2, "little", signed=True) for _ in range(60_000)
        ),
        "near noise": bytes(random.randrange(1, 256) & 0xFE for _ in range(100_000)),
        "noise twice": NOISE[:300_000] * 2,
        "noise again far behind": NOISE + Random(4).randbytes(4 << 20) + NOISE,
        "hexadecimal": NOISE[:100_000].hex().encode(),
        "utf-16": words(100_000).decode().encode("utf-16"),
    }
    assert {name for name, data in samples.items() if chosen(data) != coded} == set()


def test_the_choice_depends_on_nothing_else():
    for data in (NOISE, words(100_000)):
        assert route.choose(data, 6, None) == route.choose(bytes(data), 6, None)
    assert chosen(NOISE, 1) == chosen(words(1000), 2) == "zstd"
    assert route.choose(NOISE, 6, "zstd").predictor.id == "zstd"
    assert route.choose(words(1000), 6, "store").predictor.id == "store"


@pytest.mark.parametrize("level", [1, 6, 9])
def test_ten_megabytes_of_noise(level):
    noise = Random(5).randbytes(10_000_000)
    sink = io.BytesIO()
    began = time.monotonic()
    write_archive(io.BytesIO(noise), sink, llmzip.Options(level=level, threads=1))
    assert len(sink.getvalue()) <= len(noise) * 1.0001 + 200
    assert time.monotonic() - began < 10


def test_bounds_hold_for_every_choice():
    for level in range(1, 10):
        for name in (None, "store", "zstd"):
            for data in (NOISE[:100_000], words(5000)):
                choice = route.choose(data, level, name)
                among = route.candidates(level, name)
                assert choice.predictor in among
                need = route.memory(choice, len(data))
                assert need <= route.most_memory(among, level, len(data))
        assert route.segment_size(level) >= 1 << 20
