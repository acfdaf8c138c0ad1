"""Circuits: trained, saved, loaded, and asked."""

from __future__ import annotations

import hashlib
import pickle
import random
import struct
import subprocess
import sys

import numpy as np
import pytest

import llmzip.pc
from llmzip.errors import (
    CorruptError,
    MissingPackageError,
    ModelError,
    UnsupportedError,
    UsageError,
)

COLOURS = ("red", "green", "blue")
SHAPES = ("round", "flat", "long")


def table(rows: int = 3000) -> bytes:
    """The second column follows the first, but in one of eight rows; the last is free text."""
    chance = random.Random(4)
    lines = ["colour,shape,size"]
    for _ in range(rows):
        colour = chance.randrange(3)
        shape = 2 if chance.randrange(8) == 0 else colour
        lines.append(f"{COLOURS[colour]},{SHAPES[shape]},{chance.choice('SML')}")
    return "\n".join(lines).encode() + b"\n"


def stack(records: int = 600) -> bytes:
    """An idx file of records of three bytes."""
    head = struct.pack(">BBBBII", 0, 0, 8, 2, records, 3)
    return head + b"".join(bytes((n % 4, n % 4, 200)) for n in range(records))


@pytest.fixture(scope="module")
def circuit() -> llmzip.pc.Circuit:
    return llmzip.pc.train(table(), states=8, threads=1)


def every_row(circuit: llmzip.pc.Circuit) -> np.ndarray:
    sides = np.meshgrid(*(np.arange(n) for n in circuit.values), indexing="ij")
    return np.stack([side.ravel() for side in sides], axis=1)


def test_what_a_circuit_is(circuit):
    assert (circuit.kind, circuit.states, circuit.variables) == ("table", 8, 3)
    assert (circuit.values, circuit.cells) == ((4, 4, 4), (0, 1, 2))
    assert (circuit.lead, circuit.stride) == (None, None)
    assert circuit.sha256 == hashlib.sha256(circuit.pack).hexdigest()
    assert circuit.sha256[:12] in repr(circuit)


def test_probabilities_come_to_one(circuit):
    rows = every_row(circuit)
    log = circuit.log_prob(rows)
    assert (log.shape, log.dtype) == ((64,), np.float64)
    assert np.exp(log).sum() == pytest.approx(1, abs=1e-9)
    assert (circuit.log_prob(rows, np.ones(3, bool)) == 0).all()
    # What is missing is summed out: of each variable in turn.
    for variable, values in enumerate(circuit.values):
        missing = np.zeros(3, bool)
        missing[variable] = True
        given = circuit.log_prob(rows, missing)
        alone = np.exp(log - given)
        marginals = circuit.marginals(rows, missing)
        assert [own.shape for own in marginals] == [(64, 4)] * 3
        codes = rows[:, variable]
        np.testing.assert_allclose(marginals[variable][np.arange(64), codes], alone, atol=1e-9)
        np.testing.assert_allclose(marginals[variable].sum(axis=1), 1)
        other = (variable + 1) % 3
        assert (marginals[other] == np.eye(values)[rows[:, other]]).all()


def test_it_knows_what_the_table_has(circuit):
    rows, misfits = circuit.encode(b"red,round,S\nred,long,S\nblue,long,S\nno row of it\n")
    assert (rows.shape, rows.dtype, misfits.tolist()) == ((3, 3), np.uint8, [3])
    shape = circuit.marginals(rows[:1], np.array([False, True, False]))[1][0]
    assert shape[rows[0, 1]] == pytest.approx(7 / 8, abs=0.03)
    assert shape[rows[1, 1]] == pytest.approx(1 / 8, abs=0.03)
    first, second, _ = circuit.log_prob(rows, np.array([False, False, True]))
    assert first - second == pytest.approx(np.log(7), abs=0.3)


def test_samples_are_as_frequent_as_the_circuit_says(circuit):
    rows = every_row(circuit)
    samples = circuit.sample(20_000, seed=3)
    assert (samples.shape, samples.dtype) == ((20_000, 3), np.uint8)
    places = np.ravel_multi_index(samples.T, circuit.values)
    wanted = 20_000 * np.exp(circuit.log_prob(rows))
    counts = np.bincount(places, minlength=64)
    assert (abs(counts - wanted) < 5 * np.sqrt(wanted) + 3).all()
    # A seed says all, and more samples begin with fewer.
    assert (circuit.sample(50, seed=3) == samples[:50]).all()
    assert (circuit.sample(50, seed=4) != samples[:50]).any()
    # One row for all, or one for each.
    known, _ = circuit.encode(b"red,round,S\nblue,long,M\n")
    missing = np.array([False, True, True])
    assert (circuit.sample(100, known[:1], missing)[:, 0] == known[0, 0]).all()
    assert (circuit.sample(2, known, missing)[:, 0] == known[:, 0]).all()
    assert (circuit.sample(2, known) == known).all()
    assert circuit.sample(0).shape == (0, 3)


def test_samples_are_the_same_everywhere():
    circuit = llmzip.pc.train(table(400), states=4, passes=3)
    samples = circuit.sample(40, seed=1)
    assert hashlib.sha256(circuit.pack).hexdigest()[:16] == "3715474bf16fa56e"
    assert hashlib.sha256(samples.tobytes()).hexdigest()[:16] == "c2fbccd1ccaa5e04"


