"""What a pickle describes, as inert values.

None, bool, int, float, str, bytes, tuple and list stand for themselves. Everything else becomes
one of the classes below. Values may be shared, cyclic or nested without end: they are never
hashed, compared, copied or printed as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function that the pickle names and a loader would import."""

    module: str
    name: str

    @property
    def qualified(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PickledClass(Global):
    """A class whose code is in the file; it equals no class of a library, whatever its name."""

    bases: tuple[object, ...]
    members: Dict


# Subclasses of list take half the memory of an object that holds a list.
class Dict(list[object]):
    """A dict as keys and values in turn: the keys of a hostile file must not be hashed."""

    __slots__ = ()

    def pairs(self) -> Iterator[tuple[object, object]]:
        flat = iter(self)
        return zip(flat, flat, strict=True)

    def get(self, key: str) -> object:
        """Return the last value stored under `key`, or None."""
        for position in range(len(self) - 2, -1, -2):
            candidate = self[position]
            if type(candidate) is str and candidate == key:
                return self[position + 1]
        return None


class Set(list[object]):
    """A set or frozenset."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Blob:
    """Text or bytes too long to keep: how long, and how they begin and end."""

    length: int
    head: bytes
    tail: bytes


@dataclass(slots=True, eq=False)
class DType:
    """A numpy dtype: `kind` and `itemsize` as in 'f8', in bytes."""

    kind: str
    itemsize: int
    byteorder: str = "<"
    has_object: bool = False
    built: bool = False


@dataclass(slots=True, eq=False)
class Array:
    """A numpy array; `data` is its bytes, its objects, or None where they were not kept."""

    shape: tuple[int, ...]
    dtype: DType | None = None
    data: object = None


@dataclass(slots=True, eq=False)
class Instance:
    """An object of class `cls`, or what calling the function `cls` gives."""

    cls: Global
    args: tuple[object, ...]
    state: object = None
    elements: list[object] | None = None
    entries: Dict | None = None

    def attribute(self, name: str) -> object:
        """Return the attribute that the pickled state sets, or None."""
        attributes = self.attributes()
        return attributes.get(name) if attributes is not None else None

    def attributes(self) -> Dict | None:
        """Return the pickled `__dict__`, or None."""
        state = self.state
        if isinstance(state, tuple) and len(state) == 2:  # (__dict__, __slots__)
            state = state[0]
        return state if isinstance(state, Dict) else None


@dataclass(slots=True, eq=False)
class PickledCode:
    """The code of a function: what it is called, and what it names."""

    name: str
    pythons: tuple[str, ...]  # that can run it
    globals: tuple[str, ...]
    imports: tuple[str, ...]
    names: tuple[str, ...]  # these and all attributes
    size: int  # bytes of the code itself


@dataclass(slots=True, eq=False)
class PickledFunction:
    """A function whose code is in the file itself."""

    code: PickledCode
    globals: Dict
    state: tuple[Dict, Dict] | None = None  # its attributes, and what Python knows of it

    def described(self, field: str) -> object:
        """Return what Python knows of the function, such as its `__qualname__`."""
        return self.state[1].get(field) if self.state is not None else None


@dataclass(slots=True, eq=False)
class ImportedModule:
    """A module that a loader would import, for the code in the file."""

    name: str


# What cloudpickle writes by value, or imports for the code in the file.
ByValue = PickledClass | PickledFunction | PickledCode | ImportedModule

CONTAINERS = (tuple, list, Instance, Array, PickledClass, PickledFunction)


def walk(root: object) -> Iterator[object]:
    """Yield every container, instance and array that `root` reaches, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if not isinstance(value, CONTAINERS) or id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, tuple | list):
            waiting.extend(value)
        elif isinstance(value, Array):
            waiting.append(value.data)
        elif isinstance(value, PickledClass):
            waiting.append(value.members)
        elif isinstance(value, PickledFunction):
            waiting.extend((value.globals, value.state))
        else:
            waiting.extend((value.cls, value.args, value.state, value.elements, value.entries))
