"""From a model's files to a pack."""

from __future__ import annotations

import os

from llmzip.errors import CorruptError, MissingPackageError, UsageError
from llmzip.fileio import named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from llmzip.models.checkpoint import Checkpoint
    from llmzip.models.pack import Config

    _Made = TypeVar("_Made")

# Versions of the importer: a pack names the one that made it, and each stays able to make its packs
# again. A change of a pack's bytes is a new version beside the old ones.
NEWEST = 1
VERSIONS = (1,)

_SIZES = ("layers", "hidden", "heads", "kv_heads", "head_size", "ffn", "vocab", "context")


def import_model(
    path: str, *, importer: int = NEWEST, progress: Callable[[str], None] | None = None
) -> bytes:
    """The pack of the model at `path`: a GGUF file or a Hugging Face folder.

    importer: version of the importer. progress: called with the name of every matrix.

    Raises `UnsupportedError` for what llmzip does not evaluate, `CorruptError` for damaged files,
    `MissingPackageError` without numpy, `UsageError` for another kind of file, and OSError.
    """
    require(importer)
    return with_checkpoint(path, lambda found: _build(found, importer, progress))


def with_checkpoint(path: str, use: Callable[[Checkpoint], _Made]) -> _Made:
    """What `use` makes of the model at `path`, whose tensors it may read and which has all bytes.

    Raises as `import_model` does.
    """
    _need_numpy()
    if os.path.isdir(path):
        from llmzip.models import huggingface

        if not huggingface.is_folder(path):
            raise UsageError("no config.json, so no folder of a model; name one, or a GGUF file")
        return use(_completed(huggingface.read(path)))
    from llmzip.models import gguf
    from llmzip.tensors.gguf import claims

    try:
        with open(path, "rb") as source:
            size = os.fstat(source.fileno()).st_size
            if not claims(source.read(8)):
                raise UsageError("no GGUF file; name one, or the folder of a model")
            return use(_completed(gguf.read(source, size)))
    except OSError as error:
        raise named(error, path) from None


def require(importer: int) -> None:
    """Raises `UsageError` unless there is an importer of that version."""
    if importer not in VERSIONS:
        known = ", ".join(map(str, VERSIONS))
        raise UsageError(f"there is no importer {importer}; versions are: {known}")


def _completed(checkpoint: Checkpoint) -> Checkpoint:
    """Byte-level vocabularies may lack bytes that UTF-8 never or seldom has: they get tokens."""
    _check(checkpoint.config)
    vocabulary, tensors = checkpoint.vocabulary, checkpoint.tensors
    missing = len(vocabulary.missing())
    if missing:
        tensors = tensors.with_rows(missing, vocabulary.lender())
        vocabulary = vocabulary.completed()
    config = checkpoint.config.replace(vocab=len(vocabulary.tokens))
    return checkpoint.replace(config=config, vocabulary=vocabulary, tensors=tensors)


def _build(checkpoint: Checkpoint, importer: int, progress: Callable[[str], None] | None) -> bytes:
    from llmzip.models import pack, packfile

    config = checkpoint.config.replace(importer=importer)
    made = pack.build(config, checkpoint.tensors, checkpoint.vocabulary.rules(), progress)
    packfile.check(made)
    return made


def _check(config: Config) -> None:
    """Refuses what is no number, or no size at all."""
    for name in _SIZES:
        value = getattr(config, name)
        if type(value) is not int or not 0 < value < 1 << 31:
            raise CorruptError(f"the model's {name} is {value!r}; get it again")
    if not config.rope_theta < 1e300 or not all(0 < each < 1e300 for each in config.rope_factors):
        raise CorruptError("the rotary embedding has no finite base and factors; get it again")


def _need_numpy() -> None:
    try:
        import numpy  # noqa: F401
    except ModuleNotFoundError:
        raise MissingPackageError(
            "importing a model needs numpy: pip install 'llmzip[models]', or pip install numpy"
        ) from None
