"""The inert values that stand for the objects in a pickle.

None, bool, int, float, str, bytes, tuple and list stand for themselves. Everything else becomes
one of the classes below. Values can be shared, cyclic or nested without limit, so they are never
hashed, compared, copied or printed as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a legacy torch.save


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function that a loader would import, as the GLOBAL opcodes name it."""

    module: str
    name: str

    @property
    def qualified(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PickledClass(Global):
    """A class whose code is in the file; it never equals a library's class of the same name."""

    bases: tuple[object, ...]
    members: Dict


# The containers subclass list: that takes half the memory of an object that holds a list.
class Dict(list[object]):
    """A dict as alternating keys and values: keys from a hostile file must not be hashed."""

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


class Several(tuple[object, ...]):
    """The objects of a file that several pickles were written into, one after the other."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Blob:
    """Text or bytes too long to keep: their length and both ends."""

    length: int
    head: bytes
    tail: bytes


@dataclass(slots=True, eq=False)
class DType:
    """A NumPy dtype: f8 has `kind` "f" and an `itemsize` of 8 bytes."""

    kind: str
    itemsize: int
    byteorder: str = "<"
    has_object: bool = False
    built: bool = False


@dataclass(slots=True, eq=False)
class Array:
    """A NumPy array; `data` is its bytes, a list of its objects, or None if they were not kept."""

    shape: tuple[int, ...]
    dtype: DType | None = None
    data: object = None
    by_column: bool = False  # Fortran's order: the data holds one column after the other


@dataclass(slots=True, eq=False)
class Instance:
    """An object of class `cls`, or the result of calling the function `cls`."""

    cls: Global
    args: tuple[object, ...]
    state: object = None
    elements: list[object] | None = None
    entries: Dict | None = None

    def attribute(self, name: str) -> object:
        """Return the attribute that the pickled state sets, or None."""
        state = self.state
        found = None
        # A loader sets slots last, whether the class has them or not.
        for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
            if isinstance(part, Dict) and (held := part.get(name)) is not None:
                found = held
        return found

    def attributes(self) -> Dict | None:
        """Return the pickled `__dict__`, or None."""
        state = self.state
        if isinstance(state, tuple) and len(state) == 2:  # (__dict__, __slots__)
            state = state[0]
        return state if isinstance(state, Dict) else None


@dataclass(slots=True, eq=False)
class PickledCode:
    """The code object of a function: its name, and the names that it uses."""

    name: str
    pythons: tuple[str, ...]  # Python versions that can run it, such as "3.13"
    globals: tuple[str, ...]
    imports: tuple[str, ...]
    names: tuple[str, ...]  # globals, imports and attributes
    size: int  # bytes of bytecode


@dataclass(slots=True, eq=False)
class PickledFunction:
    """A function whose code is in the file."""

    code: PickledCode
    globals: Dict
    state: tuple[Dict, Dict] | None = None  # its `__dict__`, and slots such as `__qualname__`

    def slot(self, name: str) -> object:
        """Return a slot of the function, such as its `__qualname__`."""
        return self.state[1].get(name) if self.state is not None else None


@dataclass(slots=True, eq=False)
class ImportedModule:
    """A module that a loader would import, for the code in the file."""

    name: str


# What cloudpickle writes by value, or imports for the code in the file.
ByValue = PickledClass | PickledFunction | PickledCode | ImportedModule

CONTAINERS = (tuple, list, Instance, Array, PickledClass, PickledFunction)


def is_torch(root: object) -> bool:
    """Return whether a file that begins with this value was written by torch.save."""
    return isinstance(root, int) and root == TORCH_MAGIC


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
