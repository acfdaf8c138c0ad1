"""Mixed planes (FORMAT.md, 9.5): llmzip's decode here, and ones that are made up here decode there.

llmzip mixes no plane of fewer than 16,384 symbols. So most tests have a coder that makes up bits,
which any start of a model and any row can be tried with.
"""

from random import Random

import pytest

from golden.inputs import FLOATS
from llmzip import _native
from reference import tensor_mix
from reference.binary_coder import Decoder, Encoder
from reference.errors import CorruptError
from reference.tensor import KINDS, MIXED, Tensor

from .test_tensor import coded, cut

UNITS = {name: unit for name, unit, *_ in KINDS}


def weights(kind, count, row, seed):
    """Floats whose scale depends on row and column, and the sign on the one before."""
    exponent_bits, mantissa_bits = FLOATS[kind]
    random = Random(seed)
    columns = [random.choice([0, 0, 1, 3]) for _ in range(row)]
    middle = 2 ** (exponent_bits - 1)
    sign, out = 0, bytearray()
    for i in range(count):
        scale = columns[i % row] + i // row % 3 + (random.random() < 0.2)
        sign ^= random.random() < 0.1
        draws = 2 if mantissa_bits > 6 else 6
        mantissa = min(random.randrange(2**mantissa_bits) for _ in range(draws))
        word = (sign << exponent_bits | middle - scale) << mantissa_bits | mantissa
        out += word.to_bytes(UNITS[kind], "little")
    return bytes(out)


def small(kind, count, seed):
    """The same with mantissas of few values, so that bits below the upper three are mixed too."""
    data = bytearray(weights(kind, count, 50, seed))
    for at in range(0, len(data), 2):
        data[at] &= 0xF8
    return bytes(data)


@pytest.mark.parametrize(
    ("kind", "row", "mixed"),
    [
        ("bf16", 61, 2),
        ("bf16", 0, 2),
        ("bf16", 5000, 2),
        ("f32", 37, 2),
        ("f64", 2**20 + 1, 2),
        ("f16", 100, 1),
        ("f8e4m3", 7, 1),
        ("f8e5m2", 64, 1),
    ],
)
def test_reads_what_llmzip_mixes(kind, row, mixed):
    """The first chunks of a segment: the rest is there for llmzip to learn from."""
    unit = UNITS[kind]
    data = weights(kind, 18_000, row if 0 < row < 9999 else 40, 1)
    # Noise: stored, so that the next block starts elsewhere.
    noise = Random(2).randbytes(4800 * unit)
    data = data[: 700 * unit] + noise + data[700 * unit :]
    chunks = cut(data, 300 * unit + 1, 700 * unit, 5500 * unit, 5900 * unit)
    settings, payloads = coded(8, kind, row, chunks)
    reader = Tensor(settings, len(data))
    lengths = []
    for raw, payload in list(zip(chunks, payloads, strict=True))[:4]:
        lengths.append(len(payload) / len(raw))
        if lengths[-1] < 1:
            assert reader.decode(payload, len(raw)) == raw
        else:
            reader.train(raw)
    assert lengths[2] >= 1 and lengths[3] < 1
    assert [number for number, plane in enumerate(reader.model) if plane.form == MIXED] == list(
        range(mixed)
    )


def test_mixes_as_many_bits_of_the_mantissa_as_are_worth_it():
    mixed = set()
    for data in (weights("bf16", 17_000, 50, 3), small("bf16", 17_000, 4)):
        chunks = cut(data, 1000)
        settings, payloads = coded(9, "bf16", 50, chunks)
        reader = Tensor(settings, len(data))
        assert reader.decode(payloads[0], 1000) == chunks[0]
        mixed.add(reader.model[1].mix.mixed)
    assert mixed == {3, 7}


def test_a_column_of_many_rows():
    """Its mean moves more slowly each time, for 254 times."""
    random = Random(7)
    data = bytes(random.randrange(100, 100 + random.choice([2, 2, 20])) for _ in range(17_000))
    chunks = cut(data, 700)
    settings, payloads = coded(8, "f8e4m3", 2, chunks)
    reader = Tensor(settings, len(data))
    assert reader.decode(payloads[0], 700) == chunks[0]
    assert reader.model[0].mix.field.column(1).rows == 350


