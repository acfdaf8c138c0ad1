"""Independent chunks: the protocol of "Language Modeling Is Compression".

Delétang and others (2024), section 3: content is cut into chunks of 2,048 bytes, each of which is
compressed alone, by bare streams without headers; the adjusted rate counts the model's bytes too.
"""

from __future__ import annotations

import lzma
import math
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

from llmzip import container, route
from llmzip.errors import LlmzError, ModelError, UsageError, VerifyError
from llmzip.measure import compressors
from llmzip.measure.inputs import RANDOM, gather, random_bytes
from llmzip.measure.results import NO_MODEL
from llmzip.measure.tokens import float_model
from llmzip.models.loaded import load
from llmzip.record import Record
from llmzip.segments import Alone, encode, verify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from llmzip.measure.compressors import Compressor
    from llmzip.measure.inputs import Trouble
    from llmzip.models.loaded import AnyLoaded

    Coder = Callable[[bytes], int]

DEFAULT_CHUNK = 2048
# What a decoder has to know of a chunk besides its coded bytes: which form it has.
_FORM_BYTES = 1

# What `gzip` and `xz` stand for.
_DEFLATE, _LZMA2 = "deflate:9", "LZMA2:9e"


class ChunkResult(Record):
    """One compressor on the chunks of one file; sizes in bytes.

    coded_bytes: of all chunks, each decoded and compared; llmzip's have a byte each for their form.
    seconds: that coding and decoding took, together. model_bytes: of the model that is needed.
    status: "ok", or why there are no numbers. check: whether these are random bytes, for honesty.
    by_floats: whether this is a code length that a model of transformers gives, of chunks that do
        not cut characters; nothing was decoded.
    """

    file: str
    compressor: str
    chunk: int
    raw_bytes: int
    chunks: int
    coded_bytes: int = 0
    seconds: float = 0.0
    model: str = ""
    model_bytes: int = 0
    status: str = "ok"
    by_floats: bool = False
    check: bool = False

    @property
    def ok(self) -> bool:
        """Whether there are numbers."""
        return self.status == "ok"

    @property
    def rate(self) -> float:
        """Coded bytes in percent of the content."""
        return 100 * self.coded_bytes / self.raw_bytes

    @property
    def adjusted_rate(self) -> float:
        """The same with the model counted."""
        return 100 * (self.coded_bytes + self.model_bytes) / self.raw_bytes


def measure_chunks(
    paths: Iterable[str],
    wanted: str | Sequence[str] | None = None,
    floats: Sequence[str] = (),
    *,
    chunk: int = DEFAULT_CHUNK,
    level: int | None = None,
    model: str | None = None,
    threads: int = 1,
    recursive: bool = False,
    limit: int | None = None,
    progress: Callable[[str, str, float], None] = lambda file, compressor, share: None,
    trouble: Trouble | None = None,
) -> list[ChunkResult]:
    """Codes every chunk of every file alone, and as many random bytes as a check.

    wanted: `gzip` and `xz` stand for bare deflate and LZMA2, as strong as they go; other names are
        those of llmzip in `compressors.choose`; by default all three.
    floats: causal language models that transformers loads, as `tokens.measure_tokens` takes them.
    chunk: bytes of a chunk. limit: bytes of each file that are measured, from its beginning.
    progress: told the file, the compressor and the share that is done.
    trouble: told the name and the error of what cannot be measured, and of models that are not
        here, which are rows then; None raises it.

    Raises `UsageError` for compressors that have no bare streams here.
    """
    if chunk < 1:
        raise UsageError(f"chunks of {chunk} bytes: write at least 1")
    coders = _coders(wanted, level, model) + [_by_floats(name, chunk) for name in floats]

    def raising(name: str, error: Exception) -> None:
        raise error

    inputs = gather(paths, recursive=recursive, trouble=trouble or raising)
    contents = [(one.name, one.path, False) for one in inputs]
    found = []
    told = trouble or raising
    for coder in coders:
        if coder.trouble is not None:
            told(coder.model, coder.trouble)
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for name, path, check in (*contents, *([(RANDOM, None, True)] if contents else [])):
            data = random_bytes() if path is None else path.read_bytes()[:limit]
            pieces = [data[at : at + chunk] for at in range(0, len(data), chunk)]
            for coder in coders:
                own = _whole_characters(data, chunk) if coder.by_floats else pieces
                empty = ChunkResult(name, coder.name, chunk, len(data), len(own), check=check)
                empty = empty.replace(
                    model=coder.model, model_bytes=coder.model_bytes, by_floats=coder.by_floats
                )
                if coder.size is None:
                    found.append(empty.replace(status=NO_MODEL))
                    continue
                began = time.perf_counter()
                coded = 0
                try:
                    for done, size in enumerate(pool.map(coder.size, own)):
                        coded += size
                        progress(name, coder.name, (done + 1) / len(own))
                except ModelError as error:
                    # Random bytes are no text.
                    status = str(error).removeprefix(f"{coder.model}: ")
                    found.append(empty.replace(status=status))
                    continue
                spent = round(time.perf_counter() - began, 4)
                found.append(empty.replace(coded_bytes=coded, seconds=spent))
    return found


