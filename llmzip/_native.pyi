"""The Rust core, `native/`: one segment at a time, no files. Every call that is long frees the GIL.

`id` and `version` name a predictor of `predictors()`, `settings` are its own as a segment header
stores them, `raw_len` is the segment's content in bytes.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from _typeshed import ReadableBuffer, WriteableBuffer

class Made:
    """Bytes that the core made, to be read through a `memoryview`."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

VERSION: str

class CorruptData(Exception):
    """The coded bytes do not decode."""

class UnsupportedData(Exception):
    """Settings that this version does not know, or no such predictor."""

class SetupFailed(Exception):
    """This machine, as it is set up, cannot do the work."""

def prefer_huge_pages(data: ReadableBuffer) -> None:
    """Asks the system for huge pages where `data` lies, which has not been written to yet."""

def check_pack(pack: bytes) -> None:
    """Raises `CorruptData` or `UnsupportedData` unless a model pack is whole."""

def squash_table() -> bytes:
    """The 4,096 rows of `predictors/tables/squash.csv`, 32 bits each, little-endian."""

def xxh3_128(data: ReadableBuffer) -> bytes:
    """XXH3-128 with seed 0 in canonical form: 16 bytes, big-endian."""

def crc32(data: ReadableBuffer) -> int:
    """CRC-32 as `zlib.crc32` gives it, many times as fast."""

def index_entries(index: bytes) -> list[tuple[int, int, str]] | None:
    """The fields of an index's entries, given without its check; None where it is no index."""

class Sha256:
    """A hash that grows, as `hashlib.sha256` gives it; for short updates: it keeps the GIL."""

    def __init__(self) -> None: ...
    def update(self, data: ReadableBuffer, /) -> None:
        """Adds `data`."""

    def digest(self) -> bytes:
        """The hash of what was added so far: 32 bytes."""

def copy_chunk_into(
    payload: ReadableBuffer, out: WriteableBuffer, payload_crc: int, check: bytes
) -> bytes:
    """As `Decoder.decode_chunk_into` for a chunk that is stored, or one byte again and again."""

def predictors() -> list[tuple[str, int, int]]:
    """Every predictor of this build that needs no model: id, version, coder id of FORMAT.md."""

def model_predictors() -> list[tuple[str, int, int]]:
    """The same for those that need one."""

def memory(id: str, version: int, settings: bytes, raw_len: int) -> int:
    """Bytes of memory that coding or decoding a segment takes."""

def settings(id: str, version: int, level: int, sample: bytes) -> bytes:
    """Settings for `level` (1 to 9) and the first bytes of a segment.

    They never need more memory than those for an empty sample.
    """

def tensor_with_matches(settings: bytes) -> bytes:
    """`settings`, but that what comes again is copied; ValueError for those of a change."""

def tensor_with_values(settings: bytes, data: bytes | memoryview) -> bytes | None:
    """`settings`, but that elements are numbers of values.

    None where `data`, the whole segment, has more than 256 different ones, and where `settings`
    are those of a change or of elements that have no values.
    """

def tensor_settings(level: int, kind: str, row: int, base: int | None) -> bytes:
    """Settings of `tensor` for elements of `kind` in rows of `row` elements, 0 for none.

    base: where in a base file is what the segment is coded as a change of, or None. ValueError
        where `kind` has no changes.
    """

def tensor_histograms(kind: str, data: ReadableBuffer) -> list[tuple[int, list[int]]]:
    """For each plane of whole units of `kind`: a unit's bytes in it, how often each byte occurs."""

def decode_segments_into(
    archive: ReadableBuffer,
    out: WriteableBuffer,
    segments: list[tuple[int, int, int]],
    seq: int,
    predictors: list[tuple[str, int] | None],
    max_chunk_raw: int,
    memory: int,
    threads: int,
) -> list[bytes | None]:
    """Decodes segments that follow each other, from number `seq` on, and fill `out`; all checks.

    segments: where each begins in `archive`, its bytes, the bytes of its content.
    predictors: id and version of the archive's, None for those that have to go chunk by chunk.
    memory: bytes that decoding each may take.

    Returns for each what its chunks add to the content hash, or None where anything is wrong or not
    as usual. Buffers as for `Decoder.decode_chunk_into`. ValueError where lengths do not fit.
    """

