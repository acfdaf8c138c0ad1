"""A language model as its makers publish it, whatever the format: what a pack is built from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmzip.errors import UnsupportedError
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy import float32
    from numpy.typing import NDArray

    from llmzip.models.arrays import Nibbles
    from llmzip.models.pack import Config
    from llmzip.models.tokenizer import Vocabulary

# Tensors with a row for each token.
EMBEDDING = "embed_tokens.weight"
HEAD = "lm_head.weight"


class Checkpoint(Record):
    """config: the model's shape; its `vocab` is that of the weights.

    tensors: float32 arrays, or nibbles, by the names that `pack.build` takes, each read when it is asked for.
    """

    config: Config
    vocabulary: Vocabulary
    tensors: Tensors


class Tensors(Mapping[str, "NDArray[float32] | Nibbles"]):
    """Arrays that are read when they are asked for, and not kept."""

    def __init__(self, readers: Mapping[str, Callable[[], NDArray[float32] | Nibbles]]) -> None:
        self._readers = dict(readers)

    def __getitem__(self, name: str) -> NDArray[float32] | Nibbles:
        return self._readers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)

    # Mapping's own would read the array to see whether it is there.
    def __contains__(self, name: object) -> bool:
        return name in self._readers

    def with_rows(self, count: int, like: int) -> Tensors:
        """The same, where tensors with a row for each token have `count` more, as row `like`."""

        def longer(
            read: Callable[[], NDArray[float32] | Nibbles],
        ) -> NDArray[float32] | Nibbles:
            import numpy as np

            from llmzip.models.arrays import Nibbles

            def repeated(array: NDArray[Any]) -> NDArray[Any]:
                return np.concatenate([array, np.repeat(array[like : like + 1], count, axis=0)])

            found = read()
            return found.of(repeated) if isinstance(found, Nibbles) else repeated(found)

        readers = dict(self._readers)
        for name in (EMBEDDING, HEAD):
            if name in readers:
                read = readers[name]
                readers[name] = lambda read=read: longer(read)  # type: ignore[misc]
        return Tensors(readers)


def unsupported(what: str) -> UnsupportedError:
    """The error for a model that llmzip cannot evaluate."""
    return UnsupportedError(f"{what} is not supported; choose another model of the Llama family")


def flag(values: Mapping[str, Any], key: str, allowed: object) -> None:
    """Refuses a setting that is given and has another value than `allowed`."""
    value = values.get(key)
    if value is not None and value != allowed:
        raise unsupported(f"{key} = {value!r}")
