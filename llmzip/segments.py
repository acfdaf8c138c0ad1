"""One segment, coded and decoded: the unit that any cluster engine can map over.

`encode_segment` and `decode_segment` are pure functions of bytes and picklable settings. A segment
carries its own header and checks, but not the list of predictors that its header refers to: that
is `SegmentSettings.predictors`, which both sides must have alike; an archive has it as metadata.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import BytesIO

from llmzip import _native, container, route
from llmzip.container import ChunkHead, CopyOf, PredictorRef, SegmentHeader
from llmzip.errors import (
    CorruptError,
    LimitError,
    LlmzError,
    ModelError,
    PredictionMismatch,
    UnsupportedError,
    UsageError,
    VerifyError,
)
from llmzip.limits import Limits
from llmzip.options import DEFAULT_LEVEL, check_model, load_model
from llmzip.preamble import EncoderPreamble, Preamble
from llmzip.record import Record
from llmzip.streams import read_exactly
from llmzip.walk import ANY_BOUNDS, Chunk, SegmentStart, pull, walk_alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, TypeAlias

    from llmzip.models.loaded import AnyLoaded
    from llmzip.streams import Readable

    class Sources(Protocol):
        """What segments take from elsewhere; `llmzip.sources` has the one of readers."""

        def read_base(self, offset: int, length: int) -> bytes:
            """Content of the base file; less where it ends."""

        def copied(self, header: SegmentHeader) -> Readable:
            """Reads what the segment with this header is a copy of, from its start on."""

        def model(self) -> AnyLoaded:
            """The language model that predicts."""


Tick: TypeAlias = Callable[[int, int], None]
"""Called with the raw and the coded bytes done since the last call; may raise to end the work."""

_CANARY_BYTES = 64
_DIGEST_ITEM = 24
# What reports call a copy, which no predictor codes; and what reading one holds.
_COPY = PredictorRef("copy", 0, 0)
_COPY_MEMORY = 2 * container.MAX_CHUNK


def no_tick(raw: int, coded: int) -> None:
    """A `Tick` that does nothing."""


class SegmentSettings(Record):
    """How a segment is coded, and what its header refers to.

    level: 1 (fastest) to 9 (smallest).
    predictor: id of the predictor to use, or None to choose by content.
    seq: the segment's number.
    verify: decode the segment after coding it and compare.
    model: as in `Options`; decoding needs it as well.
    predictors: what the header's predictor number counts in; what `level` and `predictor` ask of
        this build when empty.
    """

    level: int = DEFAULT_LEVEL
    predictor: str | None = None
    seq: int = 0
    verify: bool = True
    predictors: tuple[PredictorRef, ...] = ()
    model: str | None = None

    def __post_init__(self) -> None:
        if self.model is not None:
            check_model(self.level, self.predictor)
        if not 1 <= self.level <= 9:
            raise UsageError(f"level {self.level}: levels go from 1 to 9")
        if self.seq < 0:
            raise UsageError(f"segment number {self.seq}: must not be negative")
        if not self.predictors:
            found = route.candidates(
                self.level, self.predictor, models=("llm", "circuit") if self.model else ()
            )
            object.__setattr__(self, "predictors", found)


class Encoded(Record):
    """A coded segment: `data` is header and chunks, `digests` what the content hash takes."""

    data: bytes | memoryview
    raw_len: int
    predictor: PredictorRef
    memory: int
    digests: bytes


def encode_segment(data: bytes | bytearray | memoryview, settings: SegmentSettings) -> bytes:
    """Codes `data` (not empty) as one segment: header and chunks.

    Raises `UsageError` for what cannot be coded, `VerifyError` if it does not decode to `data`.
    """
    content = bytes(data)
    if not content:
        raise UsageError("a segment has at least one byte of content")
    model = load_model(settings.model)
    choice = route.choose(content, settings.level, settings.predictor, model)
    if choice.predictor not in settings.predictors:
        raise UsageError(f"predictor {choice.predictor.id!r} is not among the settings' predictors")
    index = settings.predictors.index(choice.predictor)
    encoded = encode(content, choice, settings.seq, index, model=model)
    if settings.verify:
        verify(encoded, content, settings.predictors, sources=Alone(model))
    return bytes(encoded.data)


class Alone(Record):
    """What a segment without an archive takes from elsewhere: a model, if it has one."""

    given: AnyLoaded | None

    def read_base(self, offset: int, length: int) -> bytes:
        """There is no base."""
        raise ModelError("the segment is a change of a file that is not at hand")

    def copied(self, header: SegmentHeader) -> Readable:
        """There is nothing to copy."""
        raise ModelError(f"segment {header.seq} is a copy of what is not at hand")

    def model(self) -> AnyLoaded:
        """The model of the settings."""
        if self.given is None:
            raise ModelError("the segment needs a model, and its settings name none")
        return self.given


def decode_segment(
    coded: bytes | bytearray | memoryview, settings: SegmentSettings, limits: Limits | None = None
) -> bytes:
    """The content of what `encode_segment` made with `settings`.

    Raises `CorruptError`, `PredictionMismatch`, `UnsupportedError` or `LimitError`.
    """
    limits = limits or Limits()
    content = bytearray()
    sources = Alone(load_model(settings.model))
    for chunk in decode(bytes(coded), settings.predictors, limits, settings.seq, sources=sources):
        content += chunk
    return bytes(content)


# Some tokens of a language model.
_LEAST_PIECE = 64


class _Pace:
    """Cuts work into pieces that take a moment each, so that progress and ctrl-C stay alive."""

    def __init__(self, *, slow: bool = False) -> None:
        self._size = _LEAST_PIECE if slow else 4096

    def pieces(self, length: int) -> Iterator[tuple[int, int]]:
        at = 0
        while at < length:
            end = min(at + self._size, length)
            began = time.monotonic()
            yield at, end
            spent = time.monotonic() - began
            if spent < 0.02:
                self._size = min(self._size * 2, container.MAX_CHUNK)
            elif spent > 0.1:
                self._size = max(self._size // 2, _LEAST_PIECE)
            at = end


def encode(
    data: bytes | memoryview,
    choice: route.Choice,
    seq: int,
    index: int,
    tick: Tick = no_tick,
    base: bytes | None = None,
    *,
    kept: bool = False,
    model: AnyLoaded | None = None,
    preamble: EncoderPreamble | None = None,
) -> Encoded:
    """Codes `data` with `choice`, which is number `index` among the archive's predictors.

    base: what it is a change of, where `choice` says so; as long as `data`.
    kept: whether later segments of the archive are copies of it.
    model: what predicts, where `choice` needs one.
    preamble: where segments start from the state after segment 0, which comes first.
    """
    ref = choice.predictor
    if route.in_a_moment(choice) and not (
        len(data) <= container.MAX_CHUNK and route.is_constant(data)
    ):
        encoder = route.new_encoder(ref, choice.settings, len(data))
        if base is not None:
            encoder.set_base(base)
        made, digests = encoder.encode_segment(data, seq, index, choice.settings, kept)
        coded = memoryview(made)
        tick(len(data), len(coded))
        return Encoded(coded, len(data), ref, route.memory(choice, len(data)), digests)
    return _encode_paced(bytes(data), choice, seq, index, tick, base, kept, model, preamble)


def _encode_paced(
    data: bytes,
    choice: route.Choice,
    seq: int,
    index: int,
    tick: Tick,
    base: bytes | None,
    kept: bool,
    model: AnyLoaded | None,
    preamble: EncoderPreamble | None,
) -> Encoded:
    """Chunk by chunk, with a report every moment."""
    ref = choice.predictor
    pace = _Pace()
    encoder: _native.Encoder | None = None
    if preamble is not None and model is not None:
        first = seq == 0
        encoder = (
            preamble.first(choice, len(data), route.language(model))
            if first
            else preamble.after(len(data))
        )
    chunks: list[bytes] = []
    digests: list[bytes] = []
    for start in range(0, len(data), container.MAX_CHUNK):
        raw = data[start : start + container.MAX_CHUNK]
        told = 0
        # A predictor of tensors has to know where it is: it passes over no chunk but the only one.
        constant = route.is_constant(raw) and (len(raw) == len(data) or not route.counts(choice))
        if constant:
            kind, payload = container.CONSTANT, raw[:1]
            tick(len(raw), 0)
        elif ref.id == "store":
            kind, payload = container.STORED, raw
            tick(len(raw), 0)
        else:
            if encoder is None:
                encoder = route.new_encoder(ref, choice.settings, len(data))
                if base is not None:
                    encoder.set_base(base)
                if model is not None and route.needs_model(ref):
                    model.give(encoder, route.is_language(ref))
                encoder.look_ahead(data)
            counted = 0
            for at, end in pace.pieces(len(raw)):
                encoder.write(raw[at:end])
                more = True
                while more:
                    more = encoder.work(end == len(raw))
                    told, before = encoder.coded_so_far, told
                    counted, so_far = end - encoder.waiting, counted
                    tick(counted - so_far, told - before)
            kind, payload = container.CODED, encoder.finish_chunk()
            if len(payload) >= len(raw):
                kind, payload = container.STORED_AFTER_CODING, raw
        digest = _native.xxh3_128(raw)
        head = container.build_chunk_head(
            ChunkHead(kind, len(raw), len(payload), _native.crc32(payload), digest[:8])
        )
        tick(0, len(head) + len(payload) - told)
        chunks += (head, payload)
        digests.append(len(raw).to_bytes(8, "little") + digest)
    body = b"".join(chunks)
    canary = encoder.canary if encoder else 0
    flags = container.KEPT if kept else container.AFTER if preamble is not None and seq else 0
    header = container.build_segment_header(
        SegmentHeader(seq, index, len(data), len(body), canary, choice.settings, flags)
    )
    tick(0, len(header))
    memory = route.memory(choice, len(data), model)
    return Encoded(header + body, len(data), ref, memory, b"".join(digests))


def encode_copy(data: bytes, of: CopyOf, seq: int, tick: Tick = no_tick) -> Encoded:
    """A segment that repeats the content `data`, which is that of `of`."""
    chunks: list[bytes] = []
    digests: list[bytes] = []
    for start in range(0, len(data), container.MAX_CHUNK):
        raw = data[start : start + container.MAX_CHUNK]
        digest = _native.xxh3_128(raw)
        chunks.append(
            container.build_chunk_head(ChunkHead(container.COPIED, len(raw), 0, 0, digest[:8]))
        )
        digests.append(len(raw).to_bytes(8, "little") + digest)
        tick(len(raw), len(chunks[-1]))
    body = b"".join(chunks)
    settings = container.build_copy_of(of)
    header = container.build_segment_header(
        SegmentHeader(seq, 0, len(data), len(body), 0, settings, container.COPY)
    )
    tick(0, len(header))
    return Encoded(header + body, len(data), _COPY, _COPY_MEMORY, b"".join(digests))


class SegmentDecoder:
    """Decodes one segment, chunk by chunk, and checks everything before it hands bytes out."""

    def __init__(
        self,
        start: SegmentStart,
        tick: Tick = no_tick,
        sources: Sources | None = None,
        preamble: Preamble | None = None,
    ) -> None:
        self._start = start
        self._preamble = preamble
        self._sources = sources
        self._original: Readable | None = None
        self._tick = tick
        self._pace = _Pace(slow=route.is_language(start.predictor))
        self._native: _native.Decoder | None = None
        self._seen = 0
        self._left = start.header.raw_len

    def decode(self, chunk: Chunk) -> tuple[bytes, bytes]:
        """The raw bytes of the next chunk, and the 24 bytes that it adds to the content hash."""
        head, payload = chunk.head, chunk.payload
        self._left -= head.raw_len
        if head.type == container.CONSTANT:
            raw = payload * head.raw_len
            self._tick(len(raw), len(payload))
        elif head.type == container.STORED:
            raw = payload
            self._tick(len(raw), len(payload))
        elif head.type == container.COPIED:
            raw = self._copied(chunk)
        else:
            raw = self._predicted(chunk)
        digest = _native.xxh3_128(raw)
        if digest[:8] != head.check:
            what = "a chunk does not decode to what was coded"
            if head.type == container.COPIED:
                what = "what the segment repeats is not what it was when it was compressed"
            raise self._damaged(what, chunk)
        first = self._preamble
        if not self._left and first and first.wanted and not self._start.header.is_after:
            # Others may start as soon as the last chunk is right.
            first.reach(self._native or self._new())
        return raw, head.raw_len.to_bytes(8, "little") + digest

    def finish(self) -> None:
        """To be called after the last chunk."""
        if self._seen < _CANARY_BYTES:
            self._check_canary()

    def _new(self) -> _native.Decoder:
        header, ref = self._start.header, self._start.predictor
        if header.is_after:
            return _preamble_of(header.seq, self._preamble).decoder(self._start)
        decoder = route.new_decoder(ref, header.settings, header.raw_len)
        offset = route.base_offset(ref, header.settings)
        if offset is not None:
            # Asked for here, for a chunk that needs it: stored and constant ones do not.
            if self._sources is None:
                raise ModelError(f"segment {header.seq} is a change of a file that is not at hand")
            content = self._sources.read_base(offset, header.raw_len)
            if len(content) < header.raw_len:
                raise CorruptError("a change of what the base does not have", segment=header.seq)
            decoder.set_base(content)
        if route.needs_model(ref):
            _model_of(header.seq, self._sources).give(decoder, route.is_language(ref))
        return decoder

    def _copied(self, chunk: Chunk) -> bytes:
        if self._original is None:
            header = self._start.header
            if self._sources is None:
                raise ModelError(f"segment {header.seq} is a copy of what is not at hand")
            self._original = self._sources.copied(header)
        raw = read_exactly(self._original, chunk.head.raw_len)
        if len(raw) < chunk.head.raw_len:
            raise self._damaged("a copy of what is not there", chunk)
        self._tick(len(raw), 0)
        return raw

    def _predicted(self, chunk: Chunk) -> bytes:
        header, ref = self._start.header, self._start.predictor
        coded = chunk.head.type == container.CODED
        if coded and route.at_once(ref):
            return self._at_once(chunk)
        first = min(max(_CANARY_BYTES - self._seen, 0), chunk.head.raw_len)
        try:
            if self._native is None:
                self._native = self._new()
            if coded:
                self._native.begin_chunk(chunk.payload)
            parts = list(self._advance(self._native, chunk, 0, first))
            if self._seen == _CANARY_BYTES or (first and not self._left):
                self._check_canary()
            parts += self._advance(self._native, chunk, first, chunk.head.raw_len)
            if coded:
                self._native.end_chunk()
        except _native.CorruptData as error:
            raise self._damaged(str(error), chunk) from None
        except _native.UnsupportedData as error:
            raise newer(header.seq, error) from None
        self._tick(0, len(chunk.payload))
        return b"".join(parts)

    def _at_once(self, chunk: Chunk) -> bytes:
        header = self._start.header
        if header.canary:
            raise PredictionMismatch(header.seq)
        try:
            if self._native is None:
                self._native = self._new()
            raw = self._native.decode_chunk(chunk.payload, chunk.head.raw_len)
        except _native.CorruptData as error:
            raise self._damaged(str(error), chunk) from None
        except _native.UnsupportedData as error:
            raise newer(header.seq, error) from None
        self._seen += len(raw)
        self._tick(len(raw), len(chunk.payload))
        return raw

    def _advance(
        self, decoder: _native.Decoder, chunk: Chunk, begin: int, stop: int
    ) -> Iterator[bytes]:
        for start, end in self._pace.pieces(stop - begin):
            if chunk.head.type == container.CODED:
                piece = decoder.read(end - start)
            else:
                piece = chunk.payload[begin + start : begin + end]
                decoder.train(piece)
            self._tick(len(piece), 0)
            yield piece
        self._seen += stop - begin

    def _check_canary(self) -> None:
        found = self._native.canary if self._native else 0
        if found != self._start.header.canary:
            raise PredictionMismatch(self._start.header.seq)

    def _damaged(self, what: str, chunk: Chunk) -> CorruptError:
        return CorruptError(what, offset=chunk.offset, segment=chunk.segment)


def _preamble_of(seq: int, preamble: Preamble | None) -> Preamble:
    if preamble is None:
        raise CorruptError("it starts from the state after segment 0, which is lost", segment=seq)
    return preamble


def _model_of(seq: int, sources: Sources | None) -> AnyLoaded:
    if sources is None:
        raise ModelError(f"segment {seq} needs a model that is not at hand")
    return sources.model()


def decoding_memory(
    start: SegmentStart, sources: Sources | None, preamble: Preamble | None = None
) -> int:
    """As `segment_memory`, with the model that it needs and the state that it starts from."""
    if start.header.is_after:
        first = _preamble_of(start.header.seq, preamble)
        first.check(start)
        own = first.own_memory(route.language(_model_of(start.header.seq, sources)))
        return own + decoding_memory(first.start, sources)
    memory = segment_memory(start)
    if start.header.is_copy or not route.needs_model(start.predictor):
        return memory
    return memory + _model_of(start.header.seq, sources).memory(start.header.settings)


def segment_memory(start: SegmentStart) -> int:
    """Bytes of memory that decoding the segment takes; `UnsupportedError` if it cannot be.

    A model is not counted.
    """
    if start.header.is_copy:
        return _COPY_MEMORY
    route.require(start.predictor)
    try:
        choice = route.Choice(start.predictor, start.header.settings)
        return route.memory(choice, start.header.raw_len)
    except _native.UnsupportedData as error:
        raise newer(start.header.seq, error) from None


def newer(seq: int, error: Exception) -> UnsupportedError:
    """The error for a segment with settings that this build does not know."""
    return UnsupportedError(f"segment {seq} needs a newer llmzip: {error}")


def decode(
    coded: bytes | memoryview,
    predictors: tuple[PredictorRef, ...],
    limits: Limits,
    seq: int | None,
    tick: Tick = no_tick,
    sources: Sources | None = None,
    preamble: Preamble | None = None,
) -> Iterator[bytes]:
    """The content of the coded segment, chunk by chunk."""
    source = BytesIO(coded)
    decoder: SegmentDecoder | None = None
    for event in pull(source, walk_alone(0, predictors, ANY_BOUNDS, seq)):
        if isinstance(event, SegmentStart):
            check_memory(decoding_memory(event, sources, preamble), limits)
            if limits.max_output is not None:
                check_output(event.header.raw_len, limits.max_output)
            decoder = SegmentDecoder(event, tick, sources, preamble)
        elif isinstance(event, Chunk) and decoder:
            yield decoder.decode(event)[0]
        elif decoder:
            decoder.finish()
    if source.tell() != len(coded):
        raise CorruptError("bytes follow the end of the segment", offset=source.tell())


def check_memory(asked: int, limits: Limits) -> None:
    """Raises `LimitError` where decoding one segment takes more than `limits` allow."""
    if asked > limits.decoder_memory:
        raise LimitError(
            "memory to decode a segment", asked, limits.decoder_memory, "raise it with -M"
        )


def check_output(asked: int, allowed: int) -> None:
    """Raises `LimitError` where the content is larger than `allowed` bytes."""
    if asked > allowed:
        raise LimitError("output", asked, allowed, "raise it with max_output=")


def verify(
    encoded: Encoded,
    content: bytes | memoryview,
    predictors: tuple[PredictorRef, ...],
    tick: Tick = no_tick,
    sources: Sources | None = None,
    preamble: Preamble | None = None,
) -> None:
    """Decodes `encoded` as a reader would; `VerifyError` unless it gives `content`."""
    at = 0
    limits = Limits(decoder_memory=encoded.memory)
    try:
        for chunk in decode(encoded.data, predictors, limits, None, tick, sources, preamble):
            if bytes(content[at : at + len(chunk)]) != chunk:
                raise CorruptError(f"content differs from byte {at:,}")
            at += len(chunk)
    except LlmzError as error:
        raise VerifyError(
            f"what was coded does not decode to the input, nothing was kept: {error}; "
            "test this machine's memory, and report it if it happens again"
        ) from error
    if at != len(content):
        raise VerifyError("what was coded decodes to less than the input, nothing was kept")