def has_columns(sample: ReadableBuffer) -> bool:
    """Whether the first bytes of a segment look like what predictor `pc` is for."""

def may_repeat(settings: bytes, sample: ReadableBuffer) -> bool:
    """Whether a tensor with these settings may repeat itself, as far as a quick look tells."""

def rows_repeat(settings: bytes, data: ReadableBuffer) -> bool:
    """Whether its rows come again, however far away, as far as a look at each tells."""

def lines(id: str, settings: bytes) -> int | None:
    """The number of line feeds that settings of a segment tell; None where they do not."""

class Model:
    """A language model from the bytes of a model pack, which it copies; segments may share it.

    `threads` evaluate at a time what one segment asks for.
    """

    def __new__(cls, pack: bytes, threads: int) -> Model: ...
    @property
    def pack(self) -> bytes:
        """The bytes of the pack, copied."""

    @property
    def context(self) -> int:
        """Most tokens that the model can look back on."""

    def memory(self, settings: bytes) -> int:
        """Bytes that a segment with these settings takes for the model, besides the pack."""

    def memory_after(self, settings: bytes, first: int) -> int:
        """Bytes that decoding a segment takes which goes on from one of `first` bytes.

        Besides the pack; the segment has no more bytes than `settings` say.
        """

    def tokens(self, text: ReadableBuffer) -> list[int]:
        """The tokens that an encoder cuts a text into, which spell it."""

    def costs(self, tokens: list[int], window: int) -> list[float]:
        """Nats that each token costs by the model alone, for reports.

        Every `window` tokens the model begins with nothing; the first of them costs nothing.
        """

    def tell(
        self, tokens: list[int], window: int, count: int
    ) -> list[tuple[float, int, list[tuple[int, float]]]]:
        """Of each token its nats by the model alone, how many tokens were likelier (of equals,
        those of lower numbers), and the `count` likeliest tokens with their probabilities.

        Every `window` tokens the model begins anew with the token that texts begin with, which is
        one of them and has no row.
        """

    def spelling(self, token: int) -> bytes | None:
        """The bytes of a token; None where it has none."""

    def helps(self, settings: bytes, segment: ReadableBuffer) -> bool:
        """Whether the model is worth its time on a segment with these settings, as samples tell."""

    def seconds(
        self, settings: bytes, sample: ReadableBuffer, length: int, segments: int, first: int
    ) -> tuple[float, float]:
        """Seconds that `length` bytes like those of `sample` take about to code, and to decode.

        segments: of which all but the first, of `first` bytes, are decoded together.
        """

class Session:
    """A run of a language model that is told tokens, and sees at most `window` of them.

    It begins with the token that texts begin with, as a coder does.
    """

    def __new__(cls, model: Model, window: int) -> Session: ...
    def advance(self, tokens: Sequence[int]) -> None:
        """Feeds tokens; `ValueError` for one that the model does not have."""

    def pick(self, temperature: int, draw: int) -> tuple[int, bytes]:
        """The next token that a draw of 64 random bits falls on, and its bytes.

        temperature: in thousandths; 1000 leaves the distribution as it is, 0 takes the likeliest.
        Nothing is fed. Special tokens never come. The same everywhere.
        """

