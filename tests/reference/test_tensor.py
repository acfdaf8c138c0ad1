"""The reference of `tensor` against llmzip's: every kind, form and method, and damage."""

from random import Random

import pytest

from llmzip import _native
from llmzip.tensors.kinds import KINDS as ELEMENTS
from reference.errors import CorruptError, UnsupportedError
from reference.tensor import KINDS, Tensor

CHANGED = [name for name, _, elements, _ in KINDS if elements == 1]


def coded(level, kind, row, chunks, base=None, *, matching=False, numbered=False):
    """llmzip's settings and payloads for these raw chunks."""
    raw = b"".join(chunks)
    settings = _native.tensor_settings(level, kind, row, None if base is None else 7)
    if matching:
        settings = _native.tensor_with_matches(settings)
    if numbered:
        settings = _native.tensor_with_values(settings, raw)
    encoder = _native.Encoder("tensor", 1, settings, len(raw))
    if base is not None:
        encoder.set_base(base)
    encoder.look_ahead(raw)
    payloads = []
    for chunk in chunks:
        encoder.write(chunk)
        payloads.append(encoder.finish_chunk())
    return settings, payloads


def check(level, kind, row, chunks, base=None, **modes):
    """Decodes what llmzip coded; gives the reader."""
    settings, payloads = coded(level, kind, row, chunks, base, **modes)
    reader = Tensor(settings, sum(map(len, chunks)), base or b"")
    for raw, payload in zip(chunks, payloads, strict=True):
        if len(payload) < len(raw):
            assert reader.decode(payload, len(raw)) == raw
        else:
            reader.train(raw)
    return reader


def cut(data, *at):
    return [data[begin:end] for begin, end in zip((0, *at), (*at, len(data)), strict=True)]


def skewed(count, seed, most=256):
    """Bytes of which low ones are frequent."""
    random = Random(seed)
    return bytes(min(int(random.expovariate(0.2)), most - 1) for _ in range(count))


def test_kinds_are_those_of_plans():
    assert {name: (elements, unit) for name, unit, elements, _ in KINDS} == ELEMENTS


