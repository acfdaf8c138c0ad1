"""The reference of `cm` against llmzip's: the same bytes and the same canary."""

import pytest

from golden import inputs
from golden.inputs import WORDS
from llmzip import _native
from reference.cm import CLASSES, LEVELS, Cm
from reference.errors import CorruptError, UnsupportedError

TEXT, BINARY, BILEVEL, EXECUTABLE, GREY = CLASSES
# Bytes that nothing predicts: in decoding them, small errors of what was before grow.
END = inputs.random(20, seed=99)


def settings_of(level, class_, stride, plane=0, offset=0):
    if class_ != GREY:
        return bytes([level, class_]) + stride.to_bytes(2, "little")
    numbers = (
        max(stride, 2).to_bytes(2, "little"),
        *(n.to_bytes(4, "little") for n in (plane, offset)),
    )
    return bytes([level, class_]) + b"".join(numbers)


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


PLANS = [(level, class_) for level in LEVELS for class_ in CLASSES]


@pytest.mark.parametrize(("level", "class_"), PLANS)
@pytest.mark.parametrize("stride", [0, 1, 13, 500])
def test_levels_classes_and_strides(level, class_, stride):
    content = {
        TEXT: inputs.text(1200),
        BINARY: inputs.records(1200),
        BILEVEL: inputs.bilevel(min(max(stride, 8), 50), 150)[:1200],
        EXECUTABLE: inputs.machine_code(1200),
        GREY: inputs.stack(15, 13, 6)[:1200],
    }
    chunks = [content.pop(class_), *(other[:300] for other in content.values())]
    assert check(settings_of(level, class_, stride), chunks) == [1, 1, 1, 1, 1]


def line(draw):
    words = [WORDS[next(draw) % len(WORDS)] for _ in range(next(draw) % 12)]
    words = [w.upper() if next(draw) % 5 == 0 else w.title() for w in words]
    return " ".join(w + "\n,.!;:-=*0189"[next(draw) % 13] for w in words).encode() + b"\n"


def structured(draw):
    """Bytes of one of many kinds, up to about 600."""
    length = next(draw) % 400
    pick = lambda values: bytes(values[next(draw) % len(values)] for _ in range(length))  # noqa: E731
    kind = next(draw) % 10
    if kind == 0:
        return pick(range(256))
    if kind == 1:
        return pick(b"ab\n (")
    if kind == 2:
        return b"".join(line(draw) for _ in range(next(draw) % 12))
    if kind == 3:  # brackets deeper than are remembered, and closed more often than opened
        return b"([{<"[next(draw) % 4 :] * (next(draw) % 60) + pick(b")]}>x([")
    if kind == 4:  # records with noise in one column
        period = next(draw) % 30 + 1
        row = pick(range(256))[:period] + b"\0"
        return b"".join(row[:-1] + bytes([next(draw) >> 24]) for _ in range(length // period))
    if kind == 5:
        return bytes([next(draw) >> 24]) * length + pick(b"\0\xff")[:9]
    if kind == 6:
        return "".join(chr(0x3B1 + next(draw) % 24) for _ in range(length // 2)).encode()
    if kind == 7:
        return inputs.machine_code(length, next(draw))[64:] or b"\x90"
    if kind == 8:
        return inputs.bilevel(next(draw) % 20 + 4, length // 20 + 1, next(draw))[: length + 1]
    return inputs.records(length, next(draw))


@pytest.mark.parametrize(("level", "class_"), PLANS)
def test_structured_and_random_inputs(level, class_):
    """Segments of some chunks each; a chunk may repeat what went before, with a change."""
    draw = inputs.randoms(10 * level + class_)
    types = []
    for _ in range(10):
        chunks = []
        for _ in range(next(draw) % 4 + 2):
            chunk = structured(draw)
            before = b"".join(chunks)
            if before and next(draw) % 3 == 0:
                at = next(draw) % len(before)
                chunk = before[at : at + 300] + chunk[:5] + before[at + 300 : at + 500]
            chunks.append((chunk or b"?") + END * (next(draw) % 2))
        stride = (0, 1, 2, 4, 8, 12, 20, 40, 65535)[next(draw) % 9]
        images = (stride * (len(types) % 5), len(types)) if class_ == GREY else ()
        types += check(settings_of(level, class_, stride, *images), chunks)
    assert len(types) > 24
    assert set(types) == {1, 3}


@pytest.mark.parametrize(
    "settings",
    [settings_of(3, TEXT, 0), settings_of(6, BINARY, 16), settings_of(8, TEXT, 0)],
    ids=bytes.hex,
)
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
        # A match that fails gives way to a longer one, whose length is counted up to 400.
        [(w := inputs.random(700)) + w[:450] + b"~" + w[451:] + w + END],
    ],
    ids=lambda chunks: "-".join(str(len(chunk)) for chunk in chunks),
)
def test_chunks_of_every_kind(settings, chunks):
    check(settings, chunks)


@pytest.mark.parametrize("level", [6, 8])
def test_counters_of_pixels_grow_old(level):
    check(settings_of(level, BILEVEL, 40), [inputs.bilevel(40, 150)])


@pytest.mark.parametrize("level", [6, 8])
def test_images_of_grey_pixels(level):
    chunks = [inputs.stack(20, 17, 12), inputs.random(500), inputs.stack(20, 17, 5, seed=2)]
    for plane, offset in ((340, 16), (0, 16), (340, 4000), (2**32 - 1, 2**32 - 1), (1, 0)):
        check(settings_of(level, GREY, 20, plane, offset), chunks)


@pytest.mark.parametrize("raw_len", [2000, 50_000, 100_000_000])
@pytest.mark.parametrize("level", [3, 6, 8])
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
        *(
            b"",
            b"\3\0\0",
            b"\3\0\0\0\0",
            b"\2\0\0\0",
            b"\3\5\0\0",
            b"\6\4\x1c\0",
            b"\6\4\1" + b"\0" * 9,
            b"\6\1\2" + b"\0" * 9,
            b"\x09\0\0\0",
        ),
    ],
    ids=lambda settings: settings.hex() or "none",
)
def test_settings_that_it_does_not_know_are_unsupported(settings):
    with pytest.raises(UnsupportedError, match=r"^cm "):
        Cm(settings, 100)
