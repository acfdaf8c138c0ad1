"""Language models and circuits that are ready to predict, each in memory once."""

from __future__ import annotations

import weakref
from _thread import allocate_lock

from llmzip import _native
from llmzip.container import EMBEDDED, MODEL, ModelRef
from llmzip.errors import CorruptError, ModelError, SetupError, UnsupportedError
from llmzip.models import store
from llmzip.workers import cores

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    from llmzip.models.store import Model

AnyLoaded: TypeAlias = "Loaded | LoadedCircuit"

# What stands in an archive at most.
_MOST_NAME = 64


# How packs of circuits begin; FORMAT.md, section 13.
CIRCUIT_MAGIC = b"\xf6LZCIRC\n"


class LoadedCircuit:
    """A trained circuit; `ref` is what an archive's metadata says of it.

    pack: of the sha256 that is given. place: where it is, for errors.
    """

    is_circuit: Literal[True] = True

    def __init__(self, pack: bytes, sha256: bytes, name: str, place: str) -> None:
        try:
            self.native = _native.Circuit(pack)
        except _native.CorruptData as error:
            raise CorruptError(f"{place}: {error}") from None
        except _native.UnsupportedData as error:
            raise UnsupportedError(f"{place}: {error}: update llmzip") from None
        self.ref = ModelRef(MODEL, sha256, len(pack), name[:_MOST_NAME])
        self.pack = pack

    @property
    def embedded(self) -> ModelRef:
        """What the metadata of an archive says that brings it."""
        return self.ref.replace(kind=EMBEDDED)

    def give(self, coder: _native.Encoder | _native.Decoder, language: bool) -> None:
        """Hands it to a coder, which wants a language model or a circuit."""
        if language:
            raise ModelError(f"{self.ref.name or 'the model'} is a circuit, no language model")
        coder.set_circuit(self.native)

    def memory(self, settings: bytes) -> int:
        """Bytes that a segment with these settings takes, the pack's among them."""
        return self.ref.length + self.native.memory


class Loaded:
    """A language model; `ref` is what an archive's metadata says of it, `native` what coders take.

    pack: of the sha256 that is given; `native` keeps a copy. place: where it is, for errors.
    """

    is_circuit: Literal[False] = False

    def __init__(self, pack: bytes, sha256: bytes, name: str, place: str, threads: int) -> None:
        try:
            self.native = _native.Model(pack, threads)
        except _native.CorruptData as error:
            raise CorruptError(f"{place}: {error}; import the model again") from None
        except _native.UnsupportedData as error:
            raise UnsupportedError(f"{place}: {error}: update llmzip") from None
        except _native.SetupFailed as error:
            raise SetupError(str(error)) from None
        self.ref = ModelRef(MODEL, sha256, len(pack), name[:_MOST_NAME])

    @property
    def pack(self) -> bytes:
        """The pack, copied at every call."""
        return self.native.pack

    @property
    def embedded(self) -> ModelRef:
        """What the metadata of an archive says that brings it."""
        return self.ref.replace(kind=EMBEDDED)

    def give(self, coder: _native.Encoder | _native.Decoder, language: bool) -> None:
        """Hands it to a coder, which wants a language model or a circuit."""
        if not language:
            raise ModelError(f"{self.ref.name or 'the model'} is a language model, no circuit")
        coder.set_model(self.native)

    def memory(self, settings: bytes) -> int:
        """Bytes that a segment with these settings takes, the pack's among them."""
        return self.ref.length + self.native.memory(settings)


def _take_up(pack: bytes, sha256: bytes, name: str, place: str, threads: int) -> AnyLoaded:
    if pack.startswith(CIRCUIT_MAGIC):
        return LoadedCircuit(pack, sha256, name, place)
    return Loaded(pack, sha256, name, place, threads)


_lock = allocate_lock()
_loaded: weakref.WeakValueDictionary[tuple[str, int], AnyLoaded] = weakref.WeakValueDictionary()


def load(model: Model, threads: int) -> AnyLoaded:
    """Reads and checks a model; the one that is in memory, if somebody has it.

    threads: how many evaluate it at a time; 0 means one for each core.

    Raises `CorruptError`, `UnsupportedError`, `SetupError`, OSError.
    """
    key = (model.sha256, threads or cores())
    with _lock:
        found = _loaded.get(key)
        if found is None:
            sha256 = bytes.fromhex(model.sha256)
            found = _take_up(store.read(model), sha256, model.name, model.path, key[1])
            _loaded[key] = found
        return found


def brought(ref: ModelRef, read: Callable[[], bytes], threads: int) -> AnyLoaded:
    """The model that an archive brings, which `read` gives and has checked; as `load`."""
    key = (ref.sha256.hex(), threads or cores())
    with _lock:
        found = _loaded.get(key)
        if found is None:
            place = "the model that the archive brings"
            found = _take_up(read(), ref.sha256, ref.name, place, key[1])
            _loaded[key] = found
        return found


def named(wanted: str, threads: int) -> AnyLoaded:
    """The model `wanted`, as `store.find` takes it; `ModelError` where there is none."""
    try:
        return load(store.find(wanted), threads)
    except ModelError as error:
        raise ModelError(f"model {wanted}: {error}") from None


def find(ref: ModelRef, given: str | None) -> Model:
    """The model that an archive names: in the store, or what `given` names.

    Raises `ModelError` where it is not there; the message says how to get it.
    """
    sha256 = ref.sha256.hex()
    other = ""
    if given is not None:
        try:
            model = store.find(given)
        except ModelError as error:
            raise ModelError(f"model {given}: {error}") from None
        if model.sha256 == sha256:
            return model
        other = f"; {given} is another one, {model.sha256}"
    for model in store.models():
        if model.sha256 == sha256:
            return model
    raise ModelError(
        f"the archive needs the model {ref.name or 'without a name'!r} (sha256 {sha256}, "
        f"{ref.length:,} bytes){other}; {_remedy(ref.name)}"
    )


def _remedy(name: str) -> str:
    from llmzip.models.pull import KNOWN

    if name in KNOWN:
        return f"llmzip models pull {name} gets it"
    return "llmzip models import PATH takes it in, or name its pack with -m"