class Circuit:
    """A circuit from the bytes of its pack; `llmzip.pc.Circuit` says what it does.

    Rows are codes, a byte a variable, one row after another; `missing` has a byte for each, other
    than 0 where it is not known, or is empty. Doubles come as they lie in memory. ValueError for
    rows of another length, and for codes that a variable does not have.
    """

    def __new__(cls, pack: ReadableBuffer) -> Circuit: ...
    @property
    def memory(self) -> int:
        """Bytes of memory that it takes, besides the pack."""

    @property
    def variables(self) -> int: ...
    @property
    def states(self) -> int: ...
    @property
    def values(self) -> list[int]: ...
    @property
    def cells(self) -> list[int]: ...
    @property
    def kind(self) -> str: ...
    @property
    def lead(self) -> int | None: ...
    @property
    def stride(self) -> int | None: ...
    def joined(self, level: int, sample: bytes | None) -> bytes | None:
        """Settings of `cm` for a segment that begins with `sample`, to be coded with this circuit;
        without a sample those with which it takes most memory. None where there are none."""

    def log_prob(self, rows: ReadableBuffer, missing: ReadableBuffer) -> bytes:
        """A double for each row, in nats."""

    def marginals(self, rows: ReadableBuffer, missing: ReadableBuffer) -> list[bytes]:
        """For each variable a double for each row and value, row by row."""

    def sample(self, count: int, rows: ReadableBuffer, missing: ReadableBuffer, seed: int) -> bytes:
        """`count` rows; of one row given, or each of its own."""

    def encode(self, text: ReadableBuffer) -> tuple[bytes, list[int]]:
        """Rows, and the numbers of lines that are none."""

    def decode(self, rows: ReadableBuffer) -> tuple[bytes, list[int]]:
        """Lines or records, and the numbers of rows that are no line's."""

class ContextMixer:
    """A context mixer outside of archives: it reads bytes, and says what they cost.

    It predicts as predictor `cm` does with these settings; costs are floats, for reports.
    `ValueError` where there is no room for more bytes.
    """

    def __new__(cls, settings: bytes, room: int) -> ContextMixer: ...
    def fork(self) -> ContextMixer:
        """A copy that goes on by itself."""

    @property
    def room(self) -> int:
        """Bytes that it can still read."""

    @property
    def input_names(self) -> list[str]:
        """Names of what predicts: contexts, match models, pixels."""

    def read(self, data: ReadableBuffer) -> float:
        """Learns bytes; returns the bits that they cost."""

    def costs(self, data: ReadableBuffer) -> bytes:
        """Learns bytes; for each a float of 32 bits as in memory, the bits that it costs."""

    def costs_of(self, documents: Sequence[ReadableBuffer], threads: int) -> list[float]:
        """The bits that each document costs after what was read, which stays as it is.

        Each needs room as if it were read.
        """

    def tell(
        self, data: ReadableBuffer, count: int
    ) -> list[tuple[float, int | None, list[tuple[int, float]]]]:
        """Learns bytes; of each its cost in bits, which of `input_names` did most for it (None
        where none did anything), and the `count` likeliest bytes before it with their
        probabilities.

        None are likeliest where bytes are pixels.
        """

    def likeliest(self, count: int) -> list[tuple[int, float]]:
        """The likeliest next bytes with their probabilities, the likeliest first."""

    def pick(self, temperature: int, draw: int) -> int | None:
        """The next byte that a draw falls on, as `Session.pick`; None where bytes are pixels."""

    def restart(self) -> None:
        """Goes on as if what came before were gone, but for what was learnt; takes 8 bytes."""

    def windows(self, width: int, text: ReadableBuffer) -> list[int]:
        """The text as symbols of `width` bits (8 to 32), each of which the model decodes alone.

        Nothing is learnt. `ValueError` for levels from 7 on, and for pixels.
        """

    def text(self, width: int, symbols: Sequence[int]) -> bytes:
        """The text of symbols, by a mixer in the same state; `CorruptData` for one too wide."""

def primer() -> bytes:
    """The text that models of text begin with from level 7 on: `predictors/tables/primer.txt`."""

def table_costs(
    settings: bytes, segment: ReadableBuffer
) -> (
    tuple[
        bytes,
        int,
        str | None,
        list[tuple[Literal["head", "kinds", "exceptions", "cell"], int | None, float]],
    ]
    | None
):
    """The bits that each part of a segment takes with settings of `pc`; None where it is no table.

    Before them the bytes before the first row, the number of rows, and what stands between cells:
    None for JSON and for numbers in binary. A cell has its number in a row, from 0. `kinds` tell
    which rows are `exceptions`.
    """

