"""The records of a `.llmz` archive: bytes to plain values and back, exactly as FORMAT.md has them.

Pure functions without input or output. Every `parse_*` takes the whole record, refuses what
FORMAT.md refuses, and raises `CorruptError` with the offset in the file, or `UnsupportedError`.
`base` is always the record's offset in the file. Every `build_*` returns the record's bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

from llmzip._native import crc32, index_entries
from llmzip.errors import CorruptError, UnsupportedError
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

MAGIC = b"\xf6LMZ\r\n\x1a\n"
TAIL_MAGIC = b"ZML\xf6"
SEGMENT_SYNC = b"\xe7SEG"
MODEL_SYNC = b"\xe7MDL"
INDEX_SYNC = b"\xe7IDX"
MAJOR = 1
MINOR = 0

HEADER_PREFIX_LEN = 16
SEGMENT_PREFIX_LEN = 5
FOOTER_LEN = 52
MAX_CHUNK = 1 << 20
MAX_LABEL = 4096
MAX_PREDICTORS = 16
MAX_SEGMENT_BODY = 255
# type, two one-byte varints, crc, check, head crc
MIN_CHUNK_HEAD = 17

STORED, CODED, CONSTANT, STORED_AFTER_CODING, COPIED = range(5)

# Flags of a segment: another one copies it; it is a copy itself; it starts from the state after
# segment 0.
KEPT, COPY, AFTER = 1, 2, 4

# Kinds of models: one at hand, one in the archive, a file that tensors are changes of, another
# archive that segments are copies of.
MODEL, EMBEDDED, BASE, ARCHIVE = 1, 2, 3, 4

_MAX_WRITER = 255
_MAX_COMMENT = 10_000
_NO_FLAGS = "needs a newer llmzip: it uses a feature that this version does not know"


class PredictorRef(Record):
    """A predictor as metadata names it."""

    id: str
    version: int
    coder: int


class ModelRef(Record):
    """What decoding needs: `kind` is `MODEL`, `EMBEDDED`, `BASE` or `ARCHIVE`; `length` in bytes.

    sha256: of the content; of an `ARCHIVE` its content hash.
    """

    kind: int
    sha256: bytes
    length: int
    name: str


class Bounds(Record):
    """What the writer promises that no segment or chunk goes over, in bytes."""

    max_segment_raw: int
    max_chunk_raw: int
    decoder_memory: int


class Metadata(Record):
    """The archive's metadata."""

    predictors: tuple[PredictorRef, ...]
    level: int
    bounds: Bounds
    models: tuple[ModelRef, ...] = ()
    writer: str = ""
    comment: str = ""

    @property
    def brings(self) -> ModelRef | None:
        """The model whose pack follows the header, if one does."""
        return next((ref for ref in self.models if ref.kind == EMBEDDED), None)


class Header(Record):
    """The archive's header; `size` is its length in bytes."""

    minor: int
    metadata: Metadata
    size: int


class SegmentHeader(Record):
    """A segment's header. `predictor` indexes `Metadata.predictors`; lengths in bytes.

    flags: 0, `KEPT`, `COPY` or `AFTER`. A copy has no predictor;
    its settings are those of `CopyOf`.
    """

    seq: int
    predictor: int
    raw_len: int
    coded_len: int
    canary: int
    settings: bytes
    flags: int = 0

    @property
    def is_copy(self) -> bool:
        """Whether it holds no content of its own."""
        return self.flags == COPY

    @property
    def is_after(self) -> bool:
        """Whether its predictor starts from the state after segment 0."""
        return self.flags == AFTER

    @property
    def copy_of(self) -> CopyOf:
        """What a copy is a copy of."""
        return parse_copy_of(self.settings, self.seq)


class CopyOf(Record):
    """The content that a copied segment has.

    source: 0 where it is in the same archive, else which of the metadata's records of kind
        `ARCHIVE`, from 1. place: number of a segment of the same archive; byte of the content of
        the other archive.
    """

    source: int
    place: int


class ChunkHead(Record):
    """A chunk's head: `payload_crc` is over coded bytes, `check` (8 bytes) over raw ones."""

    type: int
    raw_len: int
    coded_len: int
    payload_crc: int
    check: bytes


class IndexEntry(Record):
    """One segment in the index: `length` bytes with header and chunks, `raw_len` of content."""

    length: int
    raw_len: int
    label: str = ""


class Footer(Record):
    """The archive's end; lengths in bytes."""

    index_len: int
    archive_len: int
    content_hash: bytes