def test_lines_there_and_back(circuit):
    text = b"blue,round,L\ngreen,flat,S\n"
    rows, _ = circuit.encode(text)
    assert circuit.decode(rows) == text
    rows[0, 1] = 3
    with pytest.raises(UsageError, match="row 0 is that of no line; skip=True"):
        circuit.decode(rows)
    assert circuit.decode(rows, skip=True) == b"green,flat,S\n"
    lines = circuit.decode(circuit.sample(50), skip=True).splitlines()
    assert 40 < len(lines) <= 50
    assert all(line.split(b",")[0].decode() in COLOURS for line in lines)
    rows, misfits = circuit.encode(b"")
    assert (rows.shape, misfits.shape) == ((0, 3), (0,))
    assert circuit.log_prob(rows).shape == (0,)
    assert [own.shape for own in circuit.marginals(rows)] == [(0, 4)] * 3


def test_free_text_comes_back_empty():
    lines = [f"{n % 3},{hashlib.sha256(b'%d' % n).hexdigest()},{n % 2}" for n in range(400)]
    circuit = llmzip.pc.train("\n".join(lines).encode() + b"\n", states=4)
    assert circuit.cells == (0, 2)
    rows, misfits = circuit.encode(b"1,any text at all,0\n")
    assert not len(misfits)
    assert circuit.decode(rows) == b"1,,0\n"


def test_records_of_a_stack():
    data = stack()
    circuit = llmzip.pc.train(data, states=4)
    assert (circuit.kind, circuit.lead, circuit.stride) == ("stack", 12, 3)
    assert (circuit.values, circuit.cells) == ((256,) * 3, (0, 1, 2))
    rows, misfits = circuit.encode(data[12:])
    assert not len(misfits) and circuit.decode(rows) == data[12:]
    marginals = circuit.marginals([[2, 0, 0]], [False, True, True])
    assert marginals[1][0, 2] > 0.9 and marginals[2][0, 200] > 0.9
    with pytest.raises(UsageError):
        circuit.encode(data[11:])


def test_it_is_saved_loaded_and_pickled(circuit, tmp_path):
    path = tmp_path / "table.lzpack"
    circuit.save(path)
    assert path.read_bytes() == circuit.pack
    for again in (
        llmzip.pc.load(path),
        llmzip.pc.load(str(path)),
        pickle.loads(pickle.dumps(circuit)),
    ):
        assert again.sha256 == circuit.sha256
        assert (again.sample(5) == circuit.sample(5)).all()


def test_what_is_no_circuit_is_refused(circuit, tmp_path, monkeypatch):
    monkeypatch.setenv("LLMZIP_MODELS", str(tmp_path / "models"))
    with pytest.raises(ModelError):
        llmzip.pc.load("nobody-knows-it")
    path = tmp_path / "pack"
    path.write_bytes(b"something else")
    with pytest.raises(ModelError, match="no circuit"):
        llmzip.pc.load(path)
    path.write_bytes(circuit.pack[:40])
    with pytest.raises(CorruptError, match=str(path)):
        llmzip.pc.load(path)
    with pytest.raises(UnsupportedError, match="update"):
        llmzip.pc.Circuit(circuit.pack[:8] + b"\x09" + circuit.pack[9:])


def test_training_is_the_same_with_any_number_of_threads():
    packs = {llmzip.pc.train(table(600), 4, 3, threads).pack for threads in (0, 1, 3)}
    assert len(packs) == 1


def test_progress_hears_of_passes_and_ends_the_training():
    heard = []
    llmzip.pc.train(table(400), states=4, passes=5, progress=heard.append)
    assert heard == [1, 2, 3, 4, 5]

    def stop(done: int) -> None:
        raise KeyError(done)

    with pytest.raises(KeyError, match="1"):
        llmzip.pc.train(table(400), states=4, passes=100_000, progress=stop)


@pytest.mark.parametrize("data", [b"", b"words, but no table\n" * 3, bytes(1000)])
def test_other_content_trains_nothing(data):
    with pytest.raises(UsageError, match="neither a table"):
        llmzip.pc.train(data)


@pytest.mark.parametrize("settings", [{"states": 5}, {"passes": -1}, {"threads": -1}])
def test_other_settings_train_nothing(settings):
    with pytest.raises(UsageError, match="states"):
        llmzip.pc.train(table(100), **settings)


@pytest.mark.parametrize(
    ("rows", "missing", "what"),
    [
        ([1, 1, 1], None, "shape"),
        ([[1, 1]], None, "shape"),
        ([[1.0, 1.0, 1.0]], None, "integers"),
        ([[1, 1, 300]], None, "255"),
        ([[1, 1, -1]], None, "below 0"),
        ([[1, 1, 1], [1, 1, 4]], None, "row 1, variable 2: code 4"),
        ([[1, 1, 1]], [0, 0, 1], "booleans"),
        ([[1, 1, 1]], [True], "shape"),
        ([[1, 1, 1]], [[True] * 3] * 2, "shape"),
    ],
)
def test_other_rows_are_refused(circuit, rows, missing, what):
    for ask in (circuit.log_prob, circuit.marginals, lambda *given: circuit.sample(1, *given)):
        with pytest.raises(UsageError, match=what):
            ask(rows, missing)


def test_codes_that_are_missing_are_not_looked_at(circuit):
    missing = np.array([False, True, False])
    log = circuit.log_prob([[1, 255, 1], [1, 0, 1]], missing)
    assert log[0] == log[1]


def test_other_samples_are_refused(circuit):
    for given in ({"n": -1}, {"n": 1, "seed": -1}, {"n": 1, "seed": 2**64}):
        with pytest.raises(UsageError):
            circuit.sample(**given)
    with pytest.raises(UsageError, match="2 rows for 3"):
        circuit.sample(3, [[1, 1, 1]] * 2)
    with pytest.raises(UsageError, match="none are given"):
        circuit.sample(3, missing=[True] * 3)


def test_numpy_is_imported_when_it_is_needed(circuit, monkeypatch):
    code = "import sys, llmzip.pc; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code]).returncode == 0
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingPackageError, match="pip install numpy"):
        circuit.log_prob([[1, 1, 1]])