def train(
    data: ReadableBuffer,
    states: int,
    passes: int,
    threads: int,
    progress: Callable[[int], object] | None,
) -> bytes:
    """The pack of a circuit trained on `data`.

    progress: called in another thread with the number of passes done; what it raises ends the
        training, and is raised.
    """

class Encoder:
    """Codes one segment: `write` the bytes of a chunk in any pieces, then `finish_chunk`."""

    def __new__(cls, id: str, version: int, settings: bytes, raw_len: int) -> Encoder: ...
    def set_circuit(self, circuit: Circuit) -> None: ...
    def set_model(self, model: Model) -> None:
        """What predicts, for predictor `llm`; before all else."""

    def set_base(self, base: ReadableBuffer) -> None:
        """What the segment is a change of, as long as it; before all else."""

    def look_ahead(self, segment: ReadableBuffer) -> None:
        """Shows the whole segment before the first `write`; `tensor` trains on it."""

    def write(self, data: ReadableBuffer) -> None: ...
    def work(self, last: bool) -> bool:
        """Does a part of what `write` left to be done; returns whether there is more of it.

        last: the open chunk is written whole. Only `llm` leaves anything; what is left is done by
        the next `write`, and by `finish_chunk`.
        """

    def finish_chunk(self) -> bytes:
        """The chunk's coded bytes; where they are not shorter, it must be stored as type 3."""

    def encode_segment(
        self, content: ReadableBuffer, seq: int, number: int, settings: bytes, kept: bool
    ) -> tuple[Made, bytes]:
        """Codes all of a segment's content; for a new encoder of a predictor that is `at_once`.

        number: that of the predictor among the archive's. kept: whether later segments may be
        copies of it. Returns header and chunks, and what these add to the content hash.
        `look_ahead` is not to be called before.
        """

    def after(self, raw_len: int) -> Encoder:
        """An encoder of a segment that starts from the state after this one, which codes no more.

        For predictor `llm` between two chunks, where its settings make room for `raw_len` bytes.
        """

    @property
    def waiting(self) -> int:
        """Bytes of the open chunk that were written, but are not coded yet."""

    @property
    def coded_so_far(self) -> int:
        """Coded bytes of the open chunk, for progress."""

    @property
    def canary(self) -> int:
        """Hash of the first predictions, once 64 bytes or all that come were coded."""

class Decoder:
    """Decodes one segment: for a coded chunk `begin_chunk`, `read` all of it, `end_chunk`."""

    def __new__(cls, id: str, version: int, settings: bytes, raw_len: int) -> Decoder: ...
    def set_circuit(self, circuit: Circuit) -> None: ...
    def set_model(self, model: Model) -> None:
        """As the encoder's."""

    def set_base(self, base: ReadableBuffer) -> None:
        """As the encoder's."""

    def begin_chunk(self, payload: ReadableBuffer) -> None: ...
    def read(self, length: int) -> bytes:
        """The next `length` bytes of the chunk."""

    def decode_chunk(self, payload: ReadableBuffer, length: int) -> bytes:
        """All `length` bytes of a chunk in one call."""

    def decode_chunk_into(
        self, payload: ReadableBuffer, out: WriteableBuffer, payload_crc: int, check: bytes
    ) -> bytes:
        """Fills `out`, as long as the chunk; returns the 16 bytes of its hash.

        Raises `CorruptData` unless `payload_crc` is the payload's and the hash begins with `check`.
        Both buffers are contiguous bytes that do not overlap, and nobody else may write to them
        meanwhile. What `out` holds after an exception is not to be used.
        """

    def end_chunk(self) -> None:
        """Checks that all of the payload was used."""

    def train(self, data: ReadableBuffer) -> None:
        """Advances over the bytes of a chunk of type 3, in any pieces."""

    def after(self, raw_len: int) -> Decoder:
        """As the encoder's. Used in several threads, such decoders ask the model together.

        `CorruptData` where the settings make no room for `raw_len` bytes.
        """

    @property
    def planes(self) -> list[int]:
        """Coded bytes that each plane took of what was decoded; of predictor `tensor` alone."""

    @property
    def canary(self) -> int:
        """As the encoder's."""
