"""Fuzzes everything that reads an archive: compress first, then damage or lie.

Usage: python tests/fuzz/container.py [--runs N | --seconds S] [--seed N] [--artifacts FOLDER]

Two kinds of input. *Damage* changes bytes of an honest archive: it must be refused or do no harm.
*Lies* are archives of `forge.py` whose checks are all right and one or a few of whose fields are
not: they must be refused, or decode to what their chunks hold. Nothing but an `LlmzError` may come
out, within a time and an address space that honest small archives need. Exits 1 at the first
failure, with the input left in the artifacts folder. Every run replays what is in seeds/container.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import forge

from llmzip import _native
from llmzip.archive import check_coded, read_archive, write_archive
from llmzip.errors import LlmzError, TruncatedError
from llmzip.file import LlmzFile
from llmzip.incremental import Decompressor
from llmzip.info import info
from llmzip.limits import Limits
from llmzip.options import Options
from llmzip.recovery import recover

HERE = Path(__file__).parent
MEMORY = 192 << 20  # what a reader may spend on one archive
OUTPUT = 8 << 20
HEADROOM = 768 << 20  # address space beyond the start: readers, their threads, this script
SLOW = 20  # seconds for one reader on one input
PIECE = 700
KEPT, COPY = 1, 2

# Values near which a length, a count or a shift goes wrong.
EDGES = sorted(
    {0, 3, 5, 1000, 10_001}
    | {
        (1 << bits) + off
        for bits in (7, 8, 14, 16, 20, 24, 31, 32, 40, 63, 64)
        for off in (-1, 0, 1)
    }
)


class Wrong(Exception):
    """A reader did what it must not."""


class Pipe(io.RawIOBase):
    """A source that cannot seek and gives few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        return self._data.readinto(memoryview(buffer)[:PIECE])


@dataclass(frozen=True)
class Honest:
    """Archives that llmzip wrote, one after the other, their content, and that of each segment.

    ``first`` is all of it that is left by a cut between two archives, which nobody can notice.
    """

    data: bytes
    content: bytes
    segments: tuple[bytes, ...]
    first: Honest | None = None


def limits() -> Limits:
    return Limits(decoder_memory=MEMORY, max_output=OUTPUT)


def through_file(data: bytes) -> bytes:
    """Reads with LlmzFile from the start to the end."""
    with LlmzFile(io.BytesIO(data), limits=limits()) as file:
        return file.read()


def after_a_seek(data: bytes) -> bytes:
    """Reads the second half with LlmzFile, then all.

    Whoever jumps cannot check what covers the whole archive, so this may accept what a reader from
    the start refuses.
    """
    with LlmzFile(io.BytesIO(data), limits=limits()) as file:
        half = file.seek(0, io.SEEK_END) // 2
        file.seek(half)
        tail = file.read()
        file.seek(0)
        whole = file.read()
    if whole[half:] != tail:
        raise Wrong("LlmzFile reads other bytes after a seek")
    return whole


def in_pieces(data: bytes) -> bytes:
    """Reads with a Decompressor that is fed little by little."""
    out = bytearray()
    decoder = Decompressor(limits=limits())
    for start in range(0, len(data), PIECE):
        out += decoder.decompress(data[start : start + PIECE])
        if decoder.eof:
            rest = decoder.unused_data + data[start + PIECE :]
            return bytes(out) + (in_pieces(rest) if rest else b"")
    raise TruncatedError("the Decompressor is not at the end")


def read_seekable(data: bytes) -> bytes:
    sink = io.BytesIO()
    read_archive(io.BytesIO(data), sink, threads=2, limits=limits())
    return sink.getvalue()


def read_pipe(data: bytes) -> bytes:
    sink = io.BytesIO()
    read_archive(io.BufferedReader(Pipe(data)), sink, threads=1, limits=limits())
    return sink.getvalue()


