"""What a pickle of PyTorch says of tensors, from a disassembly: nothing is imported or called.

A machine follows the opcodes over values of its own: containers become a `Node`, calls of the
functions that rebuild tensors a `Tensor`, and everything else that is built a `Node` too, so that
tensors within it are still found.
"""

from __future__ import annotations

import pickletools
from io import BytesIO

from llmzip.record import Record
from llmzip.tensors.kinds import MAX_DIMENSIONS
from llmzip.tensors.region import MAX_LABEL, Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

# A checkpoint of 30,000 tensors has about as many.
_MAX_OPCODES = 2_000_000
# What a walk copies must be short: a pickle may name it again and again.
_MAX_GLOBAL = 1000

# Functions that make a tensor of storage, offset, size and stride; others give back their first
# argument.
_REBUILD = {
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_qtensor",
}
_DTYPE_ARGUMENT = 6
_PASS = {
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
}
_FROM_TYPE = {"torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2"}
# Attributes of a module that no name of a tensor contains.
_PLUMBING = {"_parameters", "_buffers", "_modules"}


class Storage(Record):
    """Bytes of a file of their own: the class they have in PyTorch, their key, their elements."""

    type: str
    key: str
    count: int


class Tensor(Record):
    """A view of a storage: `offset`, `size` and `stride` in elements; `dtype` may be ""."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str = ""


class _Global:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Node:
    """A container or an object: what it holds, with the keys it holds it under."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[tuple[object, object]] = []


def _numbers(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple) or len(value) > MAX_DIMENSIONS:
        raise Malformed("no size of a tensor")
    if any(type(number) is not int for number in value):
        raise Malformed("no size of a tensor")
    return value


