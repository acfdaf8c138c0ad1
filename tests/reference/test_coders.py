"""The reference coders: round trips, code lengths against the ideal and against constriction."""

import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.inputs import randoms
from reference import binary_coder, range_coder, rans
from reference.errors import CorruptError

MAKE = Path(__file__).parents[1] / "golden" / "coders" / "make.py"

bits = st.lists(st.tuples(st.booleans(), st.integers(1, 2**32 - 1)), max_size=300)
weights = st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 3), min_size=1, max_size=60)


def range_coded(symbols, c, precision):
    encoder = range_coder.Encoder()
    for symbol in symbols:
        encoder.encode(int(symbol), c, precision)
    return encoder.finish()


def test_committed_vectors_are_what_the_reference_makes():
    run = subprocess.run([sys.executable, MAKE, "--check"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


@given(bits)
def test_binary_coder_gives_back_any_bits(message):
    encoder = binary_coder.Encoder()
    for bit, p in message:
        encoder.encode(bit, p)
    decoder = binary_coder.Decoder(encoder.finish())
    assert [decoder.decode(p) for _, p in message] == [bit for bit, _ in message]
    decoder.finish()


@given(st.data(), weights, st.integers(6, 31))
def test_range_coder_gives_back_any_symbols(data, weights, precision):
    c = range_coder.distribution(weights, precision)
    assert c[0] == 0
    assert c[-1] == 2**precision
    assert all(a < b for a, b in pairwise(c))
    symbols = data.draw(st.lists(st.integers(0, len(weights) - 1), max_size=100))
    decoder = range_coder.Decoder(range_coded(symbols, c, precision))
    assert [decoder.decode(c, precision) for _ in symbols] == symbols
    decoder.finish()


@settings(max_examples=50)
@given(st.binary(max_size=60), weights, st.integers(6, 31))
def test_garbage_decodes_to_symbols_of_the_alphabet(garbage, weights, precision):
    c = range_coder.distribution(weights, precision)
    decoder = range_coder.Decoder(garbage)
    assert all(0 <= decoder.decode(c, precision) < len(weights) for _ in range(100))


@st.composite
def rans_tables(draw):
    occurring = draw(st.lists(st.integers(0, 255), min_size=1, max_size=256, unique=True))
    whole = 2 ** rans.bits_of(len(occurring))
    cuts = draw(st.sets(st.integers(1, whole - 1), max_size=len(occurring) - 1))
    more = (cut for cut in range(1, whole) if cut not in cuts)
    ends = sorted(cuts) + [next(more) for _ in range(len(occurring) - 1 - len(cuts))]
    bounds = [0, *sorted(ends), whole]
    return rans.Table({s: b - a for s, (a, b) in zip(occurring, pairwise(bounds), strict=True)})


@settings(max_examples=50)
@given(st.data(), st.lists(rans_tables(), max_size=4), st.integers(1, 64))
def test_rans_gives_back_any_runs(data, tables, lanes):
    runs = [
        (bytes(data.draw(st.lists(st.sampled_from(list(table.frequencies)), max_size=200))), table)
        for table in tables
    ]
    lengths = [(len(run), table) for run, table in runs]
    assert rans.decode(rans.encode(runs, lanes), lengths) == [run for run, _ in runs]


@settings(max_examples=50)
@given(rans_tables(), st.data())
def test_tables_of_rans_survive_being_written(table, data):
    mode = data.draw(st.sampled_from(list(table.frequencies)))
    written = table.write(13, mode)
    again, rest = rans.Table.read(written + b"more")
    assert again.frequencies == table.frequencies
    assert rest == b"more"
    for cut in range(len(written)):
        with pytest.raises(CorruptError):
            rans.Table.read(written[:cut])


@given(rans_tables())
def test_every_slot_has_one_owner(table):
    owners = {(s, place) for s, f in table.frequencies.items() for place in range(f)}
    assert set(table.slots) == owners
    assert len(table.slots) == len(owners)


@pytest.mark.parametrize("lanes", [1, 5, 64])
def test_damaged_streams_of_rans_are_refused(lanes):
    table = rans.Table({3: 2**13, 9: 2**12, 10: 2**12})
    message = bytes([3, 9, 3, 10] * 100)
    stream = rans.encode([(message, table)], lanes)
    runs = [(len(message), table)]
    for cut in range(len(stream)):
        with pytest.raises(CorruptError):
            rans.decode(stream[:cut], runs)
    for wrong in (stream + b"\0\0", b"\x41" + stream[1:], b"\0" + stream[1:]):
        with pytest.raises(CorruptError):
            rans.decode(wrong, runs)


@pytest.mark.parametrize("coder", [binary_coder, range_coder])
def test_bytes_left_over_are_refused(coder):
    decoder = coder.Decoder(b"\x80" + b"\1" * 12)
    with pytest.raises(CorruptError):
        decoder.finish()


def test_binary_coder_is_as_short_as_constriction():
    source = randoms(11)
    p = [max(1, next(source)) for _ in range(50_000)]
    message = [next(source) < share for share in p]
    encoder = binary_coder.Encoder()
    for bit, share in zip(message, p, strict=True):
        encoder.encode(bit, share)
    ours = 8 * len(encoder.finish())

    oracle = constriction.stream.queue.RangeEncoder()
    model = constriction.stream.model.Bernoulli(perfect=False)
    shares = np.array(p, dtype=np.float64) / 2**32
    oracle.encode(np.array(message, dtype=np.int32), model, shares)
    assert_as_short(ours, oracle.num_bits())

    ideal = -sum(math.log2(s if bit else 1 - s) for bit, s in zip(message, shares, strict=True))
    assert ideal - 64 <= ours <= ideal * 1.0001 + 16


@pytest.mark.parametrize("symbols", [2, 17, 256, 5000])
def test_range_coder_is_as_short_as_constriction(symbols):
    source = randoms(symbols)
    weights = [next(source) >> next(source) % 24 for _ in range(symbols)]
    c = range_coder.distribution(weights, 24)
    masses = np.diff(np.array(c, dtype=np.int64))
    points = np.array([next(source) >> 8 for _ in range(20_000)])
    message = np.searchsorted(c, points, side="right") - 1
    ours = 8 * len(range_coded(message, c, 24))

    oracle = constriction.stream.queue.RangeEncoder()
    model = constriction.stream.model.Categorical(masses / 2**24, perfect=False)
    oracle.encode(message.astype(np.int32), model)
    assert_as_short(ours, oracle.num_bits())

    ideal = float((24 - np.log2(masses[message])).sum())
    assert ideal - 64 <= ours <= ideal * 1.0001 + 16


def assert_as_short(ours: int, theirs: int) -> None:
    """constriction rounds probabilities to 24 bits by a rule of its own and writes 32-bit words."""
    assert ours <= theirs * 1.0001 + 16
    assert theirs <= ours * 1.0001 + 64
