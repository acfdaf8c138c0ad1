"""Weights of four bits: out of a checkpoint's blocks, into a pack."""

from __future__ import annotations

import numpy as np
import pytest

import synthetic
from llmzip.errors import UnsupportedError
from llmzip.models import pack
from llmzip.models.arrays import Nibbles, floats, weights
from llmzip.models.importing import import_model
from reference.transformer import Matrix, Pack


def random(rows: int, inputs: int) -> Nibbles:
    draw = np.random.default_rng(rows)
    bits = draw.integers(0, 16, (rows, inputs)).astype(np.uint8)
    steps = (draw.normal(size=(rows, inputs // 32)) / 50).astype(np.float32)
    return Nibbles(bits, steps, (draw.normal(size=steps.shape) / 10).astype(np.float32))


@pytest.mark.parametrize(("kind", "size"), [("q4_0", 18), ("q4_1", 20)])
def test_nibbles_are_the_floats_of_their_blocks(kind, size):
    draw = np.random.default_rng(size)
    blocks = draw.integers(0, 256, (6, size)).astype(np.uint8)
    # Scales from 2**-14 to 2**-6.
    blocks[:, 1] = blocks[:, 1] & 0x9F | 4
    blocks[:, 3] = blocks[:, 3] & 0x9F | 4
    found = weights(kind, blocks.tobytes(), (3, 64))
    assert isinstance(found, Nibbles)
    assert np.array_equal(found.floats(), floats(kind, blocks.tobytes(), (3, 64)))
    # A vector is no matrix.
    assert not isinstance(weights(kind, blocks.tobytes(), (192,)), Nibbles)


@pytest.mark.parametrize(("rows", "inputs"), [(1, 64), (64, 128), (100, 192)])
def test_a_matrix_is_near_its_source(rows, inputs):
    values = random(rows, inputs)
    data, exponent = pack._nibbles(values, 0.18)
    matrix = Matrix("q4", data, [rows, inputs], exponent)
    assert np.abs(matrix.weights).max() < 2**15
    assert np.abs(matrix.weights).max() >= 2**13
    off = matrix.weights / 2**exponent - values.floats().astype(float) * 0.18
    # A base and fifteen steps, each at most half a unit off.
    assert np.abs(off).max() <= 8.01 / 2**exponent


def test_weights_that_rounding_makes_too_wide_get_another_exponent():
    steps = np.array([[2184.51, 2184.51]]) / 2**15
    values = Nibbles(np.full((1, 64), 15, np.uint8), steps, 0 * steps)
    data, exponent = pack._nibbles(values, 1.0)
    assert exponent == 14
    assert (Matrix("q4", data, [1, 64], exponent).weights == 15 * 1092).all()


def test_zeros_stay_zeros():
    data, exponent = pack._nibbles(Nibbles(np.zeros((2, 64), np.uint8), *np.zeros((2, 2, 2))), 1.0)
    assert exponent == 0
    assert not Matrix("q4", data, [2, 64], exponent).weights.any()


def imported(tmp_path, kind: str) -> bytes:
    path = tmp_path / f"{kind}.gguf"
    path.write_bytes(synthetic.gguf(kind))
    return import_model(str(path))


def test_a_file_of_four_bits_makes_a_pack_of_four_bits(tmp_path):
    found, floats = (Pack(imported(tmp_path, kind)) for kind in ("q4_1", "f16"))
    assert imported(tmp_path, "q4_0") == imported(tmp_path, "q4_1")
    kinds = {name: entry["kind"] for name, entry in found.entries.items()}
    assert {kinds[name] for name in kinds if name.endswith("_proj.weight")} == {"q4"}
    assert len(found.data) < 0.8 * len(floats.data)
    name = "layers.0.self_attn.k_proj.weight"
    narrow, wide = found.matrix(name), floats.matrix(name)
    # The source has halves and quarters of 1/16: nibbles are exact, bytes are not.
    assert np.array_equal(
        np.rint(narrow.weights / 2.0 ** (narrow.exponent - 6)),
        narrow.weights / 2.0 ** (narrow.exponent - 6),
    )
    assert (
        np.abs(narrow.weights / 2.0**narrow.exponent - wide.weights / 2.0**wide.exponent).max()
        < 0.001
    )


def test_values_that_are_not_finite_are_refused(tmp_path):
    whole = bytearray(synthetic.gguf("q4_1"))
    unit = np.array([1 / 64], "<f2").tobytes() + np.array([-8 / 64], "<f2").tobytes()
    at = whole.rindex(unit)
    whole[at : at + 2] = np.array([np.inf], "<f2").tobytes()
    (tmp_path / "bad.gguf").write_bytes(whole)
    with pytest.raises(UnsupportedError, match="not finite"):
        import_model(str(tmp_path / "bad.gguf"))
