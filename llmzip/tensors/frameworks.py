"""Arrays of numpy and tensors of PyTorch over memory that llmzip fills; imported when asked for."""

from __future__ import annotations

from importlib import import_module

from llmzip.errors import MissingPackageError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from llmzip.tensors.table import Tensor

    class Framework(Protocol):
        """What makes arrays of one kind."""

        def empty(self, tensor: Tensor, shape: tuple[int, ...]) -> tuple[Any, memoryview]:
            """An array of `shape` of the tensor's elements, and its memory, to be filled."""

        def to(self, array: Any, device: Any) -> Any:
            """The filled array, on `device`."""

        def dtype(self, array: Any) -> str:
            """safetensors' name of the array's element type; `UsageError` if it has none."""

        def shape(self, array: Any) -> tuple[int, ...]:
            """The array's shape."""

        def width(self, array: Any) -> int:
            """Bytes of an element."""

        def bytes_of(self, array: Any) -> tuple[Any, memoryview]:
            """The array's bytes, little-endian, and what keeps them alive."""


# safetensors' names, then numpy's and PyTorch's; numpy has those with a dot from ml_dtypes.
_NUMPY = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "ml_dtypes.bfloat16",
    "F8_E4M3": "ml_dtypes.float8_e4m3fn",
    "F8_E5M2": "ml_dtypes.float8_e5m2",
    "F8_E4M3FNUZ": "ml_dtypes.float8_e4m3fnuz",
    "F8_E5M2FNUZ": "ml_dtypes.float8_e5m2fnuz",
    "F8_E8M0": "ml_dtypes.float8_e8m0fnu",
    "C64": "complex64",
    "I64": "int64",
    "U64": "uint64",
    "I32": "int32",
    "U32": "uint32",
    "I16": "int16",
    "U16": "uint16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
_TORCH = {name: of.removeprefix("ml_dtypes.") for name, of in _NUMPY.items()}


def package(name: str, why: str) -> Any:
    """The package `name`; `MissingPackageError` says how to get it."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise MissingPackageError(f"{why} needs {name}: pip install {name}") from None


def framework(name: str) -> Framework:
    """The one called "np" or "numpy", "pt" or "torch"."""
    if name in ("np", "numpy"):
        return _Numpy()
    if name in ("pt", "torch", "pytorch"):
        return _Torch()
    raise UsageError(f"framework {name!r} is not known; there are: np, pt")


class _Numpy:
    def __init__(self) -> None:
        self._np = package("numpy", 'framework="np"')

    def _dtype(self, name: str) -> Any:
        known = _NUMPY.get(name, "uint8")
        if not known.startswith("ml_dtypes."):
            return self._np.dtype(known)
        extra = package("ml_dtypes", f"numpy has no {name} of its own: it")
        return self._np.dtype(getattr(extra, known.partition(".")[2]))

    def empty(self, tensor: Tensor, shape: tuple[int, ...]) -> tuple[Any, memoryview]:
        dtype = self._dtype(tensor.dtype)
        count = dtype.itemsize
        for side in shape:
            count *= side
        # Through bytes, since types of ml_dtypes have no buffer.
        memory = self._np.empty(count, self._np.uint8)
        return memory.view(dtype).reshape(shape), memoryview(memory)

    def to(self, array: Any, device: Any) -> Any:
        if str(device) != "cpu":
            raise UsageError(f"numpy has no device {device!r}; use framework='pt'")
        return array

    def dtype(self, array: Any) -> str:
        for name, known in _NUMPY.items():
            if array.dtype.name == known.removeprefix("ml_dtypes."):
                return name
        raise UsageError(f"safetensors has no type for {array.dtype}")

    def shape(self, array: Any) -> tuple[int, ...]:
        return tuple(map(int, array.shape))

    def width(self, array: Any) -> int:
        return int(array.itemsize)

    def bytes_of(self, array: Any) -> tuple[Any, memoryview]:
        np = self._np
        array = np.ascontiguousarray(array)
        if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and _big_endian()):
            array = array.byteswap()
        flat = array.reshape(-1).view(np.uint8)
        return flat, memoryview(flat)


class _Torch:
    def __init__(self) -> None:
        self._torch = package("torch", 'framework="pt"')

    def empty(self, tensor: Tensor, shape: tuple[int, ...]) -> tuple[Any, memoryview]:
        known = _TORCH.get(tensor.dtype, "uint8")
        dtype = getattr(self._torch, known, None)
        if dtype is None:
            version = self._torch.__version__
            raise UsageError(f"PyTorch {version} has no {known}: install a later one")
        array = self._torch.empty(shape, dtype=dtype)
        return array, self._memory(array)

    def _memory(self, array: Any) -> memoryview:
        """The tensor's bytes, without numpy, which PyTorch can do without."""
        import ctypes

        length = array.numel() * array.element_size()
        if not length:
            return memoryview(bytearray())
        return memoryview((ctypes.c_ubyte * length).from_address(array.data_ptr())).cast("B")

    def to(self, array: Any, device: Any) -> Any:
        return array if str(device) == "cpu" else array.to(device)

    def dtype(self, array: Any) -> str:
        for name, known in _TORCH.items():
            if array.dtype == getattr(self._torch, known, None):
                return name
        raise UsageError(f"safetensors has no type for {array.dtype}")

    def shape(self, array: Any) -> tuple[int, ...]:
        return tuple(map(int, array.shape))

    def width(self, array: Any) -> int:
        return int(array.element_size())

    def bytes_of(self, array: Any) -> tuple[Any, memoryview]:
        if _big_endian():
            raise UsageError("PyTorch tensors are saved on little-endian machines alone")
        array = array.detach().cpu().contiguous()
        return array, self._memory(array)


def _big_endian() -> bool:
    import sys

    return sys.byteorder == "big"
