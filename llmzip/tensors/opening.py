"""`safe_open`: tensors by name, out of archives and plain files, as safetensors has it."""

from __future__ import annotations

from math import prod

from llmzip.errors import UsageError
from llmzip.tensors.content import Content
from llmzip.tensors.frameworks import framework as framework_of
from llmzip.tensors.table import Table, Tensor, array_shape, read_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from types import TracebackType
    from typing import Any

    from llmzip.limits import Limits
    from llmzip.tensors.frameworks import Framework


class safe_open:
    """The tensors of a file: a `.llmz` archive of one, or the file itself.

    filename: a path; the file is mapped into memory and must not change.
    framework: "np" or "numpy", "pt" or "torch".
    device: where PyTorch's tensors go.
    threads: segments decoded at a time for one tensor; 0 means one for each core.
    base: as in `llmzip.LlmzFile`.

    Has the methods of `safetensors.safe_open`. The formats are those that `llmzip compress` cuts
    along tensors. A tensor is decoded when it is asked for, straight into its own memory, and
    checked; no other is read. Elements in blocks or pairs (GGUF's Q4_0 and the like, F4) and those
    of unknown types come as unsigned bytes: the last side of the shape then counts bytes.

    Raises `UsageError` where the file has no tensors that llmzip knows of, `NoSuchTensorError`,
    `MissingPackageError`, and what reading an archive raises.
    """

    def __init__(
        self,
        filename: str | os.PathLike[Any],
        framework: str = "np",
        device: Any = "cpu",
        *,
        threads: int = 0,
        limits: Limits | None = None,
        base: str | None = None,
    ) -> None:
        self._framework: Framework = framework_of(framework)
        self._device = device
        self._threads = threads
        self._content: Content | None = Content(filename, limits, base)
        self._table: Table = read_table(self._content.reader(), self._content.size)

    def __enter__(self) -> safe_open:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._content = None

    def keys(self) -> list[str]:
        """The names of all tensors, sorted."""
        return sorted(self._table.tensors)

    def offset_keys(self) -> list[str]:
        """The names of all tensors, in the order in which they lie in the file."""
        return list(self._table.tensors)

    def metadata(self) -> dict[str, str] | None:
        """What the file says of itself; None where it says nothing."""
        return self._table.metadata

    def get_tensor(self, name: str) -> Any:
        """The tensor called `name`."""
        tensor = self._table.find(name)
        return self._read(tensor, array_shape(tensor), tensor.begin)

    def get_slice(self, name: str) -> Slice:
        """The tensor called `name`, of which only what is indexed will be decoded."""
        return Slice(self, self._table.find(name))

    def _read(self, tensor: Tensor, shape: tuple[int, ...], begin: int) -> Any:
        if self._content is None:
            raise UsageError("the file was closed: use it within its `with` block")
        array, memory = self._framework.empty(tensor, shape)
        self._content.read_into(begin, memory, self._threads)
        return self._framework.to(array, self._device)


class Slice:
    """A tensor to be indexed: `[...]` decodes the rows that its first index asks for."""

    def __init__(self, file: safe_open, tensor: Tensor) -> None:
        self._file = file
        self._tensor = tensor
        self._shape = array_shape(tensor)

    def get_shape(self) -> list[int]:
        """Its shape, as `safe_open.get_tensor` would have it."""
        return list(self._shape)

    def get_dtype(self) -> str:
        """safetensors' name of its element type."""
        return self._tensor.dtype

    def __getitem__(self, index: Any) -> Any:
        indexes = index if isinstance(index, tuple) else (index,)
        first = indexes[0] if indexes else Ellipsis
        if not self._shape or not isinstance(first, (int, slice)) or isinstance(first, bool):
            return self._rows(0, self._shape[0] if self._shape else 0)[index]
        rows = self._shape[0]
        if isinstance(first, int):
            row = first + rows if first < 0 else first
            if not 0 <= row < rows:
                raise IndexError(f"index {first} of {rows} rows of {self._tensor.name!r}")
            return self._rows(row, row + 1)[(0, *indexes[1:])]
        start, stop, step = first.indices(rows)
        if step < 1:
            raise UsageError("a slice of a tensor goes forward: reverse what it gives")
        stop = max(start, stop)
        return self._rows(start, stop)[(slice(None, None, step), *indexes[1:])]

    def _rows(self, start: int, stop: int) -> Any:
        tensor, shape = self._tensor, self._shape
        if not shape:
            return self._file._read(tensor, shape, tensor.begin)
        width = (tensor.end - tensor.begin) // max(shape[0], 1)
        if not prod(shape):
            width = 0
        part = (stop - start, *shape[1:])
        return self._file._read(tensor, part, tensor.begin + start * width)
