"""Chunks decoded in one call: `_native.Decoder.decode_chunk_into` and its neighbours."""

from __future__ import annotations

from random import Random
from zlib import crc32

import pytest

from llmzip import _native

ONCE = bytes(Random(1).choices(range(8), k=30_001))
RAW = ONCE + ONCE[:10_000] + ONCE[1:]
BF16 = _native.tensor_settings(6, "bf16", 50, None)
# By predictor, or what of it is meant.
NAMES = {
    "store": b"",
    "zstd": b"\x03",
    "cm": None,
    "tensor": BF16,
    "tensor, matches": _native.tensor_with_matches(BF16),
    "tensor, values": _native.tensor_with_values(BF16, RAW),
}
CODED = ["zstd", "cm", "tensor", "tensor, matches", "tensor, values"]


def coded(name: str) -> tuple[bytes, bytes]:
    """Settings of predictor `name`, and RAW coded with them as one chunk."""
    settings = NAMES[name]
    if settings is None:
        settings = _native.settings(name, 1, 3, b"")
    encoder = _native.Encoder(name.split(",")[0], 1, settings, len(RAW))
    encoder.look_ahead(RAW)
    encoder.write(memoryview(RAW))
    return settings, encoder.finish_chunk()


def decoder(name: str, settings: bytes) -> _native.Decoder:
    return _native.Decoder(name.split(",")[0], 1, settings, len(RAW))


@pytest.mark.parametrize("name", CODED)
def test_one_call_is_as_good_as_three(name):
    settings, payload = coded(name)
    check = _native.xxh3_128(RAW)
    assert decoder(name, settings).decode_chunk(payload, len(RAW)) == RAW
    out = bytearray(len(RAW))
    crc = crc32(payload)
    got = decoder(name, settings).decode_chunk_into(memoryview(payload), out, crc, check[:8])
    assert (out, got) == (RAW, check)
    pieces = decoder(name, settings)
    pieces.begin_chunk(bytearray(payload))
    assert pieces.read(1) + pieces.read(9999) + pieces.read(len(RAW) - 10_000) == RAW
    pieces.end_chunk()


@pytest.mark.parametrize("name", CODED)
def test_damage(name):
    settings, payload = coded(name)
    check, crc = _native.xxh3_128(RAW)[:8], crc32(payload)
    out = bytearray(len(RAW))

    def run(payload: bytes, crc: int, check: bytes) -> None:
        decoder(name, settings).decode_chunk_into(payload, out, crc, check)

    with pytest.raises(_native.CorruptData, match="a chunk is damaged"):
        run(payload, crc ^ 1, check)
    for bad in (check[:7] + bytes([check[7] ^ 1]), check[:7], b"", check + check):
        with pytest.raises(_native.CorruptData, match="does not decode to what was coded"):
            run(payload, crc, bad)
    for length in (0, 1, len(payload) // 2, len(payload) - 1):
        cut = payload[:length]
        with pytest.raises(_native.CorruptData):
            run(cut, crc32(cut), check)
    # A binary coder's window takes in up to eight bytes that its writer may leave out.
    longer = payload + 9 * b"x"
    with pytest.raises(_native.CorruptData):
        run(longer, crc32(longer), check)


@pytest.mark.parametrize("name", ["tensor, matches", "tensor, values"])
def test_a_flipped_bit_is_refused_or_harmless(name):
    settings = NAMES[name]
    raw = ONCE[:200] * 5 + ONCE[:700]
    encoder = _native.Encoder("tensor", 1, settings, len(raw))
    encoder.look_ahead(raw)
    encoder.write(raw)
    payload = encoder.finish_chunk()
    refused = 0
    for bit in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            got = decoder(name, settings).decode_chunk(bytes(flipped), len(raw))
        except _native.CorruptData:
            refused += 1
        else:
            assert len(got) == len(raw)
    assert refused > len(payload)


@pytest.mark.parametrize("name", ["tensor, matches", "tensor, values"])
def test_content_that_changed_is_not_coded(name):
    encoder = _native.Encoder("tensor", 1, NAMES[name], len(RAW))
    encoder.look_ahead(RAW)
    encoder.write(RAW[:50_000] + b"\xee\xee" + RAW[50_002:])
    with pytest.raises(ValueError, match="content changed"):
        encoder.finish_chunk()


def test_tensor_refuses_a_chunk_of_another_length():
    settings, payload = coded("tensor")
    for length in (0, len(RAW) - 1, len(RAW) + 1):
        with pytest.raises(_native.CorruptData):
            decoder("tensor", settings).decode_chunk(payload, length)


def test_buffers_that_do_not_do():
    settings, payload = coded("tensor")
    crc = crc32(payload)
    with pytest.raises(BufferError, match="read-only"):
        decoder("tensor", settings).decode_chunk_into(payload, bytes(len(RAW)), crc, b"")
    with pytest.raises(BufferError, match="contiguous"):
        gaps = memoryview(bytearray(2 * len(RAW)))[::2]
        decoder("tensor", settings).decode_chunk_into(payload, gaps, crc, b"")
    both = memoryview(bytearray(payload) + bytearray(len(RAW)))
    begin = len(payload)
    for at in (begin - 1, 0):
        with pytest.raises(ValueError, match="overlap"):
            out = both[at : at + len(RAW)]
            decoder("tensor", settings).decode_chunk_into(both[:begin], out, crc, b"")
    check = _native.xxh3_128(RAW)[:8]
    out = both[begin:]
    decoder("tensor", settings).decode_chunk_into(both[:begin], out, crc, check)
    assert out == RAW


def test_copies():
    check = _native.xxh3_128(RAW)
    out = bytearray(len(RAW))
    assert _native.copy_chunk_into(RAW, out, crc32(RAW), check[:8]) == check
    assert out == RAW
    nines = b"\x09" * len(RAW)
    check = _native.xxh3_128(nines)
    assert _native.copy_chunk_into(b"\x09", out, crc32(b"\x09"), check[:8]) == check
    assert out == nines
    with pytest.raises(ValueError, match="another length"):
        _native.copy_chunk_into(RAW[:-1], out, 0, check[:8])
    with pytest.raises(_native.CorruptData, match="a chunk is damaged"):
        _native.copy_chunk_into(RAW, out, crc32(RAW) ^ 1, check[:8])


def test_crc32_is_that_of_zlib():
    for data in (b"", b"1", RAW, memoryview(RAW)[1:], bytearray(RAW)):
        assert _native.crc32(data) == crc32(data)
