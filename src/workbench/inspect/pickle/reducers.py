"""Read the calls by which pickles rebuild plain values, without calling anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workbench.inspect.pickle.arrays import (
    build_array,
    frombuffer,
    make_dtype,
    make_scalar,
    reconstruct,
)
from workbench.inspect.pickle.values import (
    Array,
    Blob,
    Dict,
    Global,
    Instance,
    PickledFunction,
    Set,
)
from workbench.inspect.refused_file import code_pickled_by_dill, dangerous, malformed

# The built-in types that copyreg can construct; none of them acts when it is constructed.
BASES = frozenset(
    Global("builtins", name)
    for name in ("dict", "float", "frozenset", "int", "list", "object", "set", "str", "tuple")
)

PARTIAL = Global("functools", "partial")
PARTIAL_STATE_LENGTH = 4  # function, arguments, keywords, __dict__

# NumPy's constructor of arrays, before and from version 2.
RECONSTRUCT = frozenset(
    Global(module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")
)
# The built-in types that dill can name; it names others that could run code.
PLAIN_TYPES = frozenset(
    """
    bool bytearray bytes complex dict float frozenset int list object range set slice str tuple
    """.split()
)

Reducer = Callable[[tuple[object, ...]], object]


def _reconstructor(args: tuple[object, ...]) -> Instance:
    """Read `copyreg._reconstructor(cls, base, state)` of protocols 0 and 1."""
    cls, base, _ = args if len(args) == 3 else (None,) * 3
    # The types are checked first: a value that is no Global could take forever to hash.
    if not isinstance(cls, Global) or not isinstance(base, Global) or base not in BASES:
        raise dangerous("it makes an object of a computed class")
    return Instance(cls, ())


def _newobj(args: tuple[object, ...]) -> Instance:
    """Read `copyreg.__newobj__(cls, *args)`."""
    if not args or not isinstance(args[0], Global):
        raise dangerous("it makes an object of a computed class")
    return Instance(args[0], args[1:])


def _within(package: str) -> Reducer:
    """Return the reader of a constructor that calls the classes among its arguments itself."""

    prefix = f"{package}."

    def instance(args: tuple[object, ...]) -> Instance:
        for argument in args:
            if isinstance(argument, Global) and f"{argument.module}."[: len(prefix)] != prefix:
                raise dangerous(f"it calls {argument.qualified} in a roundabout way")
            if isinstance(argument, Instance) and argument.cls == PARTIAL:
                raise dangerous("it calls a prepared function in a roundabout way")
        state = (
            args[-1] if args and isinstance(args[-1], Dict) else None
        )  # the names of a pandas Index
        return Instance(Global(package, "object"), (), state)

    return instance


def _encode(args: tuple[object, ...]) -> bytes | Blob:
    """Read `_codecs.encode(text, 'latin1')`: bytes of protocols 0 to 2."""
    text, codec = args if len(args) == 2 else (None, None)
    if codec != "latin1" or not isinstance(text, str | Blob):
        raise dangerous("it calls _codecs.encode as Python never does")
    if isinstance(text, Blob):
        return text
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise malformed("bytes are unreadable") from None


def _bytes(args: tuple[object, ...]) -> bytes | Blob:
    """Read `bytes()`, `bytearray(data)` or `bytearray(text, 'latin-1')`."""
    if not args:
        return b""
    if len(args) == 1 and isinstance(args[0], bytes | Blob):
        return args[0]
    if len(args) == 2 and args[1] == "latin-1":
        return _encode((args[0], "latin1"))
    raise malformed("bytes are unreadable")  # bytearray(10**12) would take all memory


def _set(args: tuple[object, ...]) -> Set:
    """Read `set([...])` of protocols 0 to 3."""
    if len(args) > 1 or (args and type(args[0]) is not list):
        raise malformed("a set is unreadable")
    return Set(args[0] if args and isinstance(args[0], list) else ())


def _dill_array(args: tuple[object, ...]) -> Array:
    """Read dill's `_create_array(_reconstruct, arguments, state, None)`."""
    function, arguments, state, attributes = args if len(args) == 4 else (None,) * 4
    if not isinstance(function, Global) or function not in RECONSTRUCT:
        raise dangerous("it makes an array as dill never does")
    if not isinstance(arguments, tuple) or attributes is not None:
        raise malformed("an array is unreadable")
    array = reconstruct(arguments)
    build_array(array, state)
    return array


def _dill_type(args: tuple[object, ...]) -> Global:
    """Read dill's `_load_type('slice')`: a built-in type by its name."""
    name = args[0] if len(args) == 1 else None
    if not isinstance(name, str) or name not in PLAIN_TYPES:
        raise code_pickled_by_dill()
    return Global("builtins", name)


def check_partial_arguments(args: tuple[object, ...]) -> None:
    """Check that `functools.partial` gets one function: one by name, or one in the file."""
    if len(args) == 1 and isinstance(args[0], PickledFunction):
        return
    if len(args) != 1 or not isinstance(args[0], Global) or args[0] == PARTIAL:
        raise dangerous("it prepares a call as Python never does")


def check_partial_state(function: object, state: object) -> None:
    """Check that the state of a partial keeps its function: it could replace it."""
    if not isinstance(state, tuple) or len(state) != PARTIAL_STATE_LENGTH:
        raise malformed("a partial function is unreadable")
    same, args, keywords, attributes = state
    named = isinstance(same, Global) and same == function
    by_value = isinstance(same, PickledFunction) and same is function
    if not (named or by_value) or attributes is not None:
        raise dangerous("it prepares a call as Python never does")
    if not isinstance(args, tuple) or not isinstance(keywords, Dict):
        raise malformed("a partial function is unreadable")


REDUCERS: Mapping[Global, Reducer] = {
    Global("copyreg", "_reconstructor"): _reconstructor,
    Global("copyreg", "__newobj__"): _newobj,
    Global("_codecs", "encode"): _encode,
    Global("builtins", "bytes"): _bytes,
    Global("builtins", "bytearray"): _bytes,
    Global("builtins", "set"): _set,
    Global("builtins", "frozenset"): _set,
    Global("numpy.random._pickle", "__bit_generator_ctor"): _within("numpy.random"),
    Global("numpy.random._pickle", "__generator_ctor"): _within("numpy.random"),
    Global("numpy.random._pickle", "__randomstate_ctor"): _within("numpy.random"),
    Global("pandas.core.indexes.base", "_new_Index"): _within("pandas"),
    Global("numpy", "dtype"): make_dtype,
    # NumPy before and from version 2
    **dict.fromkeys(RECONSTRUCT, reconstruct),
    Global("numpy.core.multiarray", "scalar"): make_scalar,
    Global("numpy._core.multiarray", "scalar"): make_scalar,
    Global("numpy.core.numeric", "_frombuffer"): frombuffer,
    Global("numpy._core.numeric", "_frombuffer"): frombuffer,
    Global("dill._dill", "_create_array"): _dill_array,
    Global("dill._dill", "_load_type"): _dill_type,
}
