"""Text from a compressor: what predicts the next symbol can also be asked for one.

As papers do to show what a compressor has learnt. A seed gives the same text on every machine:
probabilities are integers, and draws are those of `random.Random`.
"""

from __future__ import annotations

from random import Random

from llmzip import _native, route
from llmzip.asked import asked
from llmzip.errors import UsageError
from llmzip.options import DEFAULT_LEVEL
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmzip.models.loaded import Loaded

# What `cm` chooses its contexts by where there is nothing else: text.
_TEXT = b"The settings are those for text.\n" * 20
_SAMPLE = 1 << 20
# Thousandths; beyond it everything is as likely as anything.
_HOTTEST = 100.0
_UNIT = 1000


def generate(
    prompt: bytes | str,
    model: str = "cm",
    *,
    length: int = 1000,
    seed: int = 0,
    temperature: float = 1.0,
    prime: bytes | str | None = None,
    level: int = DEFAULT_LEVEL,
    threads: int = 0,
) -> bytes:
    """What a model says comes after `prompt`: `length` bytes, without the prompt.

    model: "cm", which learns `prime`, the prompt, and what it says itself; or a language model,
        named as in `compress`, which reads `prime` and the prompt as far as its window reaches.
    temperature: 1 draws by the model's probabilities, less keeps to what is likelier, 0 takes the
        likeliest always; up to 100, in steps of 1/1000.
    prime: what is read before the prompt. Without, `cm` reads the primer of 48 KB that comes with
        llmzip, a language model nothing.
    level: of `cm`, 3 to 9. threads: of a language model; the text does not depend on it.

    Strings are encoded as UTF-8; the last character may be cut.
    Raises `UsageError` for other numbers, `ModelError` where there is no such model.
    """
    drawing = Drawing(length, seed, temperature, prime, level, threads)
    return b"".join(stream(prompt, model, drawing))


class Drawing(Record):
    """How to draw, as `generate` has it."""

    length: int = 1000
    seed: int = 0
    temperature: float = 1.0
    prime: bytes | str | None = None
    level: int = DEFAULT_LEVEL
    threads: int = 0

    def __post_init__(self) -> None:
        if self.length < 0 or not 0 <= self.temperature <= _HOTTEST:
            numbers = f"{self.length} bytes at temperature {self.temperature}"
            raise UsageError(f"{numbers}: from 0, and 0 to 100")


def stream(prompt: bytes | str, model: str, drawing: Drawing) -> Iterator[bytes]:
    """As `generate`, piece by piece: bytes of `cm`, tokens of a language model."""
    length = drawing.length
    random = Random(drawing.seed)
    thousandths = round(drawing.temperature * _UNIT)
    start = _bytes(prompt)
    before = None if drawing.prime is None else _bytes(drawing.prime)
    if model == "cm":
        said = _by_mixing(start, before, drawing.level, length, random, thousandths)
    else:
        said = _by_model((before or b"") + start, model, drawing.threads, random, thousandths)
    for piece in said:
        if length <= len(piece):
            yield piece[:length]
            return
        length -= len(piece)
        yield piece


def _bytes(text: bytes | str) -> bytes:
    return text.encode(errors="surrogateescape") if isinstance(text, str) else bytes(text)


def _by_mixing(
    prompt: bytes, prime: bytes | None, level: int, length: int, random: Random, temperature: int
) -> Iterator[bytes]:
    if not 3 <= level <= 9:
        raise UsageError(f"level {level} predicts nothing: use 3 to 9")
    if prime is None:
        # From there on models of text have read it.
        prime = b"" if level >= 7 else _native.primer()
    sample = (prime + prompt)[:_SAMPLE] or _TEXT
    settings = _native.settings("cm", 1, level, sample)
    mixer = asked(_native.ContextMixer, settings, len(prime) + len(prompt) + length)
    mixer.read(prime)
    mixer.read(prompt)
    while True:
        byte = mixer.pick(temperature, random.getrandbits(64))
        if byte is None:
            raise UsageError("the prompt looks like pixels, which cm does not draw byte by byte")
        said = bytes([byte])
        yield said
        mixer.read(said)


def _by_model(
    text: bytes, name: str, threads: int, random: Random, temperature: int
) -> Iterator[bytes]:
    model = _language(name, threads)
    session = asked(_native.Session, model.native, model.native.context)
    asked(session.advance, model.native.tokens(text))
    while True:
        token, said = session.pick(temperature, random.getrandbits(64))
        yield said
        asked(session.advance, [token])


def _language(name: str, threads: int) -> Loaded:
    from llmzip.models.loaded import named

    return route.language(named(name, threads))
