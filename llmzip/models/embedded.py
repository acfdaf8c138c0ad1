"""The model that an archive brings: its pack, in parts between the header and the first segment."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO

from llmzip import container, route
from llmzip.errors import CorruptError, LimitError
from llmzip.segments import SegmentDecoder, check_memory, encode, segment_memory, verify
from llmzip.streams import From
from llmzip.walk import Chunk, ModelPart, SegmentEnd, SegmentStart, Tape, pull, walk_model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from llmzip.container import Header, ModelRef, PredictorRef
    from llmzip.limits import Limits

# Bytes of a part. A pack's weights are near to noise: zstd leaves 93 %, `tensor` 92 %.
_PART = 4 << 20
_LEVEL = 3
_IN_IT = "the model that the archive brings"


def parts(pack: bytes, predictors: tuple[PredictorRef, ...], *, check: bool) -> Iterator[bytes]:
    """The records that hold `pack`, in order; `predictors` are the archive's, zstd among them.

    check: whether each is decoded and compared. Raises `VerifyError`.
    """
    zstd = coder()
    index = predictors.index(zstd)
    choice = route.Choice(zstd, bytes([_LEVEL]))
    for number, at in enumerate(range(0, len(pack), _PART)):
        content = pack[at : at + _PART]
        encoded = encode(content, choice, number, index)
        if check:
            verify(encoded, content, predictors)
        data = bytes(encoded.data)
        size = container.SEGMENT_PREFIX_LEN + data[container.SEGMENT_PREFIX_LEN - 1] + 4
        header = container.parse_segment_header(data[:size], 0)
        yield container.build_segment_header(header, container.MODEL_SYNC) + data[size:]


def coder() -> PredictorRef:
    """The predictor that codes parts."""
    found = route.newest("zstd")
    assert found is not None
    return found


class Collector:
    """Puts a pack together out of its parts, and checks it. Holds no more than was decoded.

    Raises `LimitError` where the pack is larger than `limits` allow.
    """

    def __init__(self, ref: ModelRef, limits: Limits) -> None:
        if ref.length > limits.decoder_memory:
            what, most = f"memory for {_IN_IT}", limits.decoder_memory
            raise LimitError(what, ref.length, most, "raise it with -M")
        self._ref = ref
        self._limits = limits
        self._data = BytesIO()
        self._hash = sha256()
        self._decoder: SegmentDecoder | None = None

    def take(self, part: ModelPart) -> None:
        """The next part; raises as decoding a segment does."""
        event = part.event
        try:
            if isinstance(event, SegmentStart):
                check_memory(segment_memory(event), self._limits)
                self._decoder = SegmentDecoder(event)
            elif isinstance(event, Chunk) and self._decoder:
                raw, _ = self._decoder.decode(event)
                self._hash.update(raw)
                self._data.write(raw)
            elif isinstance(event, SegmentEnd) and self._decoder:
                self._decoder.finish()
                if self._data.tell() == self._ref.length:
                    self._check()
        except CorruptError as error:
            raise CorruptError(f"{_IN_IT}: {error.args[0]}", offset=error.offset) from None

    def pack(self) -> bytes:
        """The pack, once all parts were taken; `CorruptError` where it is another one."""
        self._check()
        # Shared with the buffer, not copied.
        return self._data.getvalue()

    def _check(self) -> None:
        if (self._hash.digest(), self._data.tell()) != (self._ref.sha256, self._ref.length):
            raise CorruptError("it is not the one that the archive names")


def read(source: BinaryIO, offset: int, header: Header, limits: Limits) -> bytes:
    """The pack that the archive with this header, at byte `offset` of `source`, brings.

    For threads. Raises as `Collector` does and as a walk does, or where it brings none.
    """
    ref = header.metadata.brings
    if ref is None:
        raise CorruptError("the archive brings no model")
    collector = Collector(ref, limits)
    at = offset + header.size
    for event in pull(From(source, at), walk_model(Tape(at), ref, header.metadata.predictors)):
        if isinstance(event, ModelPart):
            collector.take(event)
    return collector.pack()