def test_means_below_0():
    """Where all magnitudes were 0 for long, rounding takes the mean of a new column below it."""
    random = Random(7)
    data = bytearray(random.random() < 0.1 for _ in range(3000))
    for _ in range(6):
        data += bytes(random.randrange(110, 127) for _ in range(2000))
        data += bytes(random.random() < 0.1 for _ in range(1000))
    chunks = cut(bytes(data), 6000)
    settings, payloads = coded(8, "f8e4m3", 3000, chunks)
    reader = Tensor(settings, len(data))
    assert reader.decode(payloads[0], 6000) == chunks[0]
    field = reader.model[0].mix.field
    assert min(field.column(c).mean for c in range(3000)) < 0


class Inventing:
    """Stands in for a decoder: makes up bits, and codes them.

    Bits follow their probability mostly, so that models learn something.
    """

    random = Random(0)

    def __init__(self, _):
        self.encoder = Encoder()

    def decode(self, p):
        bit = self.random.randrange(2**32) < (p if self.random.random() < 0.8 else 2**31)
        self.encoder.encode(bit, p)
        return bit

    def finish(self):
        pass


def length(value):
    return bytes([value & 127 | 128, value >> 7 & 127 | 128, value >> 14])


def invented(monkeypatch, kind, row, starts, counts, seed):
    """Payloads of chunks of `counts` units, made up; the planes that are no mixed ones are 0."""
    monkeypatch.setattr(Inventing, "random", Random(seed))
    coders = []

    def coder(data):
        coders.append(Inventing(data))
        return coders[-1]

    monkeypatch.setattr(tensor_mix, "Decoder", coder)
    settings = _native.tensor_settings(8, kind, row, None)
    unit = UNITS[kind]
    raw_len = sum(counts) * unit
    reader = Tensor(settings, raw_len)
    rest = bytes(unit - len(starts))
    models = b"".join(b"\5" + start for start in starts) + rest
    chunks, payloads = [], []
    for number, count in enumerate(counts):
        front = b"\0" if number else b"\1" + models
        front += length(count * unit)
        constants = b"\1\0" * len(rest)
        nothing = (b"\5" + length(0)) * len(starts)
        chunks.append(reader.decode(front + nothing + constants, count * unit))
        coded = [coders.pop(0).encoder.finish() for _ in starts]
        blocks = b"".join(b"\5" + length(len(stream)) + stream for stream in coded)
        payloads.append(front + blocks + constants)
    monkeypatch.undo()
    return settings, chunks, payloads


def agree(settings, chunks, payloads):
    """llmzip's decoder finds the chunks, here and in small pieces."""
    raw_len = sum(map(len, chunks))
    whole = _native.Decoder("tensor", 1, settings, raw_len)
    pieces = _native.Decoder("tensor", 1, settings, raw_len)
    for chunk, payload in zip(chunks, payloads, strict=True):
        assert whole.decode_chunk(payload, len(chunk)) == chunk
        pieces.begin_chunk(payload)
        half = len(chunk) // 2
        assert pieces.read(half) + pieces.read(len(chunk) - half) == chunk
        pieces.end_chunk()


def powers(random, used):
    """Of a scale plane: `used` symbols have powers of at least 1."""
    found = [0] * 256
    for symbol in random.sample(range(256), used):
        found[symbol] = random.randrange(1, 16)
    return found


def packed(values):
    return bytes(low | high << 4 for low, high in zip(values[::2], values[1::2], strict=True))


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("used", [0, 1, 5, 64, 65, 256])
def test_any_start_of_a_scale_plane(monkeypatch, kind, used):
    random = Random(used)
    row = random.choice([0, 1, 2, 13])
    start = packed(powers(random, used))
    agree(*invented(monkeypatch, kind, row, [start], [90, 1, 60], used))


@pytest.mark.parametrize("mixed", range(1, 8))
@pytest.mark.parametrize("kind", ["bf16", "f32", "f64"])
def test_any_start_of_a_fine_plane(monkeypatch, kind, mixed):
    random = Random(mixed)
    row = random.choice([0, 1, 2, 13])
    starts = [packed(powers(random, 9)), bytes([random.randrange(256), mixed])]
    agree(*invented(monkeypatch, kind, row, starts, [90, 1, 60], mixed))


@pytest.mark.parametrize("row", [4095, 4096, 4097, 2**20, 2**20 + 1, 2**32 - 1])
def test_long_rows(monkeypatch, row):
    starts = [packed(powers(Random(row), 7)), b"\x90\3"]
    settings, chunks, payloads = invented(monkeypatch, "bf16", row, starts, [50], row)
    # A block that begins just before the columns that share a context, and before the row's end.
    for at in (4000, row - 20):
        if at > 2**21:
            continue
        reader = Tensor(settings, 2 * at + len(chunks[0]))
        reader.train(bytes(2 * at))
        found = reader.decode(payloads[0], len(chunks[0]))
        decoder = _native.Decoder("tensor", 1, settings, 2 * at + len(chunks[0]))
        decoder.train(bytes(2 * at))
        assert decoder.decode_chunk(payloads[0], len(found)) == found


