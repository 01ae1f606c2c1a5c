"""Real loaders that import stand-ins, so that a mutated file never gets a real class."""

from __future__ import annotations

import _compat_pickle
import io
import math
import pickle
import re

from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

from workbench.inspect import RefusedFile
from workbench.inspect.pickle.budget import Budget
from workbench.inspect.pickle.interpreter import PickleInterpreter
from workbench.inspect.pickle.load_effects import LoadEffects
from workbench.inspect.pickle.pickle_stream import PickleStream

Names = set[tuple[str, str]]

PLAIN_DTYPE = re.compile(r"[<>=|]?([biufcSUVO])(\d{1,4})")


def inspected_names(data: bytes) -> Names:
    """Return the names that inspection lists."""
    effects = LoadEffects()
    PickleInterpreter(PickleStream(io.BytesIO(data)), effects, Budget()).run()
    return {(name.module, name.name) for name in effects.names}


def as_python_3(names: Names, protocol: int) -> Names:
    """Return the names as loaders translate them below protocol 3."""
    if protocol >= 3:
        return names
    renamed = {_compat_pickle.NAME_MAPPING.get(name, name) for name in names}
    return {(_compat_pickle.IMPORT_MAPPING.get(m, m), name) for m, name in renamed}


class Recorder:
    """A mixin for loaders that records the names that they import."""

    def load_and_record(self) -> Names:
        self.looked_up: Names = set()
        self.load()
        return self.looked_up

    def find_class(self, module: str, name: str) -> object:
        self.looked_up.add((module, name))
        return super().find_class(module, name)


class StandIn:
    """An object that accepts any arguments, items and state."""

    def __new__(cls, *args: object, **keywords: object) -> StandIn:
        return super().__new__(cls)

    def __init__(self, *args: object, **keywords: object) -> None: ...
    def __call__(self, *args: object, **keywords: object) -> StandIn:
        return self

    def __setstate__(self, state: object) -> None: ...
    def __setitem__(self, key: object, value: object) -> None: ...
    def append(self, value: object) -> None: ...
    def extend(self, values: object) -> None: ...
    def add(self, value: object) -> None: ...


class StandInRecorder(Recorder):
    def find_class(self, module: str, name: str) -> object:
        self.looked_up.add((module, name))
        return StandIn


class CStandIn(StandInRecorder, pickle.Unpickler):
    pass


class PythonStandIn(StandInRecorder, pickle._Unpickler):
    pass


class DTypeStandIn(StandIn):
    """A dtype without fields: NumPy's own fail for mutated states."""

    def __init__(self, *args: object, **keywords: object) -> None:
        self.args = args

    def size(self) -> int | None:
        """Return the bytes of an item, or None for objects."""
        found = PLAIN_DTYPE.fullmatch(str(self.args[0]))
        if found is None:
            raise ValueError("no plain dtype")
        size = int(found[2]) * (4 if found[1] == "U" else 1)
        return None if found[1] == "O" else size


class ArrayStandIn(StandIn, NumpyArrayWrapper):
    """joblib's array wrapper: it reads the same bytes from the file, but creates no array."""

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def read(self, unpickler: JoblibStandIn, ensure_native_byte_order: bool) -> StandIn:
        file, size = unpickler.file_handle, self.dtype.size()
        if size is None:
            inner = pickle._Unpickler(file)
            inner.find_class = unpickler.find_class
            inner.load()
            return StandIn()
        if self.safe_get_numpy_array_alignment_bytes() is not None:
            file.read(file.read(1)[0])
        wanted = size * math.prod(self.shape)
        if wanted < 0 or len(file.read(wanted)) < wanted:
            raise ValueError("the array is truncated")
        return StandIn()


class JoblibStandIn(Recorder, NumpyUnpickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__("", file, ensure_native_byte_order=False)

    def find_class(self, module: str, name: str) -> object:
        self.looked_up.add((module, name))
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return ArrayStandIn
        return DTypeStandIn if (module, name) == ("numpy", "dtype") else StandIn


STAND_INS = (CStandIn, PythonStandIn, JoblibStandIn)


def compare_with_loaders(data: bytes) -> None:
    """Check that loaders import no name that inspection does not list, and all if they succeed."""
    try:
        names = inspected_names(data)
    except RefusedFile:
        return  # a refused file is never loaded
    protocol = data[1] if data[:1] == b"\x80" else 0
    of_joblib = ("joblib.numpy_pickle", "NumpyArrayWrapper") in names
    for loader in STAND_INS:
        if of_joblib and loader is not JoblibStandIn:
            continue  # the others would read an array's data as opcodes
        unpickler = loader(io.BytesIO(data))
        try:
            unpickler.load_and_record()
        except Exception:  # a loader can fail, as long as it imported no other name
            assert as_python_3(unpickler.looked_up, protocol) <= names, loader
        else:
            assert as_python_3(unpickler.looked_up, protocol) == names, loader
