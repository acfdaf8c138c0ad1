"""Plain values with named fields.

They do for this package what `dataclasses` and `typing.NamedTuple` do, whose modules take longer to
import than a small file takes to compress.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Record:
    """A value whose fields are the annotated names of its class, in that order.

    A field with a value in the class has it as its default. Fields are given by position or by
    name, and stay as they are: `replace` makes another record. Two records of one class are equal
    if their fields are. A class may have a `__post_init__` that refuses values. Classes derive from
    `Record` itself, not from each other.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    # As many as there are fields; those of the first ones, which have to be given, mean nothing.
    _defaults: ClassVar[tuple[Any, ...]] = ()
    _required: ClassVar[int] = 0
    _refuses: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(cls.__annotations__)
        cls._defaults = tuple(getattr(cls, name, None) for name in cls._fields)
        cls._required = 1 + max(
            (place for place, name in enumerate(cls._fields) if not hasattr(cls, name)), default=-1
        )
        cls._refuses = cls.__post_init__ is not Record.__post_init__

    def __init__(self, *values: Any, **named: Any) -> None:
        # Fast paths here and below: archives have thousands of these.
        if len(values) < len(self._fields) and not named and len(values) >= self._required:
            values += self._defaults[len(values) :]
        elif named or len(values) != len(self._fields):
            values = self._complete(values, named)
        self.__dict__.update(zip(self._fields, values, strict=True))
        if self._refuses:
            self.__post_init__()

    def _complete(self, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """A value for every field: from `values`, `named` or the defaults."""
        kind, fields = type(self), self._fields
        if len(values) > len(fields):
            raise TypeError(f"{kind.__name__} has {len(fields)} fields, not {len(values)}")
        for name in named:
            if name not in fields[len(values) :]:
                trouble = "was given twice" if name in fields else "does not exist"
                raise TypeError(f"{kind.__name__}: field {name!r} {trouble}")
        rest = []
        for name in fields[len(values) :]:
            if name not in named and not hasattr(kind, name):
                raise TypeError(f"{kind.__name__}: field {name!r} is missing")
            rest.append(named[name] if name in named else getattr(kind, name))
        return (*values, *rest)

    def __post_init__(self) -> None:
        """Called when all fields are set."""

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._fields])

    def replace(self, **changes: Any) -> Self:
        """The same record with other values for some fields."""
        named = dict(zip(self._fields, self._values(), strict=True))
        return type(self)(**(named | changes))

    # For copy.replace of Python 3.13.
    __replace__ = replace

    def as_dict(self) -> dict[str, Any]:
        """The fields by name; records in them, and in tuples of them, become dicts too."""
        return {name: _plain(getattr(self, name)) for name in self._fields}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__qualname__}({fields})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} does not change: `replace` makes another one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} does not change: `replace` makes another one")

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), self._values()


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return value
