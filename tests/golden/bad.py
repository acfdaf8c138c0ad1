"""Broken archives, each with the error it deserves: wrong fields under right checks, and damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from golden import inputs
from golden.parts import (
    AFTER,
    CODED,
    CONSTANT,
    COPIED,
    COPY,
    KEPT,
    STORED,
    STORED_AFTER_CODING,
    Archive,
    Chunk,
    Segment,
    coded_segment,
    crc,
    varint,
)
from llmzip import _native

STORE = ("store", 1, 0)
ZSTD = ("zstd", 1, 0)
CM = ("cm", 1, 1)
LEVEL = bytes([3])
MEMORY = 2**26

NOT_AN_ARCHIVE = "NotAnArchiveError"
CORRUPT = "CorruptError"
TRUNCATED = "TruncatedError"
UNSUPPORTED = "UnsupportedError"
MODEL = "ModelError"


@dataclass(frozen=True)
class Bad:
    """`error` names the class: that one, not a child of it."""

    name: str
    intent: str
    error: str
    data: bytes


def good() -> Archive:
    """What the others are made from: two segments of zstd, every chunk type."""
    raws = [(CODED, inputs.text(300)), (CONSTANT, b"=" * 99), (STORED, b"stored as it is")]
    after = [(CODED, inputs.random(80)), (CODED, inputs.text(200, 2))]
    segments = [coded_segment(ZSTD, LEVEL, raws + after), coded_segment(ZSTD, LEVEL, raws)]
    return Archive([ZSTD], segments, decoder_memory=MEMORY)


def cases() -> Iterator[Bad]:
    yield from foreign()
    yield from damage()
    yield from header()
    yield from metadata()
    yield from segments()
    yield from chunks()
    yield from copies()
    yield from embedded()
    yield from ends()


def foreign() -> Iterator[Bad]:
    for name, data in (
        ("text", b"A text that is no archive, and long enough to be one.\n" * 4),
        ("gzip", bytes.fromhex("1f8b08000000000000034bcacf07004777f75b03000000") + bytes(40)),
        ("zstd-frame", bytes.fromhex("28b52ffd") + bytes(60)),
        ("zeros", bytes(200)),
    ):
        yield Bad(f"foreign-{name}", f"no archive: {name}", NOT_AN_ARCHIVE, data)
    text_mode = good().build().replace(b"\r\n", b"\n", 1)
    yield Bad("foreign-text-mode", "went through a text-mode transfer", NOT_AN_ARCHIVE, text_mode)


def damage() -> Iterator[Bad]:
    whole = good().build()
    for name, length in (
        ("magic", 5),
        ("header", 13),
        ("metadata", 20),
        ("segment", 80),
        ("half", len(whole) // 2),
        ("footer", len(whole) - 30),
        ("last-byte", len(whole) - 1),
    ):
        yield Bad(f"truncated-{name}", f"ends after {length} bytes", TRUNCATED, whole[:length])
    second = whole + whole[:200]
    yield Bad("truncated-second", "the second of two archives is cut", TRUNCATED, second)
    for name, at in (
        ("meta-len", 12),
        ("metadata", 18),
        ("segment-sync", len(good().header())),
        ("segment-body", len(good().header()) + 7),
        ("payload", len(good().header()) + 70),
        ("index", len(whole) - 54),
        ("footer-hash", len(whole) - 30),
        ("tail-magic", len(whole) - 1),
    ):
        flipped = bytearray(whole)
        flipped[at] ^= 0x10
        yield Bad(f"flipped-{name}", f"one bit of byte {at} flipped", CORRUPT, bytes(flipped))
    yield Bad(
        "garbage-after", "bytes after the footer", CORRUPT, whole + b"garbage, not an archive"
    )
    yield Bad("zeros-after", "zeros after the footer", CORRUPT, whole + bytes(512))


def header() -> Iterator[Bad]:
    def variant(name: str, intent: str, **changes: int) -> Bad:
        return Bad(f"header-{name}", intent, UNSUPPORTED, replace(good(), **changes).build())

    yield variant("major-2", "a format to come", major=2)
    yield variant("major-0", "a format that never was", major=0)
    yield variant("incompatible-1", "an incompatible flag", incompatible=1)
    yield variant(
        "incompatible-128", "the highest incompatible flag, newer minor", incompatible=128, minor=9
    )


def metadata() -> Iterator[Bad]:
    def variant(name: str, intent: str, error: str, **records: bytes | None) -> Bad:
        tags = {int(tag[1:]): value for tag, value in records.items()}
        return Bad(f"metadata-{name}", intent, error, replace(good(), records=tags).build())

    one = b"\x04zstd\x01\x00"
    yield variant("odd-tag", "an odd tag that nobody knows", UNSUPPORTED, t11=b"?")
    yield variant("transforms", "a chain of transforms, none is defined", UNSUPPORTED, t9=b"\x01")
    yield variant("no-predictors", "the predictors are missing", CORRUPT, t1=None)
    yield variant("zero-predictors", "an empty list of predictors", CORRUPT, t1=b"")
    yield variant("17-predictors", "more than 16 predictors", CORRUPT, t1=one * 17)
    yield variant("predictor-cut", "the last predictor is cut", CORRUPT, t1=one + one[:5])
    yield variant(
        "predictor-long-varint",
        "a version not in its shortest form",
        CORRUPT,
        t1=b"\x04zstd\x81\x00\x00",
    )
    yield variant("no-level", "the level is missing", CORRUPT, t3=None)
    yield variant("level-0", "level 0", CORRUPT, t3=b"\0")
    yield variant("level-10", "level 10", CORRUPT, t3=b"\x0a")
    yield variant("level-long", "a byte after the level", CORRUPT, t3=b"\x06\x06")
    yield variant("no-bounds", "the bounds are missing", CORRUPT, t7=None)
    yield variant("bounds-two", "only two bounds", CORRUPT, t7=b"\x01\x01")
    huge = varint(10**9) + varint(2**20 + 1) + varint(0)
    yield variant("chunk-bound", "chunks of more than 1 MiB", CORRUPT, t7=huge)
    yield variant("comment-not-utf8", "a comment that is not UTF-8", CORRUPT, t8=b"\xff\xfe")
    yield variant("comment-long", "a comment of 10,001 bytes", CORRUPT, t8=b"c" * 10_001)
    yield variant("writer-long", "a writer's name of 256 bytes", CORRUPT, t2=b"w" * 256)
    base = b"\x03" + bytes(32) + b"\x05\x01n"
    other = b"\x01" + base[1:]
    yield variant("model", "a model that no predictor takes", MODEL, t5=other)
    yield variant("model-kind", "a kind of model nobody knows", UNSUPPORTED, t5=b"\x05" + base[1:])
    yield variant("no-archive", "an archive that is not here", MODEL, t5=b"\x04" + base[1:])
    yield variant("model-cut", "a model that is cut", CORRUPT, t5=base[:-1])
    yield variant("model-not-utf8", "a name that is not UTF-8", CORRUPT, t5=base[:-1] + b"\xff")
    yield variant("two-bases", "two files that tensors are changes of", CORRUPT, t5=base * 2)
    order = replace(good(), record_order=[3, 1, 7]).build()
    yield Bad("metadata-order", "tags that do not ascend", CORRUPT, order)
    twice = replace(good(), record_order=[1, 3, 3, 7]).build()
    yield Bad("metadata-twice", "a tag given twice", CORRUPT, twice)
    for name, predictor in (
        ("id", ("nosuch", 1, 0)),
        ("version", ("zstd", 99, 0)),
        ("coder", ("zstd", 1, 77)),
    ):
        data = replace(good(), predictors=[predictor]).build()
        yield Bad(f"predictor-{name}", f"a predictor nobody has: {predictor}", UNSUPPORTED, data)


def segments() -> Iterator[Bad]:
    def variant(
        name: str, intent: str, change: Callable[[Archive], None], error: str = CORRUPT
    ) -> Bad:
        archive = good()
        change(archive)
        return Bad(f"segment-{name}", intent, error, archive.build())

    def put(**fields: object) -> Callable[[Archive], None]:
        def change(archive: Archive) -> None:
            archive.segments[1] = replace(archive.segments[1], **fields)

        return change

    def first(length: int) -> int:
        return len(good().segments[1].raw()) + length

    yield variant("flags-8", "a reserved segment flag", put(flags=8), UNSUPPORTED)
    yield variant("flags-5", "a kept segment that goes on", put(flags=KEPT | AFTER))
    yield variant("after-zstd", "no segment goes on from one of zstd", put(flags=AFTER))
    alone = good()
    alone.segments[0].flags = AFTER
    yield Bad("segment-after-none", "segment 0 goes on from nothing", CORRUPT, alone.build())
    yield variant("settings", "zstd without its level", put(settings=b""), UNSUPPORTED)
    yield variant("seq", "the second segment says it is the third", put(seq=2))
    yield variant("predictor", "a predictor beyond the list", put(predictor=1))
    yield variant("raw-zero", "a raw length of 0", put(raw_len=0))
    yield variant("raw-longer", "a raw length that the chunks do not reach", put(raw_len=first(1)))
    yield variant("raw-shorter", "a raw length that the chunks pass", put(raw_len=first(-1)))
    yield variant("raw-huge", "a raw length above the bound", put(raw_len=2**40))
    coded = len(good().segments[1].build(1))
    yield variant("coded-short", "a coded length that cuts a chunk", put(coded_len=coded - 60))
    yield variant("no-chunks", "a segment without chunks", put(chunks=[], raw_len=1))
    swapped = good()
    built = [segment.build(number) for number, segment in enumerate(swapped.segments)]
    whole = swapped.build()
    at = len(swapped.header())
    rest = whole[at + len(built[0]) + len(built[1]) :]
    data = whole[:at] + built[1] + built[0] + rest
    yield Bad("segment-swapped", "two segments in each other's place", CORRUPT, data)
    yield Bad("segment-lost", "the first segment is gone", CORRUPT, whole[:at] + built[1] + rest)


def chunks() -> Iterator[Bad]:
    text = inputs.text(300)
    coded = coded_segment(ZSTD, LEVEL, [(CODED, text)]).chunks[0]

    def variant(name: str, intent: str, *parts: Chunk, error: str = CORRUPT, predictor=ZSTD) -> Bad:
        settings = LEVEL if predictor == ZSTD else b""
        archive = Archive([predictor], [Segment(0, settings, list(parts))], decoder_memory=MEMORY)
        return Bad(f"chunk-{name}", intent, error, archive.build())

    yield variant(
        "type-5", "a chunk type that nobody knows", Chunk(5, text, text), error=UNSUPPORTED
    )
    yield variant("type-4", "a copied chunk in a segment that is no copy", Chunk(COPIED, text, b""))
    yield variant("type-255", "the highest chunk type", Chunk(255, text, text), error=UNSUPPORTED)
    yield variant("payload-check", "a payload's check", replace(coded, payload_check=b"\1\2\3\4"))
    yield variant("raw-check", "the raw bytes' check", replace(coded, raw_check=b"12345678"))
    yield variant("garbage", "a payload that is no zstd", Chunk(CODED, text, b"garbage, not zstd"))
    yield variant("cut", "a payload that is cut", replace(coded, payload=coded.payload[:-9]))
    # A block more, which repeats one byte five times.
    yield variant(
        "extended", "a payload that goes on", replace(coded, payload=coded.payload + b"\x2a\0\0!")
    )
    # What zstd keeps for later, as the start of the next block.
    for count in (1, 2):
        longer = replace(coded, payload=coded.payload + bytes(count))
        yield variant(f"surplus-{count}", f"{count} bytes of a block behind the last", longer)
    yield variant("empty-payload", "a coded chunk without a payload", replace(coded, payload=b""))
    yield variant("raw-zero", "a raw length of 0", coded, Chunk(STORED, b"", b""))
    yield variant(
        "stored-short", "stored bytes fewer than the raw length", Chunk(STORED, text, text[:-1])
    )
    yield variant(
        "after-long", "type 3 with one byte too many", Chunk(STORED_AFTER_CODING, text, text + b"!")
    )
    yield variant("constant-two", "a constant of two bytes", Chunk(CONSTANT, b"a" * 50, b"aa"))
    yield variant("constant-other", "a constant of another byte", Chunk(CONSTANT, b"a" * 50, b"b"))
    yield variant(
        "not-shorter",
        "a coded chunk that is not shorter",
        Chunk(CODED, text[:9], coded.payload[:9]),
    )
    store_coded = Chunk(CODED, text, text[:-1])
    yield variant("store-coded", "a coded chunk of store", store_coded, predictor=STORE)

    def block(size: int, last: bool = False) -> bytes:
        """One that repeats a byte."""
        return (size << 3 | 2 | last).to_bytes(3, "little") + b"x"

    def frame(name: str, intent: str, payload: bytes) -> Bad:
        return variant(name, intent, Chunk(CODED, b"x" * 400, payload))

    start = bytes.fromhex("28b52ffd0058")
    skippable = bytes.fromhex("502a4d1803000000") + b"abc"
    # 128 KiB for 4 bytes.
    yield frame(
        "bomb", "a frame that decodes to far more than the raw length", start + block(2**17) * 91
    )
    yield frame("frame-ends", "a frame whose last block says so", start + block(400, True))
    two = start + block(200, True) + start + block(200)
    yield frame("two-frames", "a frame, its end, and another", two)
    yield frame("skippable", "a skippable frame first", skippable + start + block(400))
    yield frame(
        "window", "a frame with a window of 2^31 bytes", bytes.fromhex("28b52ffd00a8") + block(400)
    )


def copies() -> Iterator[Bad]:
    text = inputs.text(300)

    def variant(name: str, intent: str, error: str = CORRUPT, **fields: object) -> Bad:
        copy = Segment(0, varint(0) + varint(0), [Chunk(COPIED, text, b"")], flags=COPY)
        kept = coded_segment(ZSTD, LEVEL, [(CODED, text)])
        kept.flags = KEPT
        archive = Archive([ZSTD], [kept, replace(copy, **fields)], decoder_memory=MEMORY)
        return Bad(f"copy-{name}", intent, error, archive.build())

    yield variant("itself", "a copy of itself", settings=varint(0) + varint(1))
    yield variant("later", "a copy of what comes later", settings=varint(0) + varint(2))
    yield variant("kept", "a copy that is kept", flags=KEPT | COPY)
    yield variant("canary", "a copy with a canary", canary=1)
    yield variant("predictor", "a copy that names a predictor", predictor=1)
    yield variant("settings", "settings that go on", settings=varint(0) + varint(0) + b"x")
    yield variant("no-settings", "settings that end early", settings=varint(0))
    yield variant("source", "a copy of an archive that is not named", settings=varint(1) + b"\0")
    yield variant("coded", "a stored chunk in a copy", chunks=[Chunk(STORED, text, text)])
    yield variant("payload", "a copied chunk with a payload", chunks=[Chunk(COPIED, text, b"x")])
    yield variant("check", "other content", chunks=[Chunk(COPIED, text[::-1], b"")])
    yield variant("shorter", "a part of a segment", chunks=[Chunk(COPIED, text[:-1], b"")])
    two = [Chunk(COPIED, text, b""), Chunk(COPIED, b"!", b"")]
    yield variant("longer", "more than a segment has", chunks=two)
    plain = coded_segment(ZSTD, LEVEL, [(CODED, text)])
    copy = Segment(0, varint(0) + varint(0), [Chunk(COPIED, text, b"")], flags=COPY)
    again = replace(copy, settings=varint(0) + varint(1))
    plain_kept = replace(plain, flags=KEPT)
    for name, intent, segments in (
        ("of-not-kept", "a copy of a segment that is not kept", [plain, copy]),
        ("of-copy", "a copy of a copy", [plain_kept, copy, again]),
    ):
        data = Archive([ZSTD], segments, decoder_memory=MEMORY).build()
        yield Bad(f"copy-{name}", intent, CORRUPT, data)
    away = replace(copy, settings=varint(1) + varint(0))
    ref = bytes([4]) + bytes(32) + varint(300) + b"\x06away.x"
    archive = Archive([ZSTD], [away], decoder_memory=MEMORY, records={5: ref})
    intent = "a copy of an archive that is nowhere"
    yield Bad("copy-nowhere", intent, "ModelError", archive.build())


def embedded() -> Iterator[Bad]:
    """A model that the archive brings; what is no pack will do, since nothing asks for it."""
    pack = inputs.text(300)

    def record(length: int = len(pack), content: bytes = pack) -> bytes:
        return b"\x02" + sha256(content).digest() + varint(length) + b"\x04tiny"

    def variant(
        name: str, intent: str, *parts: Segment, record: bytes | None = record(), **changes: object
    ) -> Bad:
        archive = good()
        archive.model = list(parts)
        archive.predictors = [ZSTD, STORE, CM]
        archive.records[5] = record
        error = str(changes.pop("error", CORRUPT))
        return Bad(f"embedded-{name}", intent, error, archive.build())

    def stored(raw: bytes, **fields: object) -> Segment:
        return replace(Segment(1, b"", [Chunk(STORED, raw, raw)]), **fields)

    first, second = stored(pack[:200]), stored(pack[200:])
    both = (first, second)
    yield variant("none", "a model that is not there")
    yield variant("not-named", "a model that nothing names", *both, record=None)
    yield variant("less", "a model that ends early", first)
    yield variant("more", "a model that goes on", *both, second)
    yield variant("swapped", "parts in each other's place", second, first)
    yield variant("seq", "a part with another number", first, replace(second, seq=2))
    yield variant("huge", "a model said to be far longer", *both, record=record(2**30))
    yield variant("shorter", "a model said to be shorter", *both, record=record(299))
    yield variant("other", "another model", *both, record=record(300, b"another"))
    yield variant("kept", "a part that is kept", replace(first, flags=KEPT), second)
    yield variant("copy", "a part that is a copy", first, replace(second, flags=COPY, predictor=0))
    settings = _native.settings("cm", 1, 3, b"")
    by_cm = coded_segment(CM, settings, [(CODED, pack)], index=2)
    yield variant("predictor", "a part by a predictor that codes none", by_cm)
    flags = replace(first, flags=64)
    yield variant("flags", "a part with a flag that is reserved", flags, error=UNSUPPORTED)
    check = replace(first.chunks[0], payload_check=b"\1\2\3\4")
    yield variant("payload", "a part that is damaged", replace(first, chunks=[check]), second)
    check = replace(first.chunks[0], raw_check=b"12345678")
    yield variant("raw", "a part of other content", replace(first, chunks=[check]), second)
    whole = good()
    whole.model, whole.predictors, whole.records[5] = list(both), [ZSTD, STORE, CM], record()
    data = whole.build()
    for name, length in (("cut", len(whole.header()) + 90), ("cut-between", len(whole.header()))):
        yield Bad(f"embedded-{name}", "ends within its model", TRUNCATED, data[:length])
    here = b"\x01" + record()[1:]
    yield variant(
        "and-not", "a model that it brings and one that it does not", record=record() + here
    )


def ends() -> Iterator[Bad]:
    whole = good()
    entries = [
        varint(len(segment.build(number))) + varint(len(segment.raw())) + b"\0"
        for number, segment in enumerate(whole.segments)
    ]

    def index(name: str, intent: str, *changed: bytes) -> Bad:
        return Bad(
            f"index-{name}", intent, CORRUPT, replace(whole, index_entries=list(changed)).build()
        )

    def footer(name: str, intent: str, **fields: object) -> Bad:
        return Bad(f"footer-{name}", intent, CORRUPT, replace(whole, **fields).build())

    second = len(whole.segments[1].build(1)), len(whole.segments[1].raw())
    yield index("fewer", "one segment too few", entries[0])
    yield index("more", "one segment too many", *entries, entries[1])
    yield index("swapped", "entries in each other's place", entries[1], entries[0])
    yield index(
        "length", "another length", entries[0], varint(second[0] + 1) + varint(second[1]) + b"\0"
    )
    yield index(
        "raw-length",
        "another raw length",
        entries[0],
        varint(second[0]) + varint(second[1] + 1) + b"\0",
    )
    label = entries[0][:-1] + varint(4097) + b"n" * 4097
    yield index("label-long", "a label of 4,097 bytes", label, entries[1])
    not_utf8 = entries[0][:-1] + varint(2) + b"\xff\xfe"
    yield index("label-not-utf8", "a label that is not UTF-8", not_utf8, entries[1])
    yield footer("index-len", "another length of the index", index_len=7)
    yield footer("archive-len", "another length of the archive", archive_len=len(whole.build()) + 1)
    yield footer("hash", "another content hash", content_hash=bytes(32))
    built = bytearray(whole.build())
    built[-8:-4] = crc(b"something else")
    yield Bad("footer-check", "the footer's check", CORRUPT, bytes(built))
