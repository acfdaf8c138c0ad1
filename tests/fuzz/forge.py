"""Writes archives byte by byte as FORMAT.md says, with correct checks over any lies.

Made for the fuzzer: a lie under a wrong check is caught by the check, so it never reaches the code
that must not believe it.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

MAGIC = bytes.fromhex("F64C4D5A0D0A1A0A")
SEGMENT = bytes.fromhex("E7534547")
INDEX = bytes.fromhex("E7494458")
TAIL = bytes.fromhex("5A4D4CF6")

Hash = Callable[[bytes], bytes]


def varint(value: int) -> bytes:
    """LEB128, of any size."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sealed(data: bytes) -> bytes:
    """``data`` and its CRC-32."""
    return data + struct.pack("<I", zlib.crc32(data))


def record(tag: int, value: bytes) -> bytes:
    return varint(tag) + varint(len(value)) + value


@dataclass
class Chunk:
    """A chunk of type ``kind``; what is None is filled in truthfully."""

    kind: int
    payload: bytes
    raw: bytes
    raw_len: int | None = None
    coded_len: int | None = None
    check: bytes | None = None

    def pack(self, xxh3: Hash) -> bytes:
        head = bytes([self.kind])
        head += varint(len(self.raw) if self.raw_len is None else self.raw_len)
        head += varint(len(self.payload) if self.coded_len is None else self.coded_len)
        head += struct.pack("<I", zlib.crc32(self.payload))
        head += xxh3(self.raw)[:8] if self.check is None else self.check
        return head + struct.pack("<H", zlib.crc32(head) & 0xFFFF) + self.payload


@dataclass
class Segment:
    chunks: list[Chunk]
    seq: int = 0
    predictor: int = 0
    flags: int = 0
    canary: int = 0
    settings: bytes = b""
    raw_len: int | None = None
    coded_len: int | None = None
    label: bytes = b""

    @property
    def true_raw_len(self) -> int:
        return sum(len(chunk.raw) for chunk in self.chunks)

    def pack(self, xxh3: Hash) -> bytes:
        chunks = b"".join(chunk.pack(xxh3) for chunk in self.chunks)
        body = varint(self.seq) + varint(self.predictor) + varint(self.flags)
        body += varint(self.true_raw_len if self.raw_len is None else self.raw_len)
        body += varint(len(chunks) if self.coded_len is None else self.coded_len)
        body += struct.pack("<I", self.canary) + self.settings
        return sealed(SEGMENT + bytes([len(body) & 0xFF]) + body) + chunks


@dataclass
class Archive:
    """A whole archive. Overrides that are None are filled in truthfully."""

    segments: list[Segment]
    major: int = 1
    minor: int = 0
    incompatible: int = 0
    compatible: int = 0
    predictors: bytes = b"\x05store\x01\x00"
    level: int = 1
    bounds: tuple[int, int, int] = (1 << 20, 1 << 20, 0)
    extra: list[tuple[int, bytes]] = field(default_factory=list)
    meta_len: int | None = None
    count: int | None = None
    entries: list[tuple[int, int, bytes]] | None = None
    index_len: int | None = None
    archive_len: int | None = None
    content_hash: bytes | None = None

    def metadata(self) -> bytes:
        bounds = b"".join(map(varint, self.bounds))
        records = [(1, self.predictors), (3, varint(self.level)), (7, bounds), *self.extra]
        return b"".join(record(tag, value) for tag, value in sorted(records))

    def pack(self, xxh3: Hash) -> bytes:
        """The archive's bytes; ``xxh3`` gives the 16 bytes of XXH3-128 in canonical form."""
        meta = self.metadata()
        head = MAGIC + bytes([self.major, self.minor, self.incompatible, self.compatible])
        head += struct.pack("<H", len(meta) if self.meta_len is None else self.meta_len)
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
        packed = [segment.pack(xxh3) for segment in self.segments]
        entries = self.entries
        if entries is None:
            entries = [
                (len(data), segment.true_raw_len, segment.label)
                for data, segment in zip(packed, self.segments, strict=True)
            ]
        index = INDEX + varint(len(entries) if self.count is None else self.count)
        for length, raw_len, label in entries:
            index += varint(length) + varint(raw_len) + varint(len(label)) + label
        index = sealed(index)
        content = hashlib.sha256()
        for segment in self.segments:
            for chunk in segment.chunks:
                content.update(struct.pack("<Q", len(chunk.raw)) + xxh3(chunk.raw))
        body = head + sealed(meta) + b"".join(packed) + index
        footer = struct.pack("<I", len(index) if self.index_len is None else self.index_len)
        whole = len(body) + 52
        footer += struct.pack("<Q", whole if self.archive_len is None else self.archive_len)
        footer += content.digest() if self.content_hash is None else self.content_hash
        return body + sealed(footer) + TAIL