class _Fields:
    """Takes fields off the front of a record."""

    def __init__(self, data: bytes, what: str, base: int) -> None:
        self._data = data
        self._what = what
        self._base = base
        self.at = 0

    def bad(self, why: str) -> NoReturn:
        raise CorruptError(f"{self._what}: {why}", offset=self._base + self.at)

    @property
    def left(self) -> int:
        return len(self._data) - self.at

    def take(self, length: int) -> bytes:
        at, self.at = self.at, self.at + length
        if self.at > len(self._data):
            self.at = at
            self.bad("a field goes past its end")
        return self._data[at : self.at]

    def uint(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def varint(self) -> int:
        data, at = self._data, self.at
        if at < len(data) and (first := data[at]) < 0x80:
            self.at = at + 1
            return first
        value = shift = 0
        for byte in data[at : at + 10]:
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                self.at = at + shift // 7
                if byte == 0 and shift > 7:
                    self.bad("a number is not in its shortest form")
                if value >> 63:
                    self.bad("a number is too large")
                return value
        if len(data) - at < 10:
            self.at = len(data)
            self.bad("a field goes past its end")
        self.at = at + 10
        self.bad("a number is too long")

    def text(self, length: int) -> str:
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            self.bad("a text is not UTF-8")

    def end(self) -> None:
        if self.left:
            self.bad("bytes are left over")


def build_varint(value: int) -> bytes:
    """`value` as LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _u(value: int, length: int) -> bytes:
    return value.to_bytes(length, "little")


def _crc(data: bytes, length: int = 4) -> bytes:
    return _u(crc32(data), 4)[:length]


def _split_crc(record: bytes, length: int, what: str, base: int) -> bytes:
    body, check = record[:-length], record[-length:]
    if check != _crc(body, length):
        raise CorruptError(f"{what} is damaged", offset=base)
    return body


# Header and metadata


def build_header(metadata: Metadata) -> bytes:
    """The header of an archive."""
    meta = _build_metadata(metadata)
    prefix = MAGIC + bytes((MAJOR, MINOR, 0, 0)) + _u(len(meta), 2)
    return prefix + _crc(prefix, 2) + meta + _crc(meta)


def parse_header_prefix(prefix: bytes, base: int) -> int:
    """Checks the first 16 bytes, magic included, and returns the length of what follows them."""
    if prefix[:8] != MAGIC:
        raise CorruptError("no archive begins here", offset=base)
    if prefix[8] != MAJOR:
        raise UnsupportedError(
            f"format {prefix[8]} of the archive at byte {base:,}: this llmzip reads format {MAJOR};"
            " install a version that reads it"
        )
    _split_crc(prefix, 2, "the header", base)
    if prefix[10]:
        raise UnsupportedError(f"the archive at byte {base:,} {_NO_FLAGS} (flags {prefix[10]:#x})")
    return int.from_bytes(prefix[12:14], "little") + 4


def parse_header(prefix: bytes, rest: bytes, base: int) -> Header:
    """A header from its first 16 bytes and the `parse_header_prefix(prefix)` bytes after them."""
    parse_header_prefix(prefix, base)
    meta = _split_crc(rest, 4, "the metadata", base + HEADER_PREFIX_LEN)
    metadata = _parse_metadata(meta, base + HEADER_PREFIX_LEN)
    return Header(prefix[9], metadata, len(prefix) + len(rest))


def _build_metadata(metadata: Metadata) -> bytes:
    records: dict[int, bytes] = {}
    records[1] = b"".join(
        _sized(ref.id.encode("ascii")) + build_varint(ref.version) + _u(ref.coder, 1)
        for ref in metadata.predictors
    )
    if metadata.writer:
        records[2] = metadata.writer.encode()
    records[3] = build_varint(metadata.level)
    if metadata.models:
        records[5] = b"".join(
            _u(ref.kind, 1) + ref.sha256 + build_varint(ref.length) + _sized(ref.name.encode())
            for ref in metadata.models
        )
    bounds = metadata.bounds
    records[7] = b"".join(
        map(build_varint, (bounds.max_segment_raw, bounds.max_chunk_raw, bounds.decoder_memory))
    )
    if metadata.comment:
        records[8] = metadata.comment.encode()
    return b"".join(
        build_varint(tag) + build_varint(len(value)) + value for tag, value in records.items()
    )


def _sized(value: bytes) -> bytes:
    return _u(len(value), 1) + value


def _parse_metadata(data: bytes, base: int) -> Metadata:
    fields = _Fields(data, "the metadata", base)
    predictors: tuple[PredictorRef, ...] = ()
    models: tuple[ModelRef, ...] = ()
    level = 0
    bounds: Bounds | None = None
    writer = comment = ""
    last_tag = -1
    while fields.left:
        tag = fields.varint()
        if tag <= last_tag:
            fields.bad("tags are out of order")
        last_tag = tag
        length = fields.varint()
        start = base + fields.at
        value = _Fields(fields.take(length), f"metadata tag {tag}", start)
        if tag == 1:
            predictors = _parse_predictors(value)
        elif tag == 2:
            writer = _parse_text(value, _MAX_WRITER)
        elif tag == 3:
            level = value.varint()
            if not 1 <= level <= 9:
                value.bad("a level goes from 1 to 9")
        elif tag == 5:
            models = _parse_models(value)
        elif tag == 7:
            bounds = Bounds(value.varint(), value.varint(), value.varint())
            if bounds.max_chunk_raw > MAX_CHUNK:
                value.bad("chunks may have 1,048,576 bytes at most")
        elif tag == 8:
            comment = _parse_text(value, _MAX_COMMENT)
        elif tag == 9:
            raise UnsupportedError(f"the archive {_NO_FLAGS} (transforms)")
        elif tag % 2:
            raise UnsupportedError(f"the archive {_NO_FLAGS} (metadata tag {tag})")
        else:
            continue
        value.end()
    if not predictors or not level or bounds is None:
        fields.bad("predictors, level or bounds are missing")
    return Metadata(predictors, level, bounds, models, writer, comment)


def _parse_text(value: _Fields, most: int) -> str:
    if value.left > most:
        value.bad(f"a text is longer than {most:,} bytes")
    return value.text(value.left)


def _parse_predictors(value: _Fields) -> tuple[PredictorRef, ...]:
    found: list[PredictorRef] = []
    while value.left:
        name = value.take(value.uint(1))
        if not name or any(byte < 0x21 or byte > 0x7E for byte in name):
            value.bad("a predictor's id is not a word of ASCII")
        found.append(PredictorRef(name.decode(), value.varint(), value.uint(1)))
    if not 1 <= len(found) <= MAX_PREDICTORS:
        value.bad(f"an archive names 1 to {MAX_PREDICTORS} predictors")
    return tuple(found)


def _parse_models(value: _Fields) -> tuple[ModelRef, ...]:
    found: list[ModelRef] = []
    while value.left:
        kind = value.uint(1)
        if kind not in (MODEL, EMBEDDED, BASE, ARCHIVE):
            raise UnsupportedError(f"the archive {_NO_FLAGS} (model of kind {kind})")
        found.append(ModelRef(kind, value.take(32), value.varint(), value.text(value.uint(1))))
    if sum(ref.kind == BASE for ref in found) > 1:
        value.bad("more than one file that tensors are changes of")
    if sum(ref.kind in (MODEL, EMBEDDED) for ref in found) > 1:
        value.bad("more than one language model")
    return tuple(found)


# Segments and chunks


def build_segment_header(header: SegmentHeader, sync: bytes = SEGMENT_SYNC) -> bytes:
    """The header of a segment; `sync` is `MODEL_SYNC` for a part of an embedded model."""
    numbers = (header.seq, header.predictor, header.flags, header.raw_len, header.coded_len)
    body = b"".join(map(build_varint, numbers)) + _u(header.canary, 4) + header.settings
    if len(body) > MAX_SEGMENT_BODY:
        raise ValueError("settings of a predictor are too long for a segment header")
    record = sync + _u(len(body), 1) + body
    return record + _crc(record)


def parse_segment_header(record: bytes, base: int, sync: bytes = SEGMENT_SYNC) -> SegmentHeader:
    """A segment's header from its whole record; its length is `record[4]` + 9."""
    checked = _split_crc(record, 4, "a segment's header", base)
    fields = _Fields(checked, "a segment's header", base)
    if fields.take(4) != sync:
        raise CorruptError("no segment begins here", offset=base)
    fields.take(1)
    seq, predictor, flags = fields.varint(), fields.varint(), fields.varint()
    if flags & ~(KEPT | COPY | AFTER):
        raise UnsupportedError(f"segment {seq} {_NO_FLAGS} (flags {flags:#x})")
    raw_len, coded_len = fields.varint(), fields.varint()
    if not raw_len:
        fields.bad("a segment without content")
    canary = fields.uint(4)
    settings = fields.take(fields.left)
    header = SegmentHeader(seq, predictor, raw_len, coded_len, canary, settings, flags)
    if flags.bit_count() > 1:
        fields.bad("flags that exclude each other")
    if header.is_after and not seq:
        fields.bad("segment 0 goes on from nothing")
    if header.is_copy:
        if predictor or canary:
            fields.bad("a copy that is coded")
        of = header.copy_of
        if not of.source and of.place >= seq:
            fields.bad("a copy of what comes later")
    return header


def build_copy_of(of: CopyOf) -> bytes:
    """The settings of a copy."""
    return build_varint(of.source) + build_varint(of.place)


def parse_copy_of(settings: bytes, seq: int) -> CopyOf:
    """What the settings of a copy, segment `seq`, say."""
    fields = _Fields(settings, f"the header of segment {seq}", 0)
    of = CopyOf(fields.varint(), fields.varint())
    fields.end()
    return of


def build_chunk_head(head: ChunkHead) -> bytes:
    """The head of a chunk."""
    record = (
        _u(head.type, 1)
        + build_varint(head.raw_len)
        + build_varint(head.coded_len)
        + _u(head.payload_crc, 4)
        + head.check
    )
    return record + _crc(record, 2)


def chunk_head_len(start: bytes, base: int) -> int:
    """Length of the chunk head that begins with `start`, its first `MIN_CHUNK_HEAD` bytes."""
    at = 1
    for _ in range(2):
        # Three bytes hold 2^21: no length of a chunk needs more.
        length = next((n for n in (1, 2, 3) if start[at + n - 1] < 0x80), 0)
        if not length:
            raise CorruptError("a chunk's head is damaged", offset=base)
        at += length
    return at + MIN_CHUNK_HEAD - 3


def parse_chunk_head(
    record: bytes, max_chunk_raw: int, base: int, *, copied: bool = False
) -> ChunkHead:
    """A chunk's head from its whole record; `copied` where its segment is a copy."""
    fields = _Fields(_split_crc(record, 2, "a chunk's head", base), "a chunk's head", base)
    kind, raw_len, coded_len = fields.uint(1), fields.varint(), fields.varint()
    head = ChunkHead(kind, raw_len, coded_len, fields.uint(4), fields.take(8))
    fields.end()
    if not 1 <= raw_len <= max_chunk_raw:
        fields.bad(f"a chunk of {raw_len:,} bytes where {max_chunk_raw:,} are the most")
    if kind in (STORED, STORED_AFTER_CODING):
        fitting = coded_len == raw_len
    elif kind == CODED:
        fitting = coded_len < raw_len
    elif kind == CONSTANT:
        fitting = coded_len == 1
    elif kind == COPIED:
        fitting = coded_len == 0
    else:
        raise UnsupportedError(f"the archive {_NO_FLAGS} (chunk of type {kind})")
    if copied != (kind == COPIED):
        fields.bad(f"a chunk of type {kind} in a segment of another sort")
    if not fitting:
        fields.bad(f"a chunk of type {kind} with {coded_len:,} bytes for {raw_len:,}")
    return head


# Index and footer


def build_index(entries: Iterable[IndexEntry], count: int) -> bytes:
    """The index over `count` segments."""
    parts = [INDEX_SYNC, build_varint(count)]
    for entry in entries:
        label = entry.label.encode()
        parts += (build_varint(entry.length), build_varint(entry.raw_len))
        parts += (build_varint(len(label)), label)
    record = b"".join(parts)
    return record + _crc(record)


def parse_index(record: bytes, base: int) -> list[IndexEntry]:
    """The entries of an index from its whole record."""
    checked = _split_crc(record, 4, "the index", base)
    fields = _Fields(checked, "the index", base)
    if fields.take(4) != INDEX_SYNC:
        raise CorruptError("no index begins here", offset=base)
    if (found := index_entries(checked)) is not None:
        return [IndexEntry(*entry) for entry in found]
    # Something is wrong with it: this tells what.
    count = fields.varint()
    entries = []
    for _ in range(count):
        length, raw_len, label_len = fields.varint(), fields.varint(), fields.varint()
        if label_len > MAX_LABEL:
            fields.bad("a label is too long")
        label = fields.text(label_len) if label_len else ""
        entries.append(IndexEntry(length, raw_len, label))
    fields.end()
    return entries


def index_len(start: bytes, base: int) -> int:
    """Length of the index that `start` begins with; unchecked, for those who look for one."""
    fields = _Fields(start, "the index", base)
    fields.take(len(INDEX_SYNC))
    for _ in range(fields.varint()):
        fields.varint(), fields.varint()
        fields.take(fields.varint())
    fields.take(4)
    return fields.at


def build_footer(footer: Footer) -> bytes:
    """The footer of an archive."""
    record = _u(footer.index_len, 4) + _u(footer.archive_len, 8) + footer.content_hash
    return record + _crc(record) + TAIL_MAGIC


def parse_footer(record: bytes, base: int) -> Footer:
    """A footer from its 52 bytes."""
    if record[-4:] != TAIL_MAGIC:
        raise CorruptError("the archive's end is damaged", offset=base)
    fields = _Fields(_split_crc(record[:-4], 4, "the archive's end", base), "the end", base)
    return Footer(fields.uint(4), fields.uint(8), fields.take(32))
