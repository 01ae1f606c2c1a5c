"""Read the calls by which cloudpickle rebuilds classes and functions from the code in the file.

cloudpickle pickles by value what cannot be imported, such as what a notebook defines. Each of its
helpers is read with the arguments that cloudpickle gives it; nothing is created.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product

from workbench.inspect.pickle.bytecode import read_code
from workbench.inspect.pickle.reducers import Reducer
from workbench.inspect.pickle.values import (
    Dict,
    Global,
    ImportedModule,
    Instance,
    PickledClass,
    PickledCode,
    PickledFunction,
)
from workbench.inspect.refused_file import RefusedFile, dangerous, malformed

# cloudpickle 2 defined two of its helpers in the second module; cloudpickle 3 finds them there.
MODULES = ("cloudpickle.cloudpickle", "cloudpickle.cloudpickle_fast")
TYPES = ("CodeType", "FunctionType", "LambdaType", "MappingProxyType", "MethodType", "NoneType")
METACLASSES = (Global("builtins", "type"), Global("abc", "ABCMeta"))
# Python identifiers, and the names that `def` and `lambda` make; others are made to mislead.
NAME = re.compile(r"([^\W\d]\w*|<lambda>|<locals>)(\.([^\W\d]\w*|<lambda>|<locals>))*")
MAX_NAME_LENGTH = 200


def plain_name(value: object) -> str:
    """Check the name of a class, function or module that the code in the file gives."""
    if type(value) is not str or len(value) > MAX_NAME_LENGTH or not NAME.fullmatch(value):
        raise malformed("the name of a class or function is unreadable")
    return value


def _class(args: tuple[object, ...]) -> PickledClass:
    """Read `_make_skeleton_class(metaclass, name, bases, namespace, id, extra)`."""
    metaclass, name, bases, namespace = args[:4] if len(args) == 6 else (None,) * 4
    if not isinstance(namespace, Dict) or not isinstance(bases, tuple):
        raise malformed("a class is unreadable")
    if not isinstance(metaclass, Global) or not (
        isinstance(metaclass, PickledClass) or metaclass in METACLASSES
    ):
        raise RefusedFile(
            "unsupported",
            "The file holds a class with a metaclass that is not known.",
            "Put the class into a .py file, import it from there, and save again.",
        )
    return _pickled_class(namespace.get("__module__"), name, bases)


def _enum(args: tuple[object, ...]) -> PickledClass:
    """Read `_make_skeleton_enum(bases, name, qualname, members, module, id, extra)`."""
    bases, _, name, _, module = args[:5] if len(args) == 7 else (None,) * 5
    if not isinstance(bases, tuple):
        raise malformed("a class is unreadable")
    return _pickled_class(module, name, bases)


def _pickled_class(module: object, name: object, bases: tuple[object, ...]) -> PickledClass:
    return PickledClass(plain_name(module), plain_name(name), bases, Dict())


def _class_setstate(args: tuple[object, ...]) -> PickledClass:
    """Read `_class_setstate(cls, (members, {}))`."""
    cls, state = args if len(args) == 2 else (None, None)
    members = state[0] if isinstance(state, tuple) and len(state) == 2 else None
    if not isinstance(cls, PickledClass):
        raise dangerous("it changes a class that is not in the file")
    if not isinstance(members, Dict) or cls.members:
        raise malformed("a class is unreadable")
    cls.members.extend(members)
    return cls


def _function(args: tuple[object, ...]) -> PickledFunction:
    """Read `_make_function(code, globals, name, defaults, closure)`."""
    code, globals_ = args[:2] if len(args) == 5 else (None, None)
    if not isinstance(code, PickledCode) or not isinstance(globals_, Dict):
        raise malformed("a function is unreadable")
    return PickledFunction(code, globals_)


def _function_setstate(args: tuple[object, ...]) -> None:
    """Read `_function_setstate(function, (attributes, slots))`."""
    function, state = args if len(args) == 2 else (None, None)
    if not isinstance(function, PickledFunction):
        raise dangerous("it changes a function that is not in the file")
    if not isinstance(state, tuple) or len(state) != 2 or function.state is not None:
        raise malformed("a function is unreadable")
    attributes, slots = state
    if not isinstance(attributes, Dict) or not isinstance(slots, Dict):
        raise malformed("a function is unreadable")
    function.state = (attributes, slots)


def _module(args: tuple[object, ...]) -> ImportedModule:
    """Read `subimport(name)`."""
    return ImportedModule(plain_name(args[0] if len(args) == 1 else None))


def _builtin_type(args: tuple[object, ...]) -> Global:
    """Read `_builtin_type(name)`: a type that no module exports under its own name."""
    name = args[0] if len(args) == 1 else None
    if type(name) is not str or name not in TYPES:
        raise malformed("it asks for a type that is not known")
    return Global("types", name)


def _method(args: tuple[object, ...]) -> Instance:
    """Read `MethodType(function, object)`."""
    if len(args) != 2 or not isinstance(args[0], PickledFunction):
        raise dangerous("it binds a function that is not in the file")
    return Instance(Global("types", "MethodType"), args)


def _type(args: tuple[object, ...]) -> Instance:
    """Read `type(None)`; with more arguments it would make a class."""
    if len(args) != 1:
        raise dangerous("it makes a class as no pickler does")
    return Instance(Global("builtins", "type"), args)


def _helper(name: str, reducer: Reducer) -> dict[Global, Reducer]:
    return {Global(module, name): reducer for module in MODULES}


REDUCERS: Mapping[Global, Reducer] = {
    **_helper("_builtin_type", _builtin_type),
    **_helper("_class_setstate", _class_setstate),
    **_helper("_function_setstate", _function_setstate),
    **_helper("_make_function", _function),
    **_helper("_make_skeleton_class", _class),
    **_helper("_make_skeleton_enum", _enum),
    **_helper("subimport", _module),
    Global("types", "CodeType"): read_code,
    Global("types", "MethodType"): _method,
    Global("builtins", "type"): _type,
}
PLAIN = """
    _empty_cell_value _get_dataclass_field_type_sentinel _make_cell _make_dict_items
    _make_dict_keys _make_dict_values _make_empty_cell _make_typevar
""".split()
# Names that classes and functions by value refer to and call, beyond the known list; all inert.
NAMES = frozenset(
    {
        *REDUCERS,
        *METACLASSES,
        *(Global(module, name) for module, name in product(MODULES, PLAIN)),
        *(Global("builtins", name) for name in ("classmethod", "property", "staticmethod")),
        *(Global("enum", name) for name in ("Enum", "Flag", "IntEnum", "IntFlag", "StrEnum")),
        Global("abc", "ABC"),
        Global("types", "MappingProxyType"),
    }
)
