"""The reference of `cm` against llmzip's: the same bytes and the same canary."""

import pytest

from golden import inputs
from llmzip import _native
from reference.cm import Cm
from reference.errors import CorruptError, UnsupportedError

TEXT, BINARY, BILEVEL = range(3)


def settings_of(level, class_, stride):
    return bytes([level, class_]) + stride.to_bytes(2, "little")


def check(settings, chunks, raw_len=None):
    """Decodes what llmzip coded, and trains where that was not shorter; gives the chunk types."""
    raw_len = raw_len or sum(map(len, chunks))
    encoder = _native.Encoder("cm", 1, settings, raw_len)
    reader = Cm(settings, raw_len)
    types = []
    seen = 0
    for raw in chunks:
        encoder.write(raw)
        payload = encoder.finish_chunk()
        if len(payload) < len(raw):
            types.append(1)
            assert reader.decode(payload, len(raw)) == raw
        else:
            types.append(3)
            reader.train(raw)
        seen += len(raw)
        assert reader.seen == seen
        assert reader.canary() == encoder.canary
    return types


def bilevel(length, stride):
    """Rows of a bilevel picture, each much as the row above it."""
    picture = bytearray(inputs.random(stride))
    noise = inputs.random(length)
    while len(picture) < length:
        changed = 1 << noise[len(picture)] % 8 if noise[len(picture)] > 230 else 0
        picture.append(picture[-stride] ^ changed)
    return bytes(picture[:length])


@pytest.mark.parametrize("level", [3, 4, 5, 6])
@pytest.mark.parametrize("class_", [TEXT, BINARY, BILEVEL])
@pytest.mark.parametrize("stride", [0, 1, 13, 500])
def test_levels_classes_and_strides(level, class_, stride):
    if (level, class_) == (6, BILEVEL):
        pytest.skip("not specified yet")
    content = {
        TEXT: inputs.text(3000),
        BINARY: inputs.records(3000),
        BILEVEL: bilevel(3000, stride or 40),
    }
    chunks = [content[class_], content[TEXT][:700], content[BINARY][:700]]
    assert check(settings_of(level, class_, stride), chunks) == [1, 1, 1]


@pytest.mark.parametrize("settings", [settings_of(3, TEXT, 0), settings_of(6, BINARY, 16)], ids=str)
@pytest.mark.parametrize(
    "chunks",
    [
        [b"!"],
        [b"\0"],
        [b"\n\n"],
        [bytes(range(256))],
        [inputs.random(3000)],
        [b"\xff" * 9000],
        [b"\0" * 9000],
        [inputs.text(63), inputs.random(1), inputs.text(500)],
        [inputs.random(40), b"\0" * 600, inputs.random(40), inputs.records(600)] * 2,
        # Long matches, lengths past every class, breaks in them and lines of every width.
        [inputs.text(20_000), inputs.text(9000), b"?" + inputs.text(3000, seed=2)],
        [b"".join(inputs.text(i) + b"\n" for i in range(0, 400, 9))],
        [inputs.random(700) + inputs.random(400) + b"-" + inputs.random(700)[401:]],
    ],
    ids=lambda chunks: "-".join(str(len(chunk)) for chunk in chunks),
)
def test_chunks_of_every_kind(settings, chunks):
    check(settings, chunks)


@pytest.mark.parametrize("raw_len", [2000, 50_000, 100_000_000])
@pytest.mark.parametrize("level", [3, 6])
def test_hash_table_goes_by_the_raw_length_of_the_segment(level, raw_len):
    """Chunks of types 0 and 2 count there too, which the predictor never sees."""
    check(settings_of(level, BINARY, 16), [inputs.records(2000)], raw_len)


def test_canary_is_that_of_the_first_64_bytes():
    for length in (1, 63, 64, 65):
        check(settings_of(4, TEXT, 0), [inputs.text(length)])


def test_bytes_left_over_are_refused():
    settings = settings_of(3, TEXT, 0)
    encoder = _native.Encoder("cm", 1, settings, 500)
    encoder.write(inputs.text(500))
    payload = encoder.finish_chunk()
    with pytest.raises(CorruptError):
        Cm(settings, 500).decode(payload + b"\1" * 9, 500)


def test_damage_decodes_to_other_bytes():
    settings = settings_of(3, TEXT, 0)
    try:
        raw = Cm(settings, 800).decode(inputs.random(400), 800)
    except CorruptError:
        return
    assert len(raw) == 800


@pytest.mark.parametrize(
    "settings",
    [
        *(b"", b"\3\0\0", b"\3\0\0\0\0", b"\2\0\0\0", b"\3\3\0\0", b"\x09\0\0\0"),
        *(settings_of(7, TEXT, 0), settings_of(8, BINARY, 0), settings_of(6, BILEVEL, 0)),
    ],
    ids=lambda settings: settings.hex() or "none",
)
def test_settings_that_it_does_not_know_are_unsupported(settings):
    with pytest.raises(UnsupportedError, match=r"^cm "):
        Cm(settings, 100)
