"""No predictor takes more memory than it says: limits and the choice of threads go by that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmzip import _native
from llmzip.models import loaded

STATM = Path("/proc/self/statm")

# Measures address space, not what of it is in use: all of it may come to be used.
PROGRAM = """
import json, os, sys
from llmzip import _native

def space():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")

def new(make, settings, length):
    coder = make(id, version, settings, length)
    if model:
        model.give(coder, id == "llm")
    return coder

def encode(coder):
    coder.look_ahead(raw)
    coder.write(raw)
    return coder.finish_chunk()

def decode(coder):
    coder.begin_chunk(payload)
    coder.read(len(raw))
    coder.end_chunk()

id, version, settings, model = json.loads(sys.argv[1])
if model:
    from llmzip.models.loaded import named
    model = named(model, 2)
raw = b"some text, and some text again; " * 30
if id in ("pc", "circuit"):
    lines = ("%d,kind %d,%s,a word\\n" % (n, n * n % 7, "xyz"[n % 3]) for n in range(700))
    raw = "".join(lines).encode()
found = []
for text in settings:
    for length in (len(raw), 1 << 24):
        known = bytes.fromhex(text)
        payload = encode(new(_native.Encoder, known, length))
        said = _native.memory(id, version, known, length)
        if model:
            said += model.memory(known) - model.ref.length
        for make, use in ((_native.Encoder, encode), (_native.Decoder, decode)):
            before = space()
            coder = new(make, known, length)
            use(coder)
            found.append((text, length, space() - before, said))
            del coder
print(json.dumps(found))
"""


def settings_of(predictor) -> set[bytes]:
    """Whatever a writer asks of a predictor."""
    if predictor.id == "cm":
        grey = bytes(4) + bytes([16, 0, 0, 0])
        return {
            bytes([level, class_, 40, 0]) + grey * (class_ == 4)
            for level in range(3, 9)
            for class_ in range(5)
        }
    if predictor.id == "zstd":
        return {bytes([level]) for level in (1, 3, 9, 10, 12, 19)}
    sample = bytes(range(256)) * 20
    return {
        _native.settings(predictor.id, predictor.version, level, sample) for level in range(1, 10)
    }


def growth(predictor: list[object]) -> list[tuple[str, int, int, int]]:
    """Settings, raw length, growth and what was said; for id, version, settings and model."""
    # Large pieces go back to the system as soon as they are freed, so that growth is what is held.
    environment = os.environ | {
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_TRIM_THRESHOLD_": "65536",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, json.dumps(predictor)],
        env=environment,
        check=True,
        capture_output=True,
        timeout=300,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(not STATM.exists(), reason="needs Linux's /proc")
def test_memory_of_images_by_a_circuit_is_at_most_what_is_said(images, pictures):
    circuit = loaded.named(pictures, 0).native
    settings = [b"\0" + circuit.joined(level, images(40, 2)) for level in (6, 7, 8)]
    found = growth(["circuit", 1, [text.hex() for text in settings], pictures])
    assert len(found) == 12
    assert [case for case in found if case[2] > case[3]] == []


@pytest.mark.skipif(not STATM.exists(), reason="needs Linux's /proc")
def test_memory_is_at_most_what_is_said(predictor, options):
    texts = sorted(settings.hex() for settings in settings_of(predictor))
    found = growth([predictor.id, predictor.version, texts, options.get("model")])
    assert len(found) == 4 * len(texts)
    assert [case for case in found if case[2] > case[3]] == []
    if predictor.id == "cm":
        # Nor is it said to take a multiple of what the class takes that takes the most: fewer
        # threads would run than could.
        most: dict[tuple[str, int], int] = {}
        for text, length, grown, _ in found:
            level = text[:2]
            most[level, length] = max(most.get((level, length), 0), grown)
        assert [c for c in found if most[c[0][:2], c[1]] < c[3] // 2] == []
