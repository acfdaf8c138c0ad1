"""Builds archives piece by piece (FORMAT.md), right ones and wrong ones.

llmzip's own writer chooses chunk types and sizes by itself. Here a test says what it wants: every
chunk type in one segment, small chunks, labels, and fields that break a rule under checks that
are right. Only the predictors are llmzip's.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import xxhash

from llmzip import _native
from llmzip.archive import write_archive
from llmzip.base import Base
from llmzip.options import Options
from llmzip.siblings import Folder

MAGIC = bytes.fromhex("F64C4D5A0D0A1A0A")
SEGMENT_SYNC = bytes.fromhex("E7534547")
MODEL_SYNC = bytes.fromhex("E74D444C")
INDEX_SYNC = bytes.fromhex("E7494458")
TAIL_MAGIC = bytes.fromhex("5A4D4CF6")

STORED, CODED, CONSTANT, STORED_AFTER_CODING, COPIED = range(5)
KEPT, COPY, AFTER = 1, 2, 4


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def crc(data: bytes, size: int = 4) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")[:size]


def checked(data: bytes, size: int = 4) -> bytes:
    return data + crc(data, size)


@dataclass
class Chunk:
    """A chunk; the fields after `payload` are worked out where they are None."""

    type: int
    raw: bytes
    payload: bytes
    raw_len: int | None = None
    payload_check: bytes | None = None
    raw_check: bytes | None = None

    def build(self) -> bytes:
        raw_len = len(self.raw) if self.raw_len is None else self.raw_len
        head = bytes([self.type]) + varint(raw_len) + varint(len(self.payload))
        head += self.payload_check or crc(self.payload)
        head += self.raw_check or xxhash.xxh3_128_digest(self.raw)[:8]
        return checked(head, 2) + self.payload


@dataclass
class Segment:
    """A segment; `raw_len`, `coded_len` and `seq` are worked out where they are None."""

    predictor: int
    settings: bytes
    chunks: list[Chunk]
    canary: int = 0
    label: bytes = b""
    flags: int = 0
    seq: int | None = None
    raw_len: int | None = None
    coded_len: int | None = None

    def raw(self) -> bytes:
        return b"".join(chunk.raw for chunk in self.chunks)

    def build(self, number: int, sync: bytes = SEGMENT_SYNC) -> bytes:
        chunks = b"".join(chunk.build() for chunk in self.chunks)
        body = b"".join(
            varint(computed if given is None else given)
            for given, computed in (
                (self.seq, number),
                (self.predictor, 0),
                (self.flags, 0),
                (self.raw_len, len(self.raw())),
                (self.coded_len, len(chunks)),
            )
        )
        body += self.canary.to_bytes(4, "little") + self.settings
        return checked(sync + bytes([len(body)]) + body) + chunks


@dataclass
class Archive:
    """An archive; a test may replace any part before `build`."""

    predictors: Sequence[tuple[str, int, int]]
    segments: list[Segment]
    level: int = 6
    major: int = 1
    minor: int = 0
    decoder_memory: int | None = None
    incompatible: int = 0
    compatible: int = 0
    # Replaced or added; None: left out.
    records: dict[int, bytes | None] = field(default_factory=dict)
    record_order: list[int] | None = None
    index_entries: list[bytes] | None = None
    index_count: int | None = None
    archive_len: int | None = None
    index_len: int | None = None
    content_hash: bytes | None = None
    # Parts of the model that it brings.
    model: list[Segment] = field(default_factory=list)

    def content(self) -> bytes:
        return b"".join(segment.raw() for segment in self.segments)

    def metadata(self) -> bytes:
        predictors = b"".join(
            bytes([len(name)]) + name.encode() + varint(version) + bytes([coder])
            for name, version, coder in self.predictors
        )
        longest = max((len(segment.raw()) for segment in self.segments), default=1)
        chunk = max((len(c.raw) for s in self.segments for c in s.chunks), default=1)
        records: dict[int, bytes | None] = {
            1: predictors,
            3: varint(self.level),
            7: varint(longest) + varint(chunk) + varint(self.memory()),
        }
        records |= self.records
        order = self.record_order or sorted(records)
        return b"".join(
            varint(tag) + varint(len(value)) + value
            for tag in order
            if (value := records[tag]) is not None
        )

    def memory(self) -> int:
        if self.decoder_memory is not None:
            return self.decoder_memory
        needs = (
            _native.memory(*self.predictors[s.predictor][:2], s.settings, len(s.raw()))
            for s in self.segments
            if s.flags != COPY
        )
        return max(needs, default=0)

    def header(self) -> bytes:
        meta = self.metadata()
        flags = bytes([self.major, self.minor, self.incompatible, self.compatible])
        return checked(MAGIC + flags + len(meta).to_bytes(2, "little"), 2) + checked(meta)

    def build(self) -> bytes:
        segments = [segment.build(number) for number, segment in enumerate(self.segments)]
        entries = self.index_entries
        if entries is None:
            entries = [
                varint(len(built)) + varint(len(s.raw())) + varint(len(s.label)) + s.label
                for built, s in zip(segments, self.segments, strict=True)
            ]
        count = len(entries) if self.index_count is None else self.index_count
        index = checked(INDEX_SYNC + varint(count) + b"".join(entries))
        model = [part.build(number, MODEL_SYNC) for number, part in enumerate(self.model)]
        before = self.header() + b"".join(model + segments) + index
        footer = (len(index) if self.index_len is None else self.index_len).to_bytes(4, "little")
        archive_len = len(before) + 52 if self.archive_len is None else self.archive_len
        footer += archive_len.to_bytes(8, "little")
        footer += self.content_hash or self.hash_of_content()
        return before + checked(footer) + TAIL_MAGIC

    def hash_of_content(self) -> bytes:
        whole = hashlib.sha256()
        for segment in self.segments:
            for chunk in segment.chunks:
                whole.update(
                    len(chunk.raw).to_bytes(8, "little") + xxhash.xxh3_128_digest(chunk.raw)
                )
        return whole.digest()


def new_encoder(
    predictor: tuple[str, int, int],
    settings: bytes,
    whole: bytes,
    model: _native.Model | _native.Circuit | None = None,
    base: bytes = b"",
) -> _native.Encoder:
    """An encoder of a segment with content `whole`."""
    encoder = _native.Encoder(*predictor[:2], settings, len(whole))
    if base:
        encoder.set_base(base)
    if isinstance(model, _native.Circuit):
        encoder.set_circuit(model)
    elif model:
        encoder.set_model(model)
    encoder.look_ahead(whole)
    return encoder


def coded_segment(
    predictor: tuple[str, int, int],
    settings: bytes,
    raws: Sequence[tuple[int, bytes]],
    index: int = 0,
    ahead: bytes = b"",
    base: bytes = b"",
    model: _native.Model | _native.Circuit | None = None,
) -> Segment:
    """A segment of chunks coded by llmzip's predictor.

    `raws` gives each chunk's type and raw bytes. CODED asks the predictor, and becomes
    STORED_AFTER_CODING where the coded bytes are not shorter, as a writer must do. A predictor that
    looks ahead sees `ahead` behind them, which is not coded. `base` is what they are a change of,
    `model` what predicts.
    """
    whole = b"".join(raw for _, raw in raws) + ahead
    return segment_of(new_encoder(predictor, settings, whole, model, base), settings, raws, index)


def segment_of(
    encoder: _native.Encoder, settings: bytes, raws: Sequence[tuple[int, bytes]], index: int = 0
) -> Segment:
    """A segment of chunks coded by `encoder`, as `coded_segment` has them."""
    chunks = []
    for wanted, raw in raws:
        if wanted == CODED:
            encoder.write(raw)
            payload = encoder.finish_chunk()
            shorter = len(payload) < len(raw)
            chunks.append(
                Chunk(CODED, raw, payload) if shorter else Chunk(STORED_AFTER_CODING, raw, raw)
            )
        elif wanted == CONSTANT:
            chunks.append(Chunk(CONSTANT, raw, raw[:1]))
        else:
            chunks.append(Chunk(wanted, raw, raw))
    return Segment(index, settings, chunks, canary=encoder.canary)


@dataclass(frozen=True)
class Good:
    """A golden archive, and what it decodes to."""

    name: str
    intent: str
    data: bytes
    content: bytes
    base: str = ""  # another golden archive, whose content it is a change of
    other: str = ""  # another one, whose tensors it has copies of
    model: bool = False  # whether it needs the tiny model
    circuit: bool = False  # whether it needs the circuit


def written(
    content: bytes, base: Base | None = None, folder: Folder | None = None, **options: object
) -> bytes:
    """What llmzip itself writes of content."""
    sink = io.BytesIO()
    chosen = Options(threads=1, verify=False, **options)
    source = io.BytesIO(content)
    write_archive(source, sink, chosen, total=len(content), base=base, folder=folder)
    return sink.getvalue()


def model_record(pack: bytes, name: bytes = b"tiny", kind: int = 1) -> bytes:
    """Metadata record 5 that names a model by its pack; kind 2: which the archive brings."""
    sha256 = hashlib.sha256(pack).digest()
    return bytes([kind]) + sha256 + varint(len(pack)) + bytes([len(name)]) + name
