"""Code lengths with a context: C(x), the bits that x takes, and C(x|y), once y was read.

For predictor `cm` and for language models they are exact sums of -log2 p, fractions of a bit
included; for `gzip` and `zstd` they are differences of sizes in whole bytes.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable, Sequence

from llmzip import _native
from llmzip.errors import UsageError
from llmzip.workers import cores, machine_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar
    from zlib import _Compress as Compressor

    from llmzip.models.loaded import Loaded

    Item = TypeVar("Item")
    Result = TypeVar("Result")


class State:
    """What was read so far. It stays as it is, whatever is asked of it.

    bits: what all that was read took.
    """

    bits: float

    def after(self, data: bytes) -> State:
        """The state once `data` was read too."""
        raise NotImplementedError

    def costs(self, documents: Sequence[bytes]) -> list[float]:
        """Bits that each of the documents takes, read next."""
        raise NotImplementedError


class CodeLength:
    """A way to measure code lengths; `name` says which, with its level or model."""

    name: str

    def start(self, room: int) -> State:
        """Nothing was read.

        room: no state from here on will have read more bytes, with documents that are asked for.
        """
        raise NotImplementedError


PREDICTORS = ("cm", "llm", "gzip", "zstd")
DEFAULT_LEVEL = 6
# What tells whether contents are texts: of each so many bytes.
_SAMPLE = 1 << 14
# The class of content in settings of `cm`; FORMAT.md, section 8.1.
_TEXT, _BINARY = 0, 1
# A model evaluates the context anew for every document, so a longer one takes its time.
CONTEXT_TOKENS = 512


def code_length(
    predictor: str | None = None,
    *,
    level: int | None = None,
    model: str | None = None,
    samples: Sequence[bytes] = (),
    threads: int = 0,
) -> CodeLength:
    """The code lengths of a predictor.

    predictor: cm (the default without a model), llm (the default with one), gzip or zstd. level: of
    cm 3 to 9 (default 6; 9 is 8), of gzip 1 to 9 (9), of zstd 1 (zstd's own 3) or more (12). model:
    a language model's name, path or start of a sha256, for llm. samples: contents that will be
    compared: they decide between contexts for text and for other
        content, which are then the same for all.
    threads: documents at a time; 0 means one for each core.

    Raises `UsageError`, and `ModelError` where the model is missing.
    """
    chosen = predictor or ("llm" if model else "cm")
    if chosen not in PREDICTORS:
        raise UsageError(f"-p {chosen}: code lengths are by {', '.join(PREDICTORS)}")
    if (chosen == "llm") is not (model is not None):
        raise UsageError(
            "predictor llm needs a language model: name one with -m"
            if model is None
            else f"predictor {chosen} takes no model: leave out one of the two"
        )
    if level is not None and not 1 <= level <= 9:
        raise UsageError(f"level {level}: levels go from 1 to 9")
    threads = threads or cores()
    if model is not None:
        return LanguageModel(model, threads)
    if chosen == "gzip":
        return Gzip(9 if level is None else level, threads)
    if chosen == "zstd":
        return Zstd(9 if level is None else level, threads)
    return ContextMixing(DEFAULT_LEVEL if level is None else level, samples, threads)


class ContextMixing(CodeLength):
    """Predictor `cm`: what was read is a copy of a model, so nothing is read again for a
    document.
    """

    def __init__(self, level: int, samples: Sequence[bytes], threads: int) -> None:
        if level < 3:
            raise UsageError(f"level {level} is zstd: use -3 to -9 for context mixing, or -p zstd")
        level = min(level, 8)
        self.name = f"cm -{level}"
        self._threads = threads
        # One class of content for all: what is compared must be measured alike.
        sample = b"".join(data[:_SAMPLE] for data in samples)
        found = _native.settings("cm", 1, level, sample)[1]
        self._settings = bytes((level, _TEXT if found == _TEXT else _BINARY, 0, 0))

    def start(self, room: int) -> State:
        """Nothing was read."""
        # The caller has one model, each thread another one.
        each = max(1, _native.memory("cm", 1, self._settings, room))
        threads = max(1, min(self._threads, machine_memory() // each - 1))
        return _Mixed(_native.ContextMixer(self._settings, max(1, room)), 0.0, threads)


class _Mixed(State):
    def __init__(self, mixer: _native.ContextMixer, bits: float, threads: int) -> None:
        self._mixer = mixer
        self._threads = threads
        self.bits = bits

    def after(self, data: bytes) -> State:
        mixer = self._mixer.fork()
        return _Mixed(mixer, self.bits + mixer.read(data), self._threads)

    def costs(self, documents: Sequence[bytes]) -> list[float]:
        return self._mixer.costs_of(documents, self._threads)


class LanguageModel(CodeLength):
    """A language model alone, without mixing or adaptation.

    Its context are the last tokens of what was read, at most `CONTEXT_TOKENS` of them; every text
    begins after a line feed, which costs nothing. Longer documents go through its window in steps
    of half of it.
    """

    def __init__(self, wanted: str, threads: int) -> None:
        from llmzip.models.loaded import named

        found = named(wanted, threads)
        if found.is_circuit:
            raise UsageError(f"model {wanted} is a circuit: texts take a language model")
        self._loaded: Loaded = found
        self.name = f"llm {found.ref.name or found.ref.sha256.hex()[:12]}"

    def start(self, room: int) -> State:
        """Nothing was read; any room will do."""
        return _Told(self._loaded, self._loaded.native.tokens(b"\n"), 0.0)


class _Told(State):
    def __init__(self, loaded: Loaded, context: list[int], bits: float) -> None:
        # Kept, since a model that nobody has is given up.
        self._loaded = loaded
        self._context = context
        self.bits = bits

    def after(self, data: bytes) -> State:
        most = self._loaded.native.context // 2
        tokens = self._loaded.native.tokens(data)
        context = [*self._context, *tokens][-min(most, CONTEXT_TOKENS) :]
        return _Told(self._loaded, context, self.bits + self._cost(tokens))

    def costs(self, documents: Sequence[bytes]) -> list[float]:
        return [self._cost(self._loaded.native.tokens(document)) for document in documents]

    def _cost(self, tokens: list[int]) -> float:
        from math import log

        window = self._loaded.native.context
        nats, begin, context = 0.0, 0, self._context
        while begin < len(tokens):
            end = begin + window - len(context)
            costs = self._loaded.native.costs([*context, *tokens[begin:end]], window)
            nats += sum(costs[len(context) :])
            context = [*context, *tokens[begin:end]][-(window // 2) :]
            begin = end
        return nats / log(2)


class Gzip(CodeLength):
    """gzip, as ZIP-FIT (arXiv 2410.18194) uses it: it looks back 32 KiB and no further."""

    def __init__(self, level: int, threads: int) -> None:
        self.name = f"gzip -{level}"
        self._level = level
        self._threads = threads

    def start(self, room: int) -> State:
        """Nothing was read; any room will do."""
        import zlib

        # 16: with gzip's header and check.
        compressor = zlib.compressobj(self._level, wbits=zlib.MAX_WBITS + 16)
        return _Deflated(compressor, 0, True, self._threads)


class _Deflated(State):
    """The state of a compressor is copied: sizes are those of one call on the whole."""

    def __init__(self, compressor: Compressor, written: int, empty: bool, threads: int) -> None:
        self._compressor = compressor
        self._written = written
        self._empty = empty
        self._threads = threads
        # Nothing takes nothing, though a file of it has a header.
        self.bits = 0.0 if empty else 8.0 * (written + len(compressor.copy().flush()))

    def after(self, data: bytes) -> State:
        compressor = self._compressor.copy()
        written = self._written + len(compressor.compress(data))
        return _Deflated(compressor, written, self._empty and not data, self._threads)

    def costs(self, documents: Sequence[bytes]) -> list[float]:
        def cost(document: bytes) -> float:
            compressor = self._compressor.copy()
            more = len(compressor.compress(document)) + len(compressor.flush())
            return 8.0 * (self._written + more) - self.bits

        return in_threads(cost, documents, self._threads)


class Zstd(CodeLength):
    """The zstd of archives, of which every document is compressed together with the context."""

    def __init__(self, level: int, threads: int) -> None:
        self.name = f"zstd -{level}"
        self.settings = _native.settings("zstd", 1, level, b"")
        self.threads = threads

    def start(self, room: int) -> State:
        """Nothing was read; any room will do."""
        return _Framed(self, b"")


class _Framed(State):
    _CHUNK = 1 << 20

    def __init__(self, way: Zstd, context: bytes) -> None:
        self._way = way
        self._context = context
        self.bits = self._size(context)

    def after(self, data: bytes) -> State:
        return _Framed(self._way, self._context + data)

    def costs(self, documents: Sequence[bytes]) -> list[float]:
        def cost(document: bytes) -> float:
            return self._size(self._context + document) - self.bits

        return in_threads(cost, documents, self._way.threads)

    def _size(self, data: bytes) -> float:
        if not data:
            return 0.0
        encoder = _native.Encoder("zstd", 1, self._way.settings, len(data))
        size = 0
        for begin in range(0, len(data), self._CHUNK):
            encoder.write(data[begin : begin + self._CHUNK])
            size += len(encoder.finish_chunk())
        return 8.0 * size


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """What `work`, which frees the GIL, makes of each item, in order; its first exception."""
    from threading import Thread

    results: dict[int, Result] = {}
    failures: list[BaseException] = []
    numbers, lock = iter(range(len(items))), allocate_lock()

    def run() -> None:
        try:
            while not failures:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                results[number] = work(items[number])
        except BaseException as error:
            failures.append(error)

    others = [Thread(target=run, daemon=True) for _ in range(min(threads, len(items)) - 1)]
    for thread in others:
        thread.start()
    run()
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(items))]
