"""Probabilistic circuits: trained on a table or a stack of records, saved as packs, and asked.

A row is a code, a small whole number, for each variable. Any of them may be missing: the circuit
sums over what they could be, exactly. numpy is imported when a circuit is asked something.
"""

from __future__ import annotations

import hashlib
import os

from llmzip import _native
from llmzip.asked import asked, need_numpy
from llmzip.errors import CorruptError, ModelError, UsageError
from llmzip.fileio import named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Circuit", "load", "train"]

# Numbers of states that circuits may have.
STATES = (4, 8, 16, 32)
# How often each row is looked at.
PASSES = 10


class Circuit:
    """A circuit from the bytes of its pack (FORMAT.md, 13).

    Wherever rows are asked for, they are integers of shape [n, variables], as `encode` makes them:
    code v of a variable is from 0 to `values[v] - 1`. `missing` is a mask of booleans of the same
    shape, or of shape [variables] for all rows alike: True where the code is not known and not
    looked at. Without it all are known. Other shapes, kinds and codes are a `UsageError`;
    without numpy `MissingPackageError` is raised.

    A variable has all values that its code has bits for, also where the table had fewer: those are
    improbable, not impossible.
    """

    def __init__(self, pack: bytes) -> None:
        """Raises `CorruptError` for a damaged pack, `UnsupportedError` for one of a later kind."""
        self._native = asked(_native.Circuit, pack)
        self._pack = pack
        self._sha256 = ""

    @property
    def pack(self) -> bytes:
        """The bytes that it was made of."""
        return self._pack

    @property
    def sha256(self) -> str:
        """The pack's hash, in hexadecimal digits."""
        if not self._sha256:
            self._sha256 = hashlib.sha256(self._pack).hexdigest()
        return self._sha256

    @property
    def states(self) -> int:
        """States of each hidden variable."""
        return self._native.states

    @property
    def variables(self) -> int:
        """The length of a row."""
        return len(self.values)

    @property
    def values(self) -> tuple[int, ...]:
        """How many values each variable has, 2 to 256."""
        return tuple(self._native.values)

    @property
    def cells(self) -> tuple[int, ...]:
        """Which cell of a line each variable is in, from 0; a large number takes several.

        Cells of free text, and those that are the same in all lines, have no variable. Of a stack,
        which byte of the record.
        """
        return tuple(self._native.cells)

    @property
    def kind(self) -> str:
        """What a row stands for: "table" for a line, "stack" for a record of `stride` bytes."""
        return self._native.kind

    @property
    def lead(self) -> int | None:
        """Bytes of a stack's file before its first record; None of a table."""
        return self._native.lead

    @property
    def stride(self) -> int | None:
        """Bytes of a stack's record; None of a table."""
        return self._native.stride

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the pack; replaces `path` when it is complete. Raises OSError."""
        from llmzip.output import open_output

        with open_output(os.fspath(path), archive=False, force=True, inputs=()) as output:
            output.stream.write(self._pack)
            output.commit()

    def log_prob(self, rows: ArrayLike, missing: ArrayLike | None = None) -> NDArray[np.float64]:
        """The probability of what is known of each row as its natural logarithm: nats, shape [n].

        0 where nothing is known. It is of lines that fit the table, and of their variables alone.
        """
        need_numpy("asking a circuit")
        import numpy as np

        codes, mask = self._rows(rows, missing)
        found = asked(self._native.log_prob, codes.data, mask.data)
        return np.frombuffer(found, np.float64).copy()

    def marginals(
        self, rows: ArrayLike, missing: ArrayLike | None = None
    ) -> list[NDArray[np.float64]]:
        """How probable each value is given what is known of a row: for each variable [n, values].

        Every row of these sums to 1; a known code has all of it. They take 8 bytes for each row and
        value of every variable, twice while they are made: ask for many rows in parts.
        """
        need_numpy("asking a circuit")
        import numpy as np

        codes, mask = self._rows(rows, missing)
        found = asked(self._native.marginals, codes.data, mask.data)
        return [
            np.frombuffer(own, np.float64).reshape(-1, values).copy()
            for own, values in zip(found, self.values, strict=True)
        ]

    def sample(
        self,
        n: int,
        rows: ArrayLike | None = None,
        missing: ArrayLike | None = None,
        seed: int = 0,
    ) -> NDArray[np.uint8]:
        """`n` rows, shape [n, variables], what is missing drawn given what is known.

        rows: one, which all samples share, or `n`, one for each; without it all is missing.
        seed: 0 to 2**64 - 1. A seed gives the same rows on every machine, and fewer of them are the
            first ones of more.
        """
        need_numpy("asking a circuit")
        import numpy as np

        if n < 0 or not 0 <= seed < 2**64:
            raise UsageError(f"{n} samples of seed {seed}: neither is negative, nor a seed 2**64")
        if rows is None:
            if missing is not None:
                raise UsageError("missing is a mask of rows, and none are given")
            rows = np.zeros((1, self.variables), np.uint8)
            missing = np.ones(self.variables, np.bool_)
        codes, mask = self._rows(rows, missing)
        if len(codes) not in (1, n):
            raise UsageError(f"{len(codes)} rows for {n} samples: give one, or one for each")
        found = asked(self._native.sample, n, codes.data, mask.data, seed)
        return np.frombuffer(found, np.uint8).reshape(n, self.variables).copy()

    def encode(self, text: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The rows of a table's lines, and the numbers, from 0, of lines that do not fit it.

        Lines need their line ends. A table may have a number as the change since the line before;
        so has its rows. Of a stack, whole records without the file's first `lead` bytes, all of
        which fit; `UsageError` for others.
        """
        need_numpy("asking a circuit")
        import numpy as np

        found, misfits = asked(self._native.encode, text)
        rows = np.frombuffer(found, np.uint8).reshape(-1, self.variables).copy()
        return rows, np.array(misfits, np.int64)

    def decode(self, rows: ArrayLike, *, skip: bool = False) -> bytes:
        """The lines of rows, or the records: what `encode` had, with empty cells for free text.

        A row that no line has, such as a sample with a value that the table has not, is a
        `UsageError`, or is left out with `skip`.
        """
        codes = self._codes(rows)
        text, misfits = asked(self._native.decode, codes.data)
        if misfits and not skip:
            raise UsageError(f"row {misfits[0]} is that of no line; skip=True leaves such rows out")
        return text

    def _codes(self, rows: ArrayLike) -> NDArray[np.uint8]:
        """Rows as contiguous bytes; variables may have fewer values."""
        need_numpy("asking a circuit")
        import numpy as np

        given = np.asarray(rows)
        if given.ndim != 2 or given.shape[1] != self.variables:
            raise UsageError(f"rows of shape {_shape(given)}, not [n, {self.variables}]")
        if given.dtype.kind not in "iu":
            raise UsageError(f"rows of {given.dtype}: codes are integers")
        if given.dtype != np.uint8 and given.size and (given.min() < 0 or given.max() > 255):
            raise UsageError("rows have codes below 0 or above 255")
        return np.ascontiguousarray(given, np.uint8)

    def _rows(
        self, rows: ArrayLike, missing: ArrayLike | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Rows and their mask as the core takes them, all known codes in range."""
        need_numpy("asking a circuit")
        import numpy as np

        codes = self._codes(rows)
        mask = np.zeros(codes.shape, np.bool_)
        if missing is not None:
            given = np.asarray(missing)
            if given.dtype != np.bool_:
                raise UsageError(f"missing is of {given.dtype}: a mask is of booleans")
            if given.shape not in (codes.shape, codes.shape[1:]):
                raise UsageError(
                    f"missing is of shape {_shape(given)}, not {_shape(codes)} as the rows"
                )
            mask[:] = given
        beyond = (codes >= np.array(self.values)) & ~mask
        if beyond.any():
            row, variable = (int(at) for at in np.argwhere(beyond)[0])
            raise UsageError(
                f"row {row}, variable {variable}: code {codes[row, variable]}, but it has only "
                f"0 to {self.values[variable] - 1}"
            )
        return codes, mask.view(np.uint8)

    def __reduce__(self) -> tuple[type[Circuit], tuple[bytes]]:
        return Circuit, (self._pack,)

    def __repr__(self) -> str:
        return (
            f"<Circuit of a {self.kind}: {self.variables} variables, {self.states} states, "
            f"sha256 {self.sha256[:12]}>"
        )


def load(path_or_name: str | os.PathLike[str]) -> Circuit:
    """The circuit of a pack: the path of its file, or what the store of models knows it by.

    Raises `ModelError` where there is none, `CorruptError` and `UnsupportedError` as `Circuit`,
    and OSError.
    """
    path = os.fspath(path_or_name)
    if not os.path.isfile(path):
        from llmzip.models import store

        path = store.find(path).path
    from llmzip.models.loaded import CIRCUIT_MAGIC

    try:
        with open(path, "rb") as file:
            pack = file.read(len(CIRCUIT_MAGIC))
            if pack != CIRCUIT_MAGIC:
                raise ModelError(
                    f"{path} is no circuit; llmzip.pc.train makes one, and save a file"
                )
            pack += file.read()
    except OSError as error:
        raise named(error, path) from None
    try:
        return Circuit(pack)
    except CorruptError as error:
        raise CorruptError(f"{path}: {error}") from None


def train(
    data: bytes,
    states: int = 16,
    passes: int = PASSES,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Circuit:
    """Trains a circuit on `data`, a table of text or a stack of records (idx, npy) of bytes.

    states: 4, 8, 16 or 32 of each hidden variable. passes: how often each row is looked at.
    threads: 0 means one for each core; the circuit does not depend on it.
    progress: called after each pass with the number of passes done; what it raises ends all.

    Raises `UsageError` for other data, for data with too many columns, and for other settings.
    """
    from queue import SimpleQueue
    from threading import Thread

    from llmzip.workers import cores

    if states not in STATES or passes < 0 or threads < 0:
        raise UsageError(
            f"{states} states, {passes} passes, {threads} threads: states are 4, 8, 16 or 32, "
            "and none is negative"
        )
    # Passes done, and at last what came of it.
    heard: SimpleQueue[int | bytes | BaseException] = SimpleQueue()
    ended = False

    def passed(done: int) -> None:
        if ended:
            raise InterruptedError
        heard.put(done)

    def run() -> None:
        try:
            heard.put(asked(_native.train, data, states, passes, threads or cores(), passed))
        except BaseException as error:
            heard.put(error)

    # In a thread of its own, so that ctrl-C gets through.
    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        while isinstance(outcome := heard.get(), int):
            if progress is not None:
                progress(outcome)
    finally:
        ended = True
        thread.join()
    if isinstance(outcome, BaseException):
        raise outcome
    return Circuit(outcome)


def _shape(array: NDArray[Any]) -> str:
    return "[" + ", ".join(str(side) for side in array.shape) + "]"