class _Named(Record):
    """A way to code a chunk: `size` gives the bytes it takes, and raises unless it decodes.

    trouble: why there is no `size`.
    """

    name: str
    size: Coder | None
    model: str = ""
    model_bytes: int = 0
    trouble: LlmzError | None = None
    by_floats: bool = False


def _whole_characters(data: bytes, chunk: int) -> list[bytes]:
    """Chunks of at most so many bytes that end between characters of UTF-8, where there are any."""
    pieces = []
    at = 0
    while at < len(data):
        end = min(at + chunk, len(data))
        # The bytes of a character behind its first one are 0b10xxxxxx, three at most.
        back = next((n for n in range(4) if end == len(data) or data[end - n] & 0xC0 != 0x80), 0)
        end = end - back if end - back > at else end
        pieces.append(data[at:end])
        at = end
    return pieces


def _by_floats(name: str, chunk: int) -> _Named:
    try:
        model = float_model(name)
    except LlmzError as error:
        return _Named(f"{name}, float32", None, name, trouble=error, by_floats=True)

    def size(piece: bytes) -> int:
        tokens = model.tokens(piece)
        # One window holds a chunk: a token has a byte or more, and another one stands before.
        told = model.tell(tokens, chunk + 1)
        return math.ceil(math.fsum(nats for nats, _ in told) / math.log(2) / 8)

    return _Named(f"{name}, float32", size, name, model.size, by_floats=True)


def _coders(
    wanted: str | Sequence[str] | None, level: int | None, model: str | None
) -> list[_Named]:
    if wanted is None:
        wanted = ["gzip", "xz", "llmzip"]
    words = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    bare = {"gzip": _Named(_DEFLATE, _deflate), "xz": _Named(_LZMA2, _lzma2)}
    found: dict[str, _Named] = {}
    own: list[str] = []
    for word in (word.strip() for word in words):
        if word in bare:
            found[word] = bare[word]
        elif word:
            own.append(word)
    # An empty list stands for everything there.
    if own or model is not None:
        names = own or [f"llm:{model}"]
        given = model if own else None
        for one in compressors.choose(names, level=level, model=given):
            found[one.spec] = _own(one)
    return list(found.values())


def _own(one: Compressor) -> _Named:
    if not one.own:
        raise UsageError(
            f"{one.spec} has no bare streams here; --chunk takes llmzip's, gzip and xz"
        )
    head, _, rest = one.spec.partition(":")
    wanted, _, level = rest.rpartition(":")
    if one.trouble is not None:
        return _Named(one.spec, None, wanted, trouble=one.trouble)
    predictor = None if head == "llmzip" else head
    if one.model is None:
        return _Named(one.spec, _sized(int(level), predictor, None))
    model = load(one.model, 1)
    return _Named(one.spec, _sized(int(level), predictor, model), wanted, one.model.bytes)


def _sized(level: int, predictor: str | None, model: AnyLoaded | None) -> Coder:
    """Sizes of chunks that are segments of their own: what codes them, without any head."""
    kinds = ("llm", "circuit") if model else ()
    predictors = route.candidates(level, predictor, models=kinds)

    def size(chunk: bytes) -> int:
        choice = route.choose(chunk, level, predictor, model)
        number = predictors.index(choice.predictor)
        coded = encode(chunk, choice, 0, number, model=model)
        verify(coded, chunk, predictors, sources=Alone(model))
        return payload_bytes(bytes(coded.data))

    return size


def payload_bytes(segment: bytes) -> int:
    """Coded bytes of a segment that `encode_segment` made, with a byte for each chunk's form."""
    # As `container.parse_segment_header` has it.
    at = segment[4] + 9
    total = 0
    while at < len(segment):
        length = container.chunk_head_len(segment[at : at + container.MIN_CHUNK_HEAD], at)
        record = segment[at : at + length]
        head = container.parse_chunk_head(record, container.MAX_CHUNK, at)
        total += _FORM_BYTES + head.coded_len
        at += length + head.coded_len
    return total


def _deflate(chunk: bytes) -> int:
    coder = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    coded = coder.compress(chunk) + coder.flush()
    if zlib.decompress(coded, -15) != chunk:
        raise VerifyError("a chunk decodes to other bytes")
    return len(coded)


_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 20}]


def _lzma2(chunk: bytes) -> int:
    coded = lzma.compress(chunk, lzma.FORMAT_RAW, filters=_FILTERS)
    if lzma.decompress(coded, lzma.FORMAT_RAW, filters=_FILTERS) != chunk:
        raise VerifyError("a chunk decodes to other bytes")
    return len(coded)
