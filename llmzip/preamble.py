"""The state after an archive's segment 0, where other segments of it start."""

from __future__ import annotations

from _thread import allocate_lock

from llmzip import _native, route
from llmzip.errors import CorruptError, SetupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.models.loaded import Loaded
    from llmzip.route import Choice
    from llmzip.walk import SegmentStart


class Preamble:
    """Segment 0 of an archive as a decoder has it in the end; for threads.

    start: of segment 0. Whoever decodes that hands its decoder over with `reach`; then others get
    theirs from `decoder`, which asks the model for all of them together.
    """

    def __init__(self, start: SegmentStart) -> None:
        self.start = start
        self._lock = allocate_lock()
        self._decoder: _native.Decoder | None = None

    @property
    def wanted(self) -> bool:
        """Whether segments may start from it."""
        return not self.start.header.flags and route.is_followed(
            self.start.predictor, self.start.header.settings
        )

    @property
    def reached(self) -> bool:
        """Whether segment 0 was decoded."""
        return self._decoder is not None

    def reach(self, decoder: _native.Decoder) -> None:
        """Takes the decoder of segment 0 after its last chunk."""
        self._decoder = decoder

    def check(self, start: SegmentStart) -> None:
        """Raises `CorruptError` unless the segment may start from the state after segment 0."""
        own, first = start.header, self.start.header
        same = (own.predictor, own.settings) == (first.predictor, first.settings)
        if not (same and self.wanted):
            raise CorruptError("it does not fit the segment that it goes on from", segment=own.seq)

    def decoder(self, start: SegmentStart) -> _native.Decoder:
        """A decoder of the segment; `_native.CorruptData` where it is too long."""
        self.check(start)
        with self._lock:
            if self._decoder is None:
                raise CorruptError(
                    "it starts from the state after segment 0, which was not decoded",
                    segment=start.header.seq,
                )
            return self._decoder.after(start.header.raw_len)

    def own_memory(self, model: Loaded) -> int:
        """Bytes of memory that a segment which starts from the state takes, besides the pack."""
        header = self.start.header
        return model.native.memory_after(header.settings, header.raw_len)


class EncoderPreamble:
    """The same for a writer, which codes the segments one after the other."""

    def __init__(self) -> None:
        self._encoder: _native.Encoder | None = None

    def first(self, choice: Choice, length: int, model: Loaded) -> _native.Encoder:
        """The encoder of segment 0."""
        self._encoder = route.new_encoder(choice.predictor, choice.settings, length)
        self._encoder.set_model(model.native)
        return self._encoder

    def after(self, length: int) -> _native.Encoder:
        """The encoder of another segment, once segment 0 is coded."""
        assert self._encoder is not None
        try:
            return self._encoder.after(length)
        except _native.SetupFailed as error:
            raise SetupError(str(error)) from None