def test_magnitudes_at_their_ends(monkeypatch):
    """Means go below 0 by rounding where all magnitudes are 0; 4,095 is the other end."""
    for symbols in ([0, 1, 2], [253, 254, 255], [0, 255]):
        start = [0] * 256
        for symbol in symbols:
            start[symbol] = 12
        for top in (0, 20, 255):
            start[top] = max(start[top], 5)
            starts = [packed(start), bytes([top, 2])]
            agree(*invented(monkeypatch, "bf16", 3, starts, [200], top))


def model_of(*forms, level=8, kind="bf16", change=False):
    """Settings and the payload of a chunk with such a model and constant planes."""
    settings = bytes([level]) + _native.tensor_settings(8, kind, 4, 0 if change else None)[1:]
    unit = UNITS[kind]
    return settings, b"\1" + b"".join(forms) + length(unit * 9) + b"\1\0" * unit


SCALE = b"\5" + bytes(128)
FINE = b"\5\x80\3"


@pytest.mark.parametrize(
    ("made", "good"),
    [
        (model_of(SCALE, FINE), True),
        (model_of(SCALE, FINE, level=9), True),
        (model_of(b"\0", FINE), True),
        (model_of(SCALE, b"\0"), True),
        (model_of(SCALE, FINE, level=7), False),
        (model_of(SCALE, FINE, change=True), False),
        (model_of(SCALE, b"\5\x80\0"), False),
        (model_of(SCALE, b"\5\x80\x08"), False),
        (model_of(SCALE, b"\0", kind="f16"), True),
        (model_of(SCALE, FINE, kind="f16"), False),
        (model_of(b"\0", SCALE, kind="f16"), False),
        (model_of(SCALE, kind="f8e4m3"), True),
        (model_of(SCALE, kind="i8"), False),
        (model_of(SCALE, kind="u8"), False),
        (model_of(SCALE, FINE, b"\0\0", kind="f32"), True),
        (model_of(SCALE, FINE, FINE + b"\0", kind="f32"), False),
        (model_of(SCALE, b"\0", kind="i16"), False),
        (model_of(b"\6", b"\0"), False),
    ],
)
def test_which_planes_may_be_mixed(made, good):
    settings, payload = made
    unit = KINDS[settings[1]][1]
    base = bytes(9 * unit) if settings[2] else b""
    reader = Tensor(settings, 9 * unit, base)
    decoder = _native.Decoder("tensor", 1, settings, 9 * unit)
    if base:
        decoder.set_base(base)
    if good:
        assert reader.decode(payload, 9 * unit) == bytes(9 * unit)
        assert decoder.decode_chunk(payload, 9 * unit) == bytes(9 * unit)
    else:
        with pytest.raises(CorruptError):
            reader.decode(payload, 9 * unit)
        with pytest.raises(_native.CorruptData):
            decoder.decode_chunk(payload, 9 * unit)


def test_damage_is_refused_alike(monkeypatch):
    random = Random(5)
    starts = [packed(powers(random, 9)), b"\x90\5"]
    settings, (chunk,), (payload,) = invented(monkeypatch, "bf16", 7, starts, [25], 6)
    monkeypatch.setattr(tensor_mix, "Decoder", Decoder)
    ends = set()
    for _ in range(80):
        bad = bytearray(payload)
        bad[random.randrange(len(bad))] ^= 1 << random.randrange(8)
        match random.randrange(6):
            case 0:
                del bad[random.randrange(len(bad)) :]
            case 1:
                bad.append(random.randrange(256))
            case 2:
                bad[random.choice([0, 1, 130, 136, bad.index(b"\5", 136)])] = MIXED
        try:
            theirs = _native.Decoder("tensor", 1, settings, len(chunk))
            theirs = theirs.decode_chunk(bytes(bad), len(chunk))
        except _native.CorruptData:
            theirs = None
        try:
            found = Tensor(settings, len(chunk)).decode(bytes(bad), len(chunk))
            found = found if len(found) == len(chunk) else None
        except CorruptError:
            found = None
        assert found == theirs
        ends.add(found is None)
    assert ends == {True, False}
