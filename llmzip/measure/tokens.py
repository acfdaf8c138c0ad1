"""A text by a language model alone, token by token: the protocol of "LLMZip".

Valmeekam and others (2023), section 3: from the model's distribution of each token follow three
ways to code it: its rank, by zlib; a code word of its own; arithmetic coding. Bits are for each
character. All three are code lengths: no archive is made. `measure` makes archives.
"""

from __future__ import annotations

import math
import zlib

from llmzip import container
from llmzip.asked import asked
from llmzip.errors import LlmzError, ModelError, UsageError
from llmzip.measure.inputs import gather
from llmzip.measure.results import NO_MODEL
from llmzip.models import store
from llmzip.models.loaded import load
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Protocol

    from llmzip.measure.inputs import Trouble

    class Teller(Protocol):
        """A language model that says what tokens cost."""

        @property
        def size(self) -> int:
            """Bytes of the model, which a decoder needs."""

        def tokens(self, text: bytes) -> list[int]:
            """Tokens that spell the text."""

        def tell(self, tokens: Sequence[int], window: int) -> list[tuple[float, int]]:
            """Nats and rank of each token, in windows that begin with nothing."""


DEFAULT_CONTEXT = 512
EXACT, FLOAT = "exact integers", "float32"


class TokenResult(Record):
    """One model on one text.

    context: tokens of a window, the one that it begins with among them; each begins anew.
    arithmetic: EXACT for a pack, whose code lengths are those of the coder on any machine; FLOAT
        for a model of transformers: another machine's may differ, and no archive comes of it.
    tokens, characters, raw_bytes: of the text; characters is None where it is no UTF-8.
    entropy_bits: the sum of -log2 of the tokens' probabilities; arithmetic coding takes 2 more at
        most. token_bits: the sum of the same, rounded up for each token. rank_bytes: ranks as
        varints, by zlib.
    model_bytes: what a decoder needs besides: of a pack all, of floats two bytes for each weight.
    """

    file: str
    model: str
    arithmetic: str
    context: int
    raw_bytes: int
    characters: int | None = None
    tokens: int = 0
    entropy_bits: float = 0.0
    token_bits: int = 0
    rank_bytes: int = 0
    model_bytes: int = 0
    status: str = "ok"

    @property
    def ok(self) -> bool:
        """Whether there are numbers."""
        return self.status == "ok"

    @property
    def units(self) -> int:
        """Characters, or bytes where the text has none."""
        return self.raw_bytes if self.characters is None else self.characters

    @property
    def adjusted_bits(self) -> float:
        """Bits of arithmetic coding and of the model."""
        return self.entropy_bits + 8 * self.model_bytes


def measure_tokens(
    paths: Iterable[str],
    models: Sequence[str] = (),
    floats: Sequence[str] = (),
    *,
    context: int = DEFAULT_CONTEXT,
    threads: int = 0,
    recursive: bool = False,
    limit: int | None = None,
    progress: Callable[[str, str], None] = lambda file, model: None,
    trouble: Trouble | None = None,
) -> list[TokenResult]:
    """Code lengths of texts by models alone.

    models: packs, as `-m` takes them. floats: folders (or names) of causal language models that
        transformers loads; needs the extra `hf`.
    limit: bytes of each text that are measured, from its beginning; a character is not cut.
    trouble: told the name and the error of what cannot be read, and of models that are not here,
        which are rows then; None raises it.
    """
    if context < 2:
        raise UsageError(f"a context of {context} tokens: write at least 2")
    if not models and not floats:
        raise UsageError(
            "--context needs a language model: name a pack with -m, or a model with --hf"
        )

    def raising(name: str, error: Exception) -> None:
        raise error

    told = trouble or raising
    texts = []
    for one in gather(paths, recursive=recursive, trouble=told):
        text = one.path.read_bytes()
        texts.append((one.name, text if limit is None else _beginning(text, limit)))
    found = []
    for name, arithmetic in (*((m, EXACT) for m in models), *((m, FLOAT) for m in floats)):
        teller: Teller | None = None
        try:
            teller = _Pack(name, threads) if arithmetic == EXACT else float_model(name)
        except LlmzError as error:
            told(name, error)
        for file, text in texts:
            progress(file, name)
            empty = TokenResult(file, name, arithmetic, context, len(text))
            if teller is None:
                found.append(empty.replace(status=NO_MODEL))
                continue
            try:
                empty = empty.replace(model_bytes=teller.size)
                found.append(_measured(empty, teller, text))
            except LlmzError as error:
                found.append(empty.replace(status=str(error).removeprefix(f"{name}: ")))
    return found


def _beginning(text: bytes, limit: int) -> bytes:
    # The bytes of a character behind its first one are 0b10xxxxxx.
    while 0 < limit < len(text) and text[limit] & 0xC0 == 0x80:
        limit -= 1
    return text[:limit]


def _measured(empty: TokenResult, teller: Teller, text: bytes) -> TokenResult:
    tokens = teller.tokens(text)
    told = teller.tell(tokens, empty.context)
    bits = [nats / math.log(2) for nats, _ in told]
    ranks = b"".join(container.build_varint(rank) for _, rank in told)
    try:
        characters = len(text.decode())
    except UnicodeDecodeError:
        characters = None
    return empty.replace(
        characters=characters,
        tokens=len(tokens),
        entropy_bits=math.fsum(bits),
        token_bits=sum(math.ceil(cost) for cost in bits),
        rank_bytes=len(zlib.compress(ranks, 9)),
    )


class _Pack:
    """A pack of integers, evaluated exactly."""

    def __init__(self, name: str, threads: int) -> None:
        model = store.find(name)
        loaded = load(model, threads)
        if loaded.is_circuit:
            raise ModelError("is a circuit, no language model")
        self._native = loaded.native
        self.size = model.bytes

    def tokens(self, text: bytes) -> list[int]:
        return self._native.tokens(text)

    def tell(self, tokens: Sequence[int], window: int) -> list[tuple[float, int]]:
        told = asked(self._native.tell, list(tokens), window, 0)
        return [(nats, rank) for nats, rank, _ in told]


def float_model(name: str) -> Teller:
    """A model of transformers; raises as `CausalModel`."""
    from llmzip.models.transformers_float import CausalModel

    return CausalModel(name)
