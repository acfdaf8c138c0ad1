"""The references of `pc` and `circuit` against llmzip's: the same bytes and the same canary."""

import pytest

from golden import inputs
from llmzip import _native
from reference.circuit import Circuit
from reference.circuit_images import new_circuit
from reference.errors import CorruptError, UnsupportedError
from reference.pc import Pc
from reference.pc_schema import Format, Pattern, Time


def pieces(content, length):
    return [content[at : at + length] for at in range(0, len(content), length)]


def check(encoder, reader, chunks):
    """Decodes what llmzip coded, and trains where that was not shorter; gives the chunks' forms."""
    encoder.look_ahead(b"".join(chunks))
    forms = []
    for raw in chunks:
        encoder.write(raw)
        payload = encoder.finish_chunk()
        if len(payload) < len(raw):
            forms.append(payload[0])
            assert reader.decode(payload, len(raw)) == raw
        else:
            forms.append(None)
            reader.train(raw)
    assert reader.canary() == encoder.canary
    return forms


def check_pc(level, chunks):
    content = b"".join(chunks)
    settings = _native.settings("pc", 1, level, content)
    encoder = _native.Encoder("pc", 1, settings, len(content))
    return check(encoder, Pc(settings, len(content)), chunks)


@pytest.mark.parametrize("level", [4, 5, 6, 8])
def test_tables(level):
    assert set(check_pc(level, pieces(inputs.rows(380, level), 7000))) == {1}


@pytest.mark.parametrize("kind", ["|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"])
def test_arrays(kind):
    content = inputs.array(300, kind)
    assert set(check_pc(6, pieces(content[:-1], 900))) == {1}


def test_rows_that_settings_tell_of():
    content = inputs.array(300)[128:]
    settings = _native.settings("pc", 1, 5, content) + bytes([0, 18, 6])
    encoder = _native.Encoder("pc", 1, settings, len(content))
    assert check(encoder, Pc(settings, len(content)), pieces(content, 1200)) == [1, 1, 1]


def test_chunks_that_end_tables():
    content = inputs.rows(60, 3)
    assert check_pc(3, [content[:1500], content[1500:1510], content[1510:]]) == [1, None, 0]
    assert check_pc(3, [content[:20], content[20:]]) == [None, 0]
    assert check_pc(3, [inputs.text(900), inputs.text(700, 2)]) == [0, 0]


@pytest.mark.parametrize("states", [4, 16])
def test_rows_by_a_circuit(states):
    pack = _native.train(inputs.rows(300), states, 2, 1, None)
    content = inputs.rows(60, 5) + b"what is no row\nand has no end"
    for settings in (b"", b"\x05"):
        encoder = _native.Encoder("circuit", 1, settings, len(content))
        encoder.set_circuit(_native.Circuit(pack))
        reader = Circuit(settings, len(content))
        reader.model = pack
        assert None not in check(encoder, reader, [content[:1000], content[1000:]])


def test_records_by_a_circuit():
    pack = _native.train(inputs.poster(7, 6, 150), 8, 2, 1, None)
    content = inputs.poster(7, 6, 30, 2)
    encoder = _native.Encoder("circuit", 1, b"", len(content))
    encoder.set_circuit(_native.Circuit(pack))
    reader = Circuit(b"", len(content))
    reader.model = pack
    chunks = [content[:400], content[400:403], content[403:900], content[900:]]
    assert [form is None for form in check(encoder, reader, chunks)] == [False, True, False, False]


@pytest.mark.parametrize(("level", "states"), [(6, 4), (6, 16), (8, 8)])
def test_images_by_a_circuit_and_cm(level, states):
    pack = _native.train(inputs.stack(9, 8, 150), states, 2, 1, None)
    content = inputs.stack(9, 8, 30, 2)
    circuit = _native.Circuit(pack)
    settings = b"\0" + circuit.joined(level, content)
    later = content[72 * 3 + 40 :]
    chunks = [content[:400], content[400:402], content[402:900], content[900:]]
    for parts in (chunks, [later]):
        length = sum(map(len, parts))
        encoder = _native.Encoder("circuit", 1, settings, length)
        encoder.set_circuit(circuit)
        reader = new_circuit(settings, length)
        reader.model = pack
        found = [form is None for form in check(encoder, reader, parts)]
        assert found == [len(part) == 2 for part in parts]


def test_settings():
    assert Pc(bytes([3, 0, 0, 0]), 9) and Pc(bytes([8, 1, 2, 0, 0x80, 1]), 9)
    assert Pc(bytes([3, 0, 0, 0, 9, 24, 0x80, 2]), 9)
    cells = ([0, 3, 5], [0, 18], [0, 18, 5, 0])
    wrong = [bytes([3, 0, 0, 0, *more]) for more in cells]
    for bad in (b"", bytes([3, 0, 0]), bytes([9, 0, 0, 0]), bytes([3, 0, 0, 0, 0x80]), *wrong):
        with pytest.raises(UnsupportedError):
            Pc(bad, 9)
    with pytest.raises(UnsupportedError):
        new_circuit(b"\0\0", 9)


def test_damage_is_refused():
    content = inputs.rows(40)
    settings = _native.settings("pc", 1, 3, content)
    encoder = _native.Encoder("pc", 1, settings, len(content))
    encoder.look_ahead(content)
    encoder.write(content)
    payload = encoder.finish_chunk()
    assert Pc(settings, len(content)).decode(payload, len(content)) == content
    for bad in (b"\2" + payload[1:], payload[:1] + b"\0" + payload[2:]):
        with pytest.raises(CorruptError):
            Pc(settings, len(content)).decode(bad, len(content))


def test_numbers_and_times_are_written():
    assert [Format(2, 1, 0, False).text(v) for v in (0, -5, 120, 1234)] == [
        *(b"0.0", b"-0.05", b"1.2", b"12.34")
    ]
    assert (
        Format(0, 0, 4, True).text(7) == b"0007" and Format(0, 2, 7, False).text(-3) == b"  -3.00"
    )
    iso = Pattern(bytes([4, 2, 2, 2, 2, 2, 1]), [b"", b"-", b"-", b"T", b":", b":", b".", b"Z"])
    assert Time(1, iso).text(0) == b"1970-01-01T00:00:00.0Z"
    assert Time(1, iso).text(-1) == b"1969-12-31T23:59:59.9Z"
    year = Pattern(bytes([2, 2, 4]), [b"", b"/", b"/", b""])
    assert Time(2, year).text(-719528) == b"01/01/0000" and Time(3, year).text(1) == b"01/02/1970"
    assert Time(3, year).text(2932896) == b"12/31/9999"
    for day in (-719529, 2932897, 10**9):
        with pytest.raises(CorruptError):
            Time(2, year).text(day)