class Machine:
    """Follows a pickle; `storages` has what it met, `root` what it built, once it is through."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self.root: object = None
        self._stack: list[object] = []
        self._below: list[list[object]] = []
        self._memo: dict[int, object] = {}

    def run(self, data: bytes | BytesIO) -> None:
        """Follows the pickle `data`; `Malformed` where it is none, or does what is not known.

        A file is left behind the pickle.
        """
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
                if count == _MAX_OPCODES:
                    raise Malformed("too many opcodes")
                if opcode.name in _CONSTANTS:
                    self._stack.append(argument)
                else:
                    _ACTIONS[opcode.name](self, argument)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise Malformed("a pickle that is not understood") from error

    def _marked(self) -> list[object]:
        """What was pushed since the last mark."""
        values = self._stack
        self._stack = self._below.pop()
        return values

    def _node(self) -> Node:
        node = self._stack[-1]
        if not isinstance(node, Node):
            raise Malformed("a container that is none")
        return node

    def _push_node(self, values: list[object] | tuple[object, ...]) -> None:
        node = Node()
        node.items.extend(enumerate(values))
        self._stack.append(node)

    def _mark(self, argument: object) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _stop(self, argument: object) -> None:
        self.root = self._stack.pop()

    def _ignore(self, argument: object) -> None:
        pass

    def _pop(self, argument: object) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._marked()

    def _pop_mark(self, argument: object) -> None:
        self._marked()

    def _dup(self, argument: object) -> None:
        self._stack.append(self._stack[-1])

    def _put(self, argument: int) -> None:
        self._memo[argument] = self._stack[-1]

    def _memoize(self, argument: object) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, argument: int) -> None:
        self._stack.append(self._memo[argument])

    def _none(self, argument: object) -> None:
        self._stack.append(None)

    def _true(self, argument: object) -> None:
        self._stack.append(True)

    def _false(self, argument: object) -> None:
        self._stack.append(False)

    def _empty(self, argument: object) -> None:
        self._stack.append(Node())

    def _empty_tuple(self, argument: object) -> None:
        self._stack.append(())

    def _tuple(self, argument: object) -> None:
        values = tuple(self._marked())
        self._stack.append(values)

    def _short_tuple(self, length: int) -> None:
        if len(self._stack) < length:
            raise Malformed("a tuple of what is not there")
        values = tuple(self._stack[-length:])
        del self._stack[-length:]
        self._stack.append(values)

    def _list(self, argument: object) -> None:
        self._push_node(self._marked())

    def _dict(self, argument: object) -> None:
        values = self._marked()
        self._stack.append(Node())
        self._set(values)

    def _set(self, values: list[object]) -> None:
        self._node().items.extend(zip(values[::2], values[1::2], strict=True))

    def _setitem(self, argument: object) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._node().items.append((key, value))

    def _setitems(self, argument: object) -> None:
        self._set(self._marked())

    def _append(self, argument: object) -> None:
        value = self._stack.pop()
        items = self._node().items
        items.append((len(items), value))

    def _appends(self, argument: object) -> None:
        values = self._marked()
        items = self._node().items
        items.extend(enumerate(values, len(items)))

    def _global(self, argument: str) -> None:
        if len(argument) > _MAX_GLOBAL:
            raise Malformed("a name too long")
        self._stack.append(_Global(argument.replace(" ", ".")))

    def _stack_global(self, argument: object) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Malformed("a name that is none")
        if len(name) + len(module) > _MAX_GLOBAL:
            raise Malformed("a name too long")
        self._stack.append(_Global(f"{module}.{name}"))

    def _persistent(self, argument: object) -> None:
        identity = self._stack.pop()
        if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module":
            # A class with its source, as files from before the zip have it.
            self._stack.append(identity[1])
            return
        if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
            raise Malformed("an object from outside that is no storage")
        _, kind, key, _, count = identity[:5]
        if not isinstance(kind, _Global) or not isinstance(key, str) or type(count) is not int:
            raise Malformed("an object from outside that is no storage")
        storage = self.storages.setdefault(key, Storage(kind.name, key, count))
        self._stack.append(storage)

    def _call(self, name: str, arguments: tuple[object, ...]) -> object:
        """What a function gives back."""
        if name in _PASS:
            return arguments[0]
        if name in _FROM_TYPE:
            function, _, inner = arguments[:3]
            if isinstance(function, _Global) and isinstance(inner, tuple):
                return self._call(function.name, inner) if function.name in _REBUILD else inner
        if name in _REBUILD:
            storage, offset, size, stride = arguments[:4]
            dtype = arguments[_DTYPE_ARGUMENT] if name.endswith("v3") else None
            if not isinstance(storage, Storage) or not isinstance(offset, int):
                raise Malformed("a tensor of no storage")
            return Tensor(
                storage,
                offset,
                _numbers(size),
                _numbers(stride),
                dtype.name if isinstance(dtype, _Global) else "",
            )
        node = Node()
        # Not one by one: a file may call with the same arguments again and again.
        node.items.append(("", arguments))
        return node

    def _reduce(self, argument: object) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(arguments, tuple):
            raise Malformed("a call without arguments")
        name = function.name if isinstance(function, _Global) else ""
        self._stack.append(self._call(name, arguments))

    def _new(self, argument: object) -> None:
        self._stack.pop()
        self._stack[-1] = Node()

    def _new_ex(self, argument: object) -> None:
        self._stack.pop()
        self._new(argument)

    def _instance(self, argument: object) -> None:
        self._marked()
        self._stack.append(Node())

    def _build(self, argument: object) -> None:
        state = self._stack.pop()
        if isinstance(self._stack[-1], Node):
            self._stack[-1].items.append(("", state))


# Opcodes that push what stands beside them.
_CONSTANTS = {
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG",
    "LONG1",
    "LONG4",
    "FLOAT",
    "BINFLOAT",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
    "UNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE",
    "BINUNICODE8",
}

# Those that are missing here occur in no checkpoint: `KeyError`, and the walk ends.
_ACTIONS: dict[str, Callable[[Machine, Any], None]] = {
    "PROTO": Machine._ignore,
    "FRAME": Machine._ignore,
    "STOP": Machine._stop,
    "MARK": Machine._mark,
    "POP": Machine._pop,
    "POP_MARK": Machine._pop_mark,
    "DUP": Machine._dup,
    "PUT": Machine._put,
    "BINPUT": Machine._put,
    "LONG_BINPUT": Machine._put,
    "MEMOIZE": Machine._memoize,
    "GET": Machine._get,
    "BINGET": Machine._get,
    "LONG_BINGET": Machine._get,
    "NONE": Machine._none,
    "NEWTRUE": Machine._true,
    "NEWFALSE": Machine._false,
    "EMPTY_DICT": Machine._empty,
    "EMPTY_LIST": Machine._empty,
    "EMPTY_SET": Machine._empty,
    "EMPTY_TUPLE": Machine._empty_tuple,
    "TUPLE": Machine._tuple,
    "TUPLE1": lambda machine, _: machine._short_tuple(1),
    "TUPLE2": lambda machine, _: machine._short_tuple(2),
    "TUPLE3": lambda machine, _: machine._short_tuple(3),
    "LIST": Machine._list,
    "FROZENSET": Machine._list,
    "DICT": Machine._dict,
    "SETITEM": Machine._setitem,
    "SETITEMS": Machine._setitems,
    "APPEND": Machine._append,
    "APPENDS": Machine._appends,
    "ADDITEMS": Machine._appends,
    "GLOBAL": Machine._global,
    "STACK_GLOBAL": Machine._stack_global,
    "BINPERSID": Machine._persistent,
    "REDUCE": Machine._reduce,
    "NEWOBJ": Machine._new,
    "NEWOBJ_EX": Machine._new_ex,
    "INST": Machine._instance,
    "OBJ": Machine._instance,
    "BUILD": Machine._build,
}


def _children(value: object, path: str) -> Iterator[tuple[object, str]]:
    """What `value` holds, each with its path."""
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, Node):
        items = value.items
    elif isinstance(value, tuple):
        items = enumerate(value)
    for key, inner in items:
        if not isinstance(inner, Node | tuple | Tensor):
            continue
        step = key if isinstance(key, str) else ""
        if type(key) is int and abs(key) < 1 << 63:
            step = str(key)
        joined = path
        if step and step not in _PLUMBING:
            # A long path names nothing, and must not grow on.
            short = len(path) + len(step) < MAX_LABEL
            joined = (f"{path}.{step}" if path else step) if short else ""
        yield inner, joined


def named_tensors(root: object) -> Iterator[tuple[str, Tensor]]:
    """Every tensor that `root` holds with its name, the keys on the way to it."""
    seen: set[int] = set()
    # Iterators of what is still to be visited: recursion would end at a depth that a file chooses.
    pending = [iter([(root, "")])]
    while pending:
        value, path = next(pending[-1], (None, ""))
        if value is None:
            pending.pop()
        elif isinstance(value, Tensor):
            yield path, value
        elif id(value) not in seen:
            seen.add(id(value))
            pending.append(_children(value, path))
