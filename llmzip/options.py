"""What a writer is asked for."""

from __future__ import annotations

from llmzip.errors import UsageError
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.models.loaded import AnyLoaded

DEFAULT_LEVEL = 6

# FORMAT.md, metadata tag 8.
MAX_COMMENT = 10_000


# Of one text: more share no evaluation that is worth it.
MOST_SEGMENTS = 64


def check_model(level: int, predictor: str | None) -> None:
    """Raises `UsageError` where a model is of no use beside these."""
    if level <= 2:
        raise UsageError(f"a model takes long and level {level} is for speed: use level 3 or more")
    if predictor not in (None, "llm", "circuit", "tensor"):
        raise UsageError(f"predictor {predictor} takes no model: leave out one of the two")


def load_model(name: str | None, threads: int = 0) -> AnyLoaded | None:
    """The model that options name, if they do; `ModelError` where it is missing."""
    if name is None:
        return None
    # Few need it, and it takes a while.
    from llmzip.models.loaded import named

    return named(name, threads)


class Options(Record):
    """How to compress. An archive's bytes depend on all but `threads`, `verify` and `memory`.

    level: 1 (fastest) to 9 (smallest).
    predictor: id of the predictor for every segment; None chooses by content.
    model: a language model that may predict text, or a circuit that predicts rows, which a reader
        needs too: the name of one in the store, the path of a pack, or the start of a sha256. From
        level 3 on. With a circuit segments are short, so that rows can be read alone; but not from
        level 6 on with one of images, which is joined with contexts of pixels there.
    segments: into how many segments a text that fits one is cut where a model predicts it; they are
        decoded together. 0 chooses.
    embed_model: whether the archive brings the model, so that it opens without; needs `model`.
    adapt: whether the model learns the content on its way, which it does from level 6 on.
    threads: segments coded at a time; 0 means one for each core.
    verify: decode every segment after coding it and compare.
    segment_size: bytes of content in a segment; None follows the level.
    comment: text kept in the archive's header, at most 10,000 bytes of UTF-8.
    memory: bytes that coding may take; None means three quarters of the machine's memory. Fewer
        threads are used before anything fails.
    """

    level: int = DEFAULT_LEVEL
    predictor: str | None = None
    threads: int = 0
    verify: bool = True
    segment_size: int | None = None
    comment: str = ""
    memory: int | None = None
    model: str | None = None
    adapt: bool = True
    segments: int = 0
    embed_model: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 9:
            raise UsageError(f"level {self.level}: levels go from 1 to 9")
        if self.model is not None:
            check_model(self.level, self.predictor)
        elif self.embed_model:
            raise UsageError("no model is named that could go into the archive: name one with -m")
        if self.threads < 0:
            raise UsageError(f"{self.threads} threads: use 0 for all cores, or a positive number")
        if not 0 <= self.segments <= MOST_SEGMENTS:
            raise UsageError(f"{self.segments} segments: from 1 to {MOST_SEGMENTS}, or 0 to choose")
        if self.segment_size is not None and self.segment_size < 1:
            raise UsageError(f"segment size {self.segment_size}: must be at least 1 byte")
        if self.memory is not None and self.memory < 1:
            raise UsageError(f"memory {self.memory}: must be at least 1 byte")
        try:
            comment_len = len(self.comment.encode())
        except UnicodeEncodeError:
            raise UsageError("the comment is not valid Unicode text") from None
        if comment_len > MAX_COMMENT:
            raise UsageError(f"the comment has {comment_len:,} bytes, at most {MAX_COMMENT:,}")