@pytest.mark.parametrize("kind", [name for name, *_ in KINDS])
@pytest.mark.parametrize("level", [1, 6, 8])
def test_every_kind(kind, level):
    elements, unit = ELEMENTS[kind]
    row = 4 * elements
    data = skewed(max(600, 4 * unit) // unit * unit * 4, 1)
    check(level, kind, row, cut(data, 500, 501, len(data) // 2))


@pytest.mark.parametrize(("kind", "row"), [("bf16", 100), ("f32", 0), ("q4_0", 64), ("u8", 7)])
@pytest.mark.parametrize("level", [1, 6, 8])
def test_long_matches(kind, row, level):
    data = skewed(9000, 12)
    noise = Random(13).randbytes(500)
    data = data[:3000] + noise + data + noise + data[:4444] + bytes(900)
    reader = check(level, kind, row, cut(data, 700, 3000, 3500, 9001, 9003), matching=True)
    # What was copied is no byte of the planes.
    assert reader.seen < 9000 + 500 + 500 + 2 * 64 and len(reader.past) == len(data)


@pytest.mark.parametrize("kind", ["bf16", "f32", "f16", "i16"])
def test_plane_0_chooses(kind):
    unit = ELEMENTS[kind][1]
    random = Random(15)
    units = []
    for _ in range(20_000):
        size = min(int(random.expovariate(0.1)), 127)
        low = min(int(random.expovariate(0.02 * 6 ** (size % 3))), 127)
        top = size << 7 | low if kind in ("bf16", "f32") else size << 8 | low
        units.append(random.randbytes(unit - 2) + top.to_bytes(2, "little"))
    reader = check(7, kind, 0, cut(b"".join(units), 9001, 9003))
    assert reader.model[1].form == 6


@pytest.mark.parametrize(
    ("kind", "row"), [("bf16", 100), ("f32", 0), ("f64", 30), ("f16", 7), ("i64", 64)]
)
@pytest.mark.parametrize("level", [1, 6, 8])
def test_values(kind, row, level):
    unit = ELEMENTS[kind][1]
    random = Random(14)
    values = [random.randbytes(unit) for _ in range(40)]
    data = b"".join(values[min(int(random.expovariate(0.2)), 39)] for _ in range(5000))
    chunks = cut(data, 701, 3000, 3001, 9001)
    reader = check(level, kind, row, chunks, numbered=True)
    assert len(reader.values) == len({data[at : at + unit] for at in range(0, len(data), unit)})
    *_, last = coded(level, kind, row, chunks, numbered=True)[1]
    assert len(last) < len(chunks[-1]) / unit * 0.8


def columns(count, row, seed):
    """bf16 whose exponents depend on the column."""
    random = Random(seed)
    high = [120 + column % 3 * 3 for column in range(row)]
    words = [
        (high[i % row] + min(int(random.expovariate(1)), 2)) << 7 | random.randrange(128)
        for i in range(count)
    ]
    return b"".join(word.to_bytes(2, "little") for word in words)


def rows(count, row, seed):
    """bf16 whose exponents depend on the row."""
    random = Random(seed)
    words = [
        (100 + i // row % 5 * 4 + min(int(random.expovariate(1)), 3)) << 7 | random.randrange(128)
        for i in range(count)
    ]
    return b"".join(word.to_bytes(2, "little") for word in words)


@pytest.mark.parametrize(("make", "form"), [(columns, 3), (rows, 2)])
def test_rows_and_columns(make, form):
    data = make(60_000, 300, 2)
    reader = check(6, "bf16", 300, cut(data, 70_001))
    assert reader.model[0].form == form


def test_methods_of_every_kind_occur():
    seen = set()

    class Watched(Tensor):
        def plane(self, fields, *rest):
            seen.add(fields.data[0])
            return super().plane(fields, *rest)

    random = Random(3)
    low = skewed(5000, 4, 9) + skewed(3000, 5, 9)[::-1]
    repeats = random.randbytes(700) * 9
    for data in (low, bytes(3000) + low, repeats, skewed(4000, 6, 100) + bytes([255]) * 3000):
        settings, payloads = coded(6, "u8", 0, [data])
        reader = Watched(settings, len(data))
        assert reader.decode(payloads[0], len(data)) == data
    two = b"".join(bytes([value, 7]) for value in random.randbytes(900))
    settings, payloads = coded(6, "u16", 0, [two])
    assert Watched(settings, len(two)).decode(payloads[0], len(two)) == two
    # 2, a table of a block's own, needs blocks that differ: see below.
    assert seen >= {0, 1, 3, 4}


def test_a_table_of_a_blocks_own():
    data = skewed(1 << 18, 7, 6) + bytes(b + 90 for b in skewed(1 << 18, 8, 6))
    check(6, "u8", 0, [data])


@pytest.mark.parametrize("kind", CHANGED)
@pytest.mark.parametrize("level", [6, 8])
def test_changes(kind, level):
    _, unit = ELEMENTS[kind]
    random = Random(9)
    base = skewed(3000 * unit, 10)
    data = bytearray(base)
    for at in random.sample(range(0, len(data), unit), 900):
        data[at] = (data[at] + random.choice([-2, -1, 1, 2])) % 256
    data[: 40 * unit] = random.randbytes(40 * unit)
    check(level, kind, 0, cut(bytes(data), 1000), base)


def test_chooses_by_the_base():
    random = Random(11)
    exponents = [random.choice([100, 130]) for _ in range(9000)]
    base = [e << 7 | random.randrange(128) for e in exponents]
    step = [random.randrange(40) if e == 100 else random.randrange(2) for e in exponents]
    new = [value + by for value, by in zip(base, step, strict=True)]
    pack = [b"".join(v.to_bytes(2, "little") for v in values) for values in (new, base)]
    reader = check(6, "bf16", 0, [pack[0]], pack[1])
    assert 4 in {plane.form for plane in reader.model}


def test_settings():
    for settings in (b"", bytes(7), b"\x0a" + bytes(6), b"\x06\x1b" + bytes(5)):
        with pytest.raises(UnsupportedError):
            Tensor(settings, 9)
    for settings in (
        b"\6\0\1" + bytes(4),
        b"\6\0\3" + bytes(4),
        b"\6\0\4" + bytes(4),
        b"\6\x10\3" + bytes(4),
        b"\6\x10\1" + bytes(12),
    ):
        with pytest.raises(UnsupportedError):
            Tensor(settings, 9)
        with pytest.raises(_native.UnsupportedData):
            _native.Decoder("tensor", 1, settings, 9)


def test_damage_is_refused_alike():
    data = columns(3000, 30, 12)
    settings, (payload,) = coded(6, "bf16", 30, [data])
    random = Random(13)
    for _ in range(300):
        bad = bytearray(payload)
        bad[random.randrange(300)] ^= 1 << random.randrange(8)
        if random.randrange(3) == 0:
            del bad[random.randrange(len(bad)) :]
        try:
            ours = _native.Decoder("tensor", 1, settings, len(data)).decode_chunk(bad, len(data))
        except _native.CorruptData:
            ours = None
        try:
            found = Tensor(settings, len(data)).decode(bytes(bad), len(data))
            found = found if len(found) == len(data) else None
        except CorruptError:
            found = None
        assert found == ours
