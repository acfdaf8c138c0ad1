"""What the Rust core answers, its errors as ours; and numpy, where that is needed."""

from __future__ import annotations

from llmzip import _native
from llmzip.errors import (
    CorruptError,
    MissingPackageError,
    SetupError,
    UnsupportedError,
    UsageError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    _Made = TypeVar("_Made")


def asked(call: Callable[..., _Made], *arguments: Any) -> _Made:
    """What `call` of the core answers.

    Raises `CorruptError`, `UnsupportedError`, `SetupError` and `UsageError` for its errors.
    """
    try:
        return call(*arguments)
    except _native.CorruptData as error:
        raise CorruptError(str(error)) from None
    except _native.UnsupportedData as error:
        raise UnsupportedError(f"{error}: update llmzip") from None
    except _native.SetupFailed as error:
        raise SetupError(str(error)) from None
    except ValueError as error:
        raise UsageError(str(error)) from None


def need_numpy(what: str) -> None:
    """Raises `MissingPackageError` where numpy, which `what` needs, is not installed."""
    try:
        import numpy  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise MissingPackageError(f"{what} needs numpy: pip install numpy") from None
