"""Windows of equal information: text as symbols of a fixed width, each of which decodes alone.

After "Training LLMs over Neurally Compressed Text" (Lester and others, 2024): text is cut where
its compressed form fills a window of so many bits, and coder and context begin anew with each. So
a window is a token: it holds many bytes where these were easy to predict, and few where they were
not. Here it holds whole bytes, at least one, and any value of a symbol decodes.

numpy is imported when text is encoded.
"""

from __future__ import annotations

import hashlib
import os
from _thread import allocate_lock

from llmzip import _native
from llmzip.asked import asked, need_numpy
from llmzip.errors import UsageError
from llmzip.fileio import named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from _typeshed import ReadableBuffer
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Model", "decode", "encode"]

# Levels whose models can be asked without learning.
LEVELS = range(3, 7)
# Settings of `cm` for text are made of what looks like text.
_TEXT = b"The settings are those for text, whatever is in it.\n" * 20
# Room that a model needs beside what it reads; a restart takes some.
_SPARE = 1 << 13
_RESTART = 8


class Model:
    """What windows are coded by: a context mixer that has learnt a text, and learns no more.

    prime: the text, the more like what is to be encoded the better. level: 3 to 6. piece: bytes
    of the text that are learnt at a time as if nothing came before: about as many as a window
    will hold, since that is where the model will be asked.

    Both ends need the same prime, level and piece, which `fingerprint` tells. It can be pickled,
    and used in several threads, one at a time.
    """

    def __init__(self, prime: ReadableBuffer, level: int = 5, piece: int = 16) -> None:
        """Raises `UsageError` for another level or piece, `SetupError` where memory is short."""
        if level not in LEVELS or piece < 1:
            raise UsageError(f"level {level}, pieces of {piece} bytes: from 3 to 6, at least 1")
        self._prime = bytes(prime)
        self._level, self._piece = level, piece
        self._lock = allocate_lock()
        pieces = -(-len(self._prime) // piece)
        room = len(self._prime) + _RESTART * (pieces + 1) + _SPARE
        settings = _native.settings("cm", 1, level, _TEXT)
        self._native = asked(_native.ContextMixer, settings, room)
        for at in range(0, len(self._prime), piece):
            self._native.restart()
            self._native.read(self._prime[at : at + piece])
        self._native.restart()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of prime, level and piece, in hexadecimal: what decoding needs to be equal."""
        what = f"cm {self._level} {self._piece}\n".encode()
        return hashlib.sha256(what + self._prime).hexdigest()

    def encode(self, text: ReadableBuffer | str, bits: int = 16) -> NDArray[np.unsignedinteger]:
        """Symbols of `bits` bits, 8 to 32, shape [n]: uint8, uint16 or uint32, the least that fits.

        A string is encoded as UTF-8. Every byte string has symbols; the empty one has none.
        """
        kind = _kind(bits)
        import numpy as np

        data = text.encode() if isinstance(text, str) else text
        with self._lock:
            return np.array(asked(self._native.windows, bits, data), kind)

    def decode(self, symbols: ArrayLike, bits: int = 16) -> bytes:
        """The text of symbols, of all or of any of them: windows do not know of each other.

        Raises `UsageError` for what is no integer from 0 to `2**bits - 1`.
        """
        _kind(bits)
        import numpy as np

        given = np.asarray(symbols)
        if given.ndim > 1 or (given.size and given.dtype.kind not in "iu"):
            raise UsageError(f"symbols of {given.dtype} and {given.ndim} dimensions: one of int")
        if given.size and (given.min() < 0 or given.max() >> bits):
            raise UsageError(f"symbols of {bits} bits are from 0 to {(1 << bits) - 1:,}")
        wanted = given.reshape(-1).tolist() if given.size else []
        with self._lock:
            return asked(self._native.text, bits, wanted)

    def __reduce__(self) -> tuple[type[Model], tuple[bytes, int, int]]:
        return Model, (self._prime, self._level, self._piece)

    def __repr__(self) -> str:
        return (
            f"<Model of {len(self._prime):,} bytes, level {self._level}, pieces of {self._piece}, "
            f"fingerprint {self.fingerprint[:12]}>"
        )


def encode(
    text: ReadableBuffer | str, bits: int = 16, model: Model | str | os.PathLike[str] | None = None
) -> NDArray[np.unsignedinteger]:
    """As `Model.encode`. model: one, or the path of a text to prime one with.

    Without, the model has learnt the primer that comes with llmzip: 48 KB of English and code.
    """
    return _model(model).encode(text, bits)


def decode(
    symbols: ArrayLike, bits: int = 16, model: Model | str | os.PathLike[str] | None = None
) -> bytes:
    """As `Model.decode`, with the model that `encode` had."""
    return _model(model).decode(symbols, bits)


# The last model that was named by what: priming takes seconds for a megabyte.
_lock = allocate_lock()
_last: tuple[Any, Model] | None = None


def _model(wanted: Model | str | os.PathLike[str] | None) -> Model:
    global _last
    if isinstance(wanted, Model):
        return wanted
    with _lock:
        if wanted is None:
            key: Any = None
        else:
            try:
                status = os.stat(wanted)
            except OSError as error:
                raise named(error, os.fspath(wanted)) from None
            key = (os.path.abspath(wanted), status.st_mtime_ns, status.st_size)
        if _last is None or _last[0] != key:
            prime = _native.primer() if wanted is None else _read(wanted)
            _last = key, Model(prime)
        return _last[1]


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise named(error, os.fspath(path)) from None


def _kind(bits: int) -> type[np.unsignedinteger]:
    need_numpy("encoding windows")
    import numpy as np

    if not 8 <= bits <= 32:
        raise UsageError(f"windows of {bits} bits: from 8 to 32")
    return np.uint8 if bits == 8 else np.uint16 if bits <= 16 else np.uint32
