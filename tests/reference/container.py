"""Reading archives from the first byte to the last: FORMAT.md, sections 1 to 4."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import xxhash

from .circuit import Circuit
from .errors import (
    CorruptError,
    ModelError,
    NotAnArchiveError,
    PredictionMismatch,
    TruncatedError,
    UnsupportedError,
)
from .fields import Fields, crc16
from .llm import Llm
from .predictors import PREDICTORS, Predictor
from .tensor import Tensor

MAGIC = bytes.fromhex("F64C4D5A0D0A1A0A")
SEGMENT_SYNC = bytes.fromhex("E7534547")
MODEL_SYNC = bytes.fromhex("E74D444C")
INDEX_SYNC = bytes.fromhex("E7494458")
TAIL_MAGIC = bytes.fromhex("5A4D4CF6")
MAX_CHUNK_RAW = 1_048_576
MAX_LABEL = 4096
CANARY_BYTES = 64
MODEL, EMBEDDED, BASE, ARCHIVE = 1, 2, 3, 4  # kinds of models

STORED, CODED, CONSTANT, STORED_AFTER_CODING, COPIED = range(5)
KEPT, COPY, AFTER = 1, 2, 4


@dataclass(frozen=True)
class Model:
    """What the archive needs; `sha256` is the content hash of an archive of kind 4."""

    kind: int
    sha256: bytes
    length: int


@dataclass(frozen=True)
class Metadata:
    predictors: list[tuple[str, int, int]]
    level: int
    max_segment_raw: int
    max_chunk_raw: int
    decoder_memory: int
    base: Model | None
    archives: list[Model]
    model: Model | None
    embedded: Model | None


@dataclass(frozen=True)
class Others:
    """What segments may take from elsewhere.

    model: the pack that predicts, empty where none is needed. bases: of files that tensors may be
    changes of. archives: of those that the metadata name, in order. kept: of earlier segments, by
    their numbers.
    """

    model: bytes
    bases: Sequence[bytes]
    archives: Sequence[bytes]
    kept: dict[int, bytes]
    # Segment 0: its flags, number of the predictor and settings, and that predictor in the end.
    first: list[tuple[tuple[int, int, bytes], Predictor]]


def decode(
    data: bytes,
    bases: Sequence[bytes] = (),
    archives: Mapping[bytes, bytes] | None = None,
    packs: Sequence[bytes] = (),
) -> bytes:
    """The contents of every archive in `data`, which is one archive or several in a row.

    bases: contents of files that tensors may be changes of; archives name them by their SHA-256.
    archives: contents of archives that segments may be copies of, by their content hashes.
    packs: models that may be needed.

    Raises a child of ArchiveError, and gives nothing then.
    """
    file = Fields(data)
    content = bytearray()
    while True:
        content += read_archive(file, bases, archives or {}, packs)
        if not file.left():
            return bytes(content)


def read_archive(
    file: Fields,
    bases: Sequence[bytes] = (),
    archives: Mapping[bytes, bytes] | None = None,
    packs: Sequence[bytes] = (),
) -> bytes:
    start = file.at
    metadata = read_header(file)
    if metadata.embedded:
        pack = read_model(file, metadata, metadata.embedded)
    else:
        pack = pack_of(metadata.model, packs)
    others = Others(pack, bases, contents(metadata.archives, archives or {}), {}, [])
    content = bytearray()
    chunk_hashes = hashlib.sha256()
    seen: list[tuple[int, int]] = []  # length and raw length of each segment
    while True:
        sync = file.take(4)
        if sync == SEGMENT_SYNC:
            segment_start = file.at - 4
            raw, flags = read_segment(file, len(seen), metadata, others, chunk_hashes)
            if flags == KEPT:
                others.kept[len(seen)] = raw
            seen.append((file.at - segment_start, len(raw)))
            content += raw
        elif sync == INDEX_SYNC:
            break
        else:
            raise CorruptError("neither a segment nor the index starts where one must")
    index_start = file.at - 4
    read_index(file, index_start, seen)
    index_len = file.at - index_start
    footer_start = file.at
    fields = (file.u(4), file.u(8), file.take(32))
    if file.u(4) != zlib.crc32(covered(file, footer_start, 4)):
        raise CorruptError("the footer's check differs")
    if file.take(4) != TAIL_MAGIC:
        raise CorruptError("the footer does not end as one")
    if fields != (index_len, file.at - start, chunk_hashes.digest()):
        raise CorruptError("the footer does not fit what stands before it")
    return bytes(content)


def needed(data: bytes) -> list[bytes]:
    """The content hashes of the archives that segments of the first archive are copies of."""
    return [model.sha256 for model in read_header(Fields(data)).archives]


def content_hash(data: bytes) -> bytes:
    """What the footer at the end of `data` says; not checked, `decode` does that."""
    return data[-40:-8]


def covered(file: Fields, start: int, check: int) -> bytes:
    """The bytes since `start` that a check covers, whose own `check` bytes have just been read."""
    return file.data[start : file.at - check]


def read_header(file: Fields) -> Metadata:
    start = file.at
    magic = file.data[start : start + 8]
    if magic != MAGIC:
        if MAGIC.startswith(magic):
            raise TruncatedError("the file ends too early")
        if start:
            raise CorruptError("what follows a footer is no archive")
        raise NotAnArchiveError("this is no .llmz archive")
    file.take(8)
    major = file.u(1)
    file.u(1)  # minor: a higher one may be read
    incompatible = file.u(1)
    file.u(1)  # compatible flags: none is known, all may be ignored
    meta_len = file.u(2)
    if file.u(2) != crc16(covered(file, start, 2)):
        raise CorruptError("the header's check differs")
    if major != 1:
        raise UnsupportedError(f"format {major}")
    if incompatible:
        raise UnsupportedError(f"incompatible flags {incompatible:#x}")
    meta = file.take(meta_len)
    if file.u(4) != zlib.crc32(meta):
        raise CorruptError("the metadata's check differs")
    return read_metadata(Fields(meta, whole=True))


def read_metadata(meta: Fields) -> Metadata:
    records: dict[int, Fields] = {}
    models: list[Model] = []
    last = -1
    while meta.left():
        tag = meta.varint()
        if tag <= last:
            raise CorruptError("metadata tags do not ascend")
        last = tag
        records[tag] = meta.part(meta.varint())
        if tag % 2 and tag not in (1, 3, 5, 7):
            raise UnsupportedError(f"metadata tag {tag}")
        if tag == 5:
            models = read_models(records[tag])
    if not {1, 3, 7} <= records.keys():
        raise CorruptError("metadata lack a required record")

    predictors = []
    record = records[1]
    while record.left():
        name = record.take(record.u(1))
        if not name or not all(0x21 <= byte <= 0x7E for byte in name):
            raise CorruptError("a predictor's id is not a word of ASCII")
        predictors.append((name.decode("ascii"), record.varint(), record.u(1)))
    if not 1 <= len(predictors) <= 16:
        raise CorruptError("an archive has 1 to 16 predictors")

    level = records[3].varint()
    records[3].end()
    if not 1 <= level <= 9:
        raise CorruptError("a level is 1 to 9")

    max_segment_raw, max_chunk_raw, decoder_memory = (records[7].varint() for _ in range(3))
    records[7].end()
    if max_chunk_raw > MAX_CHUNK_RAW:
        raise CorruptError("a chunk may have at most 1 MiB")

    for tag, longest in ((2, 255), (8, 10_000)):
        if tag in records:
            if records[tag].left() > longest:
                raise CorruptError(f"metadata tag {tag} is too long")
            records[tag].utf8(records[tag].left())
    base = next((model for model in models if model.kind == BASE), None)
    archives = [model for model in models if model.kind == ARCHIVE]
    model = next((model for model in models if model.kind == MODEL), None)
    embedded = next((model for model in models if model.kind == EMBEDDED), None)
    bounds = (max_segment_raw, max_chunk_raw, decoder_memory)
    return Metadata(predictors, level, *bounds, base, archives, model, embedded)


def read_models(record: Fields) -> list[Model]:
    models: list[Model] = []
    while record.left():
        kind = record.u(1)
        if kind not in (MODEL, EMBEDDED, BASE, ARCHIVE):
            raise UnsupportedError(f"a model of kind {kind}")
        models.append(Model(kind, record.take(32), record.varint()))
        record.utf8(record.u(1))
    if sum(model.kind == BASE for model in models) > 1:
        raise CorruptError("two files that tensors are changes of")
    if sum(model.kind in (MODEL, EMBEDDED) for model in models) > 1:
        raise CorruptError("two models")
    return models


def pack_of(model: Model | None, packs: Sequence[bytes]) -> bytes:
    """The model that the metadata name; nothing where they name none."""
    if model is None:
        return b""
    for pack in packs:
        if (hashlib.sha256(pack).digest(), len(pack)) == (model.sha256, model.length):
            return pack
    raise ModelError("the model is not here")


def read_model(file: Fields, metadata: Metadata, model: Model) -> bytes:
    """The pack of the model that the archive brings, which follows its header."""
    nothing = Others(b"", (), (), {}, [])
    pack = bytearray()
    number = 0
    while len(pack) < model.length:
        if file.take(4) != MODEL_SYNC:
            raise CorruptError("no part of the model starts where one must")
        left = model.length - len(pack)
        bounds = replace(metadata, max_segment_raw=left, max_chunk_raw=MAX_CHUNK_RAW)
        start = file.at
        body = file.part(file.u(1))
        _, index, flags = (body.varint() for _ in range(3))
        kinds = metadata.predictors[index : index + 1]
        file.at = start
        raw, _ = read_segment(file, number, bounds, nothing, hashlib.sha256())
        if flags or not kinds or kinds[0][0] not in ("store", "zstd"):
            raise CorruptError(f"part {number} of the model is coded as none can be")
        pack += raw
        number += 1
    if (hashlib.sha256(pack).digest(), len(pack)) != (model.sha256, model.length):
        raise CorruptError("the model is not the one that the metadata name")
    return bytes(pack)


def contents(models: Sequence[Model], archives: Mapping[bytes, bytes]) -> list[bytes]:
    """What the archives that segments are copies of hold, in the order of the metadata."""
    found = [archives.get(model.sha256, b"") for model in models]
    if any(len(content) != model.length for content, model in zip(found, models, strict=True)):
        raise ModelError("an archive that segments are copies of is not here")
    return found


def counterpart(base: Model | None, bases: Sequence[bytes], offset: int, length: int) -> bytes:
    """What a segment is a change of: `length` bytes of the base."""
    for content in bases if base else ():
        if (hashlib.sha256(content).digest(), len(content)) == (base.sha256, base.length):
            if offset + length > len(content):
                raise CorruptError("the base ends before what a segment is a change of")
            return content[offset : offset + length]
    raise ModelError("what a segment is a change of is not here")


def read_segment(
    file: Fields,
    number: int,
    metadata: Metadata,
    others: Others,
    chunk_hashes: "hashlib._Hash",
) -> tuple[bytes, int]:
    """The content and flags of one segment, whose sync has just been read.

    Feeds each chunk's hash to `chunk_hashes`.
    """
    start = file.at - 4
    body = file.part(file.u(1))
    if file.u(4) != zlib.crc32(covered(file, start, 4)):
        raise CorruptError(f"segment {number}: the header's check differs")
    seq, index, flags = (body.varint() for _ in range(3))
    if flags & ~(KEPT | COPY | AFTER):
        raise UnsupportedError(f"segment flags {flags:#x}")
    if flags.bit_count() > 1:
        raise CorruptError(f"segment {number}: two flags at once")
    raw_len, coded_len = body.varint(), body.varint()
    canary = body.u(4)
    settings = body.take(body.left())
    if seq != number:
        raise CorruptError(f"segment {seq} stands where segment {number} must")
    if index >= len(metadata.predictors):
        raise CorruptError(f"segment {number}: no such predictor")
    if not 1 <= raw_len <= metadata.max_segment_raw:
        raise CorruptError(f"segment {number}: its raw length is out of bounds")
    kind = metadata.predictors[index]
    predictor: Predictor
    if flags == COPY:
        if index or canary:
            raise CorruptError(f"segment {number}: a copy has no predictor and no canary")
        predictor = Copy(copied(Fields(settings, whole=True), number, raw_len, others))
    elif kind not in PREDICTORS:
        raise UnsupportedError(f"predictor {kind[0]} version {kind[1]} with coder {kind[2]}")
    else:
        predictor = PREDICTORS[kind](settings, raw_len)
    if flags == AFTER:
        predictor = going_on(others, (0, index, settings), number, raw_len)

    # Chunks are read off the file, not off a part of it: that there is enough left is for each
    # chunk's check to say, and a file that ends here is truncated.
    end = file.at + coded_len
    raw = bytearray()
    checked = False
    while file.at < end:
        longest = min(metadata.max_chunk_raw, raw_len - len(raw))
        chunk = Chunk.read(file, end, longest)
        if (chunk.type == COPIED) != (flags == COPY):
            raise CorruptError(f"segment {number}: a chunk of another sort")
        needs_base = isinstance(predictor, Tensor) and predictor.change and not predictor.base
        if needs_base and chunk.type in (CODED, STORED_AFTER_CODING):
            base = counterpart(metadata.base, others.bases, predictor.offset, raw_len)
            predictor.base = base
        if isinstance(predictor, Llm | Circuit):
            if not others.model and chunk.type in (CODED, STORED_AFTER_CODING):
                raise CorruptError(f"segment {number}: the metadata name no model")
            predictor.model = others.model
        piece = chunk.decode(predictor)
        last = len(raw) + chunk.raw_len == raw_len
        if not checked and (predictor.seen >= CANARY_BYTES or last):
            if predictor.canary() != canary:
                raise PredictionMismatch(f"segment {number}: the canary differs")
            checked = True
        digest = xxhash.xxh3_128_digest(piece)
        if len(piece) != chunk.raw_len or digest[:8] != chunk.raw_check:
            raise CorruptError(f"segment {number}: a chunk does not decode to what was coded")
        chunk_hashes.update(chunk.raw_len.to_bytes(8, "little") + digest)
        raw += piece
    if len(raw) != raw_len:
        raise CorruptError(f"segment {number}: its chunks do not add up")
    if number == 0:
        if isinstance(predictor, Llm):
            predictor.model = others.model
        others.first.append(((flags, index, settings), predictor))
    return bytes(raw), flags


def going_on(others: Others, like: tuple[int, int, bytes], number: int, raw_len: int) -> Predictor:
    """The predictor of a segment that goes on from segment 0."""
    if not others.first or others.first[0][0] != like:
        raise CorruptError(f"segment {number}: it goes on from a segment that is not like it")
    predictor = others.first[0][1]
    if not isinstance(predictor, Llm) or raw_len > predictor.longest:
        raise CorruptError(f"segment {number}: it is longer than segment 0 says")
    return predictor.going_on()


def copied(settings: Fields, number: int, raw_len: int, others: Others) -> bytes:
    """What segment `number` is a copy of."""
    source, place = settings.varint(), settings.varint()
    settings.end()
    if source > len(others.archives):
        raise CorruptError(f"segment {number}: a copy of what the header does not name")
    original = others.kept.get(place, b"")
    if source:
        original = others.archives[source - 1][place : place + raw_len]
    if len(original) != raw_len:
        raise CorruptError(f"segment {number}: a copy of what is not there, or not as long")
    return original


class Copy:
    """Stands where a predictor does: gives out what a copy repeats."""

    def __init__(self, original: bytes) -> None:
        self.original = original
        self.seen = 0

    def decode(self, payload: bytes, raw_len: int) -> bytes:
        self.seen += raw_len
        return self.original[self.seen - raw_len : self.seen]

    def train(self, raw: bytes) -> None:
        raise AssertionError("no chunk of a copy is of another type")

    def canary(self) -> int:
        return 0


@dataclass(frozen=True)
class Chunk:
    type: int
    raw_len: int
    raw_check: bytes
    payload: bytes

    @classmethod
    def read(cls, file: Fields, segment_end: int, longest: int) -> "Chunk":
        """The next chunk, its head and payload checked."""
        start = file.at
        type_ = file.u(1)
        raw_len = file.varint()
        coded_len = file.varint()
        payload_check = file.u(4)
        raw_check = file.take(8)
        if file.u(2) != crc16(covered(file, start, 2)):
            raise CorruptError("a chunk head's check differs")
        if type_ > COPIED:
            raise UnsupportedError(f"chunk type {type_}")
        if not 1 <= raw_len <= longest:
            raise CorruptError("a chunk's raw length is out of bounds")
        fits = {
            STORED: coded_len == raw_len,
            CODED: coded_len < raw_len,
            CONSTANT: coded_len == 1,
            STORED_AFTER_CODING: coded_len == raw_len,
            COPIED: coded_len == 0,
        }
        if not fits[type_] or file.at + coded_len > segment_end:
            raise CorruptError("a chunk's coded length is out of bounds")
        payload = file.take(coded_len)
        if zlib.crc32(payload) != payload_check:
            raise CorruptError("a chunk payload's check differs")
        return cls(type_, raw_len, raw_check, payload)

    def decode(self, predictor: Predictor) -> bytes:
        """The raw bytes, not checked yet."""
        if self.type == STORED:
            return self.payload
        if self.type == CONSTANT:
            return self.payload * self.raw_len
        if self.type in (CODED, COPIED):
            return predictor.decode(self.payload, self.raw_len)
        predictor.train(self.payload)
        return self.payload


def read_index(file: Fields, start: int, seen: list[tuple[int, int]]) -> None:
    """Compares the index, whose sync has just been read, with the segments seen."""
    if file.varint() != len(seen):
        raise CorruptError("the index has another number of segments")
    for number, lengths in enumerate(seen):
        if (file.varint(), file.varint()) != lengths:
            raise CorruptError(f"the index does not fit segment {number}")
        label_len = file.varint()
        if label_len > MAX_LABEL:
            raise CorruptError("a label is too long")
        file.utf8(label_len)
    if file.u(4) != zlib.crc32(covered(file, start, 4)):
        raise CorruptError("the index's check differs")