def attempt(what: str, call: Callable[[], bytes | object]) -> bytes | object | LlmzError:
    """The result of ``call``, or the LlmzError that it ended with; anything else is ``Wrong``."""

    def late(signum: int, frame: object) -> None:
        raise Wrong(f"{what} takes longer than {SLOW} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SLOW)
    try:
        return call()
    except LlmzError as error:
        text = str(error)
        if "\n" in text or not text:
            raise Wrong(f"{what} says {text!r}, which is not one line") from error
        return error
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(f"{what} raises {type(error).__name__}: {error}") from error
    finally:
        signal.alarm(0)


def check(data: bytes, content: bytes | None, segments: tuple[bytes, ...] | None) -> str:
    """Gives ``data`` to every reader. Raises ``Wrong``; returns what became of it, for the count.

    ``content`` is the only content that may come out (None: any, the same from every reader);
    ``segments``, where given, the only pieces that `recover` may write.
    """
    first = attempt("read_archive", lambda: read_seekable(data))
    if content is None and isinstance(first, bytes):
        content = first
    readers = {
        "read_archive from a pipe": lambda: read_pipe(data),
        "LlmzFile": lambda: through_file(data),
        "Decompressor": lambda: in_pieces(data),
    }
    for what, reader in readers.items():
        got = attempt(what, reader)
        if isinstance(got, bytes) and got != content:
            raise Wrong(f"{what} gives wrong bytes")
        if isinstance(first, LlmzError) != isinstance(got, LlmzError):
            raise Wrong(f"read_archive says {first!r:.80}, but {what} {got!r:.80}")
    got = attempt("LlmzFile after a seek", lambda: after_a_seek(data))
    if got != content and not isinstance(got, LlmzError):
        raise Wrong("LlmzFile after a seek gives wrong bytes")
    if isinstance(got, LlmzError) and not isinstance(first, LlmzError):
        raise Wrong(f"read_archive accepts it, but LlmzFile after a seek says {got}")
    coded = attempt("check_coded", lambda: check_coded(io.BytesIO(data)))
    listed = attempt("info", lambda: info(io.BytesIO(data)))
    sink = io.BytesIO()
    attempt("recover", lambda: recover(io.BytesIO(data), sink, threads=1, limits=limits()))
    if segments is not None:
        left = sink.getvalue()
        for segment in segments:
            left = left.removeprefix(segment)
        if left:
            raise Wrong("recover writes bytes that no segment held")
    if isinstance(first, LlmzError):
        return first.kind
    if first != content:
        raise Wrong("read_archive gives wrong bytes")
    for what, result in (("check_coded", coded), ("info", listed)):
        if isinstance(result, LlmzError):
            raise Wrong(f"read_archive accepts it, but {what} says {result}")
    return "harmless"


def content_of(rng: random.Random, size: int) -> bytes:
    """Content that has text, runs, records and noise in it."""
    words = ["the ", "quick ", "segment ", "of ", "an ", "archive, ", "0x1f ", "\n", "Ελλάς "]
    out = bytearray()
    while len(out) < size:
        match rng.randrange(4):
            case 0:
                out += "".join(rng.choices(words, k=40)).encode()
            case 1:
                out += bytes([rng.randrange(256)]) * rng.randrange(1, 400)
            case 2:
                out += b"".join(i.to_bytes(4, "little") + b"\0\1" for i in range(30))
            case _:
                out += rng.randbytes(rng.randrange(1, 120))
    return bytes(out[:size])


def honest_archives(rng: random.Random) -> list[Honest]:
    """Archives of each predictor and of the route by level: alone, and two in a row."""
    made = []
    plans = [(3, name) for name, _, _ in _native.predictors()] + [(1, None), (3, None)]
    for level, name in plans:
        parts, joined, before = [], b"", None
        for size in (1800, rng.randrange(1, 900)):
            content = content_of(rng, size)
            sink = io.BytesIO()
            options = Options(level=level, predictor=name, segment_size=700, threads=1)
            write_archive(io.BytesIO(content), sink, options)
            joined += sink.getvalue()
            parts += [content[at : at + 700] for at in range(0, size, 700)]
            before = Honest(joined, b"".join(parts), tuple(parts), before)
            made.append(before)
    empty = io.BytesIO()
    write_archive(io.BytesIO(b""), empty, Options())
    return [*made, Honest(empty.getvalue(), b"", ())]


def damage(rng: random.Random, data: bytes) -> bytes:
    """Between one and three changes to the bytes."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(7):
            case 0 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(out):
                out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                out[at : at + rng.randrange(1, 40)] = b""
            case 3:
                out[at:at] = rng.randbytes(rng.randrange(1, 12))
            case 4:
                end = min(len(out), at + rng.randrange(1, 64))
                out[at:end] = rng.randbytes(end - at)
            case 5:
                del out[at:]
            case _:
                end = min(len(out), at + rng.randrange(1, 64))
                out[at:end] = bytes(end - at)
    return bytes(out)


def forged(rng: random.Random) -> forge.Archive:
    """A truthful archive built by hand: every chunk type, any predictor, copies."""
    registry = _native.predictors()
    segments = []
    for seq in range(rng.randrange(1, 4)):
        number = rng.randrange(len(registry))
        name, version, _ = registry[number]
        pieces = [content_of(rng, rng.randrange(1, 600)) for _ in range(rng.randrange(1, 4))]
        size = sum(map(len, pieces))
        settings = _native.settings(name, version, 3, pieces[0])
        encoder = _native.Encoder(name, version, settings, size)
        chunks = []
        for piece in pieces:
            if rng.random() < 0.2:
                constant = piece[:1]
                chunks.append(forge.Chunk(2, constant, constant * len(piece)))
                continue
            if rng.random() < 0.1:
                chunks.append(forge.Chunk(0, piece, piece))
                continue
            encoder.write(piece)
            coded = encoder.finish_chunk()
            kind = 1 if len(coded) < len(piece) else 3
            chunks.append(forge.Chunk(kind, coded if kind == 1 else piece, piece))
        # The canary covers what the predictor saw; with fewer bytes than it wants, all of them.
        segments.append(
            forge.Segment(chunks, seq, number, canary=encoder.canary, settings=settings)
        )
    while rng.random() < 0.4 and len(segments) < 7:
        original = rng.choice([segment for segment in segments if segment.flags != COPY])
        original.flags = KEPT
        parts = [
            forge.Chunk(4, b"", part)
            for chunk in original.chunks
            for half in [rng.randrange(1, len(chunk.raw) + 1)]
            for part in (chunk.raw[:half], chunk.raw[half:])
            if part
        ]
        settings = forge.varint(0) + forge.varint(original.seq)
        copy = forge.Segment(parts, len(segments), flags=COPY, settings=settings)
        segments.append(copy)
    names = b"".join(
        bytes([len(name)]) + name.encode() + forge.varint(version) + bytes([coder])
        for name, version, coder in registry
    )
    return forge.Archive(segments, predictors=names, bounds=(4096, 1024, MEMORY))


def lie(rng: random.Random, archive: forge.Archive) -> str:
    """Changes one field of ``archive``; returns its name."""
    edge = rng.choice(EDGES)
    segment = rng.choice(archive.segments)
    chunk = rng.choice(segment.chunks)
    near = rng.choice((edge, edge, segment.true_raw_len + rng.choice((-1, 1))))
    choices: dict[str, Callable[[], None]] = {
        "major": lambda: setattr(archive, "major", edge & 0xFF),
        "minor": lambda: setattr(archive, "minor", edge & 0xFF),
        "incompatible flags": lambda: setattr(archive, "incompatible", edge & 0xFF),
        "compatible flags": lambda: setattr(archive, "compatible", edge & 0xFF),
        "meta_len": lambda: setattr(archive, "meta_len", edge & 0xFFFF),
        "level": lambda: setattr(archive, "level", edge),
        "predictors": lambda: setattr(archive, "predictors", damage(rng, archive.predictors)),
        "bounds": lambda: setattr(
            archive, "bounds", tuple(rng.choice((value, edge)) for value in archive.bounds)
        ),
        "extra record": lambda: archive.extra.append(
            (rng.choice((2, 4, 5, 6, 8, 9, 11, 300, edge)), rng.randbytes(rng.randrange(40)))
        ),
        "count": lambda: setattr(archive, "count", edge),
        "index_len": lambda: setattr(archive, "index_len", edge & 0xFFFFFFFF),
        "archive_len": lambda: setattr(archive, "archive_len", edge & (1 << 64) - 1),
        "content_hash": lambda: setattr(archive, "content_hash", rng.randbytes(32)),
        "entries": lambda: setattr(
            archive, "entries", [(edge, near, b"x" * (edge % 5000)) for _ in archive.segments]
        ),
        "label": lambda: setattr(segment, "label", rng.randbytes(edge % 5000)),
        "seq": lambda: setattr(segment, "seq", edge),
        "predictor": lambda: setattr(segment, "predictor", edge),
        "flags": lambda: setattr(segment, "flags", rng.choice((KEPT, COPY, KEPT | COPY, edge))),
        "copy": lambda: setattr(
            segment,
            "settings",
            forge.varint(rng.randrange(3)) + forge.varint(rng.choice((0, edge))),
        ),
        "canary": lambda: setattr(segment, "canary", edge & 0xFFFFFFFF),
        "settings": lambda: setattr(segment, "settings", rng.randbytes(rng.randrange(12))),
        "segment raw_len": lambda: setattr(segment, "raw_len", near),
        "segment coded_len": lambda: setattr(segment, "coded_len", near),
        "chunk kind": lambda: setattr(chunk, "kind", rng.choice((0, 1, 2, 3, 4, 5, 255))),
        "chunk raw_len": lambda: setattr(chunk, "raw_len", near),
        "chunk coded_len": lambda: setattr(chunk, "coded_len", near),
        "chunk payload": lambda: setattr(chunk, "payload", damage(rng, chunk.payload)),
        "chunk check": lambda: setattr(chunk, "check", rng.randbytes(8)),
        "no chunks": lambda: segment.chunks.clear(),
        "no segments": archive.segments.clear,
        "twice the segment": lambda: archive.segments.append(segment),
    }
    name = rng.choice(sorted(choices))
    choices[name]()
    return name


def one_case(number: int, seed: int, honest: list[Honest]) -> tuple[str, bytes, bytes, object]:
    """The input of a case: what it is, its bytes, the content allowed, the segments allowed."""
    rng = random.Random(f"{seed}:{number}")
    if number % 3 == 0:
        base = rng.choice(honest)
        data = damage(rng, base.data)
        if base.first is not None and data == base.first.data:
            base = base.first
        return "damage", data, base.content, base.segments
    archive = forged(rng)
    told = []
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2))):
        if all(segment.chunks for segment in archive.segments) and archive.segments:
            told.append(lie(rng, archive))
    content = b"".join(chunk.raw for segment in archive.segments for chunk in segment.chunks)
    return "lie: " + ", ".join(told or ["none"]), archive.pack(_native.xxh3_128), content, None


def parse(artifacts: Path = HERE / "artifacts" / "container") -> argparse.Namespace:
    """The command line's options; `artifacts` is where inputs are left that failed."""
    parser = argparse.ArgumentParser(description="fuzzes the readers of archives")
    parser.add_argument("--runs", type=int, help="cases [no limit]")
    parser.add_argument("--seconds", type=float, help="time [no limit]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--artifacts", type=Path, default=artifacts)
    return parser.parse_args()


def main() -> int:
    """Command line; see the module's text."""
    asked = parse()
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + HEADROOM, used + HEADROOM))
    honest = honest_archives(random.Random(asked.seed))
    for base in honest:
        if check(base.data, base.content, base.segments) != "harmless":
            print("an honest archive is refused", file=sys.stderr)
            return 1
    for seed in sorted((HERE / "seeds" / "container").iterdir()):
        try:
            check(seed.read_bytes(), None, None)
        except Wrong as error:
            print(f"{seed}: {error}", file=sys.stderr)
            return 1
    end = time.monotonic() + asked.seconds if asked.seconds is not None else float("inf")
    counts: Counter[str] = Counter()
    number = 0
    while (asked.runs is None or number < asked.runs) and time.monotonic() < end:
        what, data, content, segments = one_case(number, asked.seed, honest)
        try:
            outcome = check(data, content, segments)
            if what == "lie: none" and outcome != "harmless":
                raise Wrong(f"a truthful archive is refused as {outcome}")
        except Wrong as error:
            asked.artifacts.mkdir(parents=True, exist_ok=True)
            left = asked.artifacts / f"{asked.seed}-{number}.llmz"
            left.write_bytes(data)
            print(f"case {number}, seed {asked.seed} ({what}): {error}; {left}", file=sys.stderr)
            return 1
        counts[outcome] += 1
        number += 1
    print(
        f"{number} cases: " + ", ".join(f"{count} {name}" for name, count in counts.most_common())
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
