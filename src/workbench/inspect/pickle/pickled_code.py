"""Classes and functions that cloudpickle wrote into the file by value, read and never made.

cloudpickle writes the code of whatever cannot be imported: what a notebook defines. Its helpers
are known one by one, with the arguments that it really gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from workbench.inspect.errors import Refused, dangerous, malformed
from workbench.inspect.pickle.bytecode import read_code
from workbench.inspect.pickle.names import DANGEROUS_ROOTS
from workbench.inspect.pickle.reducers import Reducer
from workbench.inspect.pickle.values import Code, Dict, Function, Global, Instance, Module, OwnClass

Made = OwnClass | Function | Code | Module

# cloudpickle 2 defined the last two in another module, where cloudpickle 3 still finds them.
MODULES = ("cloudpickle.cloudpickle", "cloudpickle.cloudpickle_fast")
TYPES = ("CodeType", "FunctionType", "LambdaType", "MappingProxyType", "MethodType", "NoneType")
METACLASSES = (Global("builtins", "type"), Global("abc", "ABCMeta"))
# What people name in Python and what `def` and `lambda` name; the rest is made up to mislead.
NAME = re.compile(r"([^\W\d]\w*|<lambda>|<locals>)(\.([^\W\d]\w*|<lambda>|<locals>))*")
LONGEST_NAME = 200
COST = 64  # bytes of the budget for each byte of code and each name; notebooks have few

# Code that asks for one of these by name runs commands, reads files or evaluates text.
DANGEROUS_GLOBALS = frozenset(
    "__builtins__ __import__ __loader__ breakpoint compile eval exec execfile input open".split()
)
DANGEROUS_ATTRIBUTES = frozenset(
    """
    __builtins__ __code__ __globals__ __import__ __loader__ __subclasses__ check_output exec_module
    fromfile import_module load load_module popen Popen read_pickle run_module system urlopen
    """.split()
)
# Modules that may be looked up in code though a pickle has no business with them.
HARMLESS_IN_CODE = frozenset(("operator", "types", "uuid"))


def _class(args: tuple[object, ...]) -> OwnClass:
    """Read `_make_skeleton_class(metaclass, name, bases, namespace, id, extra)`."""
    metaclass, name, bases, namespace = args[:4] if len(args) == 6 else (None,) * 4
    if not isinstance(namespace, Dict) or not isinstance(bases, tuple):
        raise malformed("a class is unreadable")
    if not isinstance(metaclass, Global) or not (
        isinstance(metaclass, OwnClass) or metaclass in METACLASSES
    ):
        raise Refused(
            "unsupported",
            "The file holds a class with a metaclass that is not known.",
            "Put the class into a .py file, import it from there, and save again.",
        )
    return _own_class(namespace.get("__module__"), name, bases)


def _enum(args: tuple[object, ...]) -> OwnClass:
    """Read `_make_skeleton_enum(bases, name, qualname, members, module, id, extra)`."""
    bases, _, name, _, module = args[:5] if len(args) == 7 else (None,) * 5
    if not isinstance(bases, tuple):
        raise malformed("a class is unreadable")
    return _own_class(module, name, bases)


def _own_class(module: object, name: object, bases: tuple[object, ...]) -> OwnClass:
    return OwnClass(_plain_name(module), _plain_name(name), bases, Dict())


def _class_setstate(args: tuple[object, ...]) -> OwnClass:
    """Read `_class_setstate(cls, (members, {}))`."""
    cls, state = args if len(args) == 2 else (None, None)
    members = state[0] if isinstance(state, tuple) and len(state) == 2 else None
    if not isinstance(cls, OwnClass):
        raise dangerous("it changes a class that is not in the file")
    if not isinstance(members, Dict) or cls.members:
        raise malformed("a class is unreadable")
    cls.members.extend(members)
    return cls


def _function(args: tuple[object, ...]) -> Function:
    """Read `_make_function(code, globals, name, defaults, closure)`."""
    code, globals_ = args[:2] if len(args) == 5 else (None, None)
    if not isinstance(code, Code) or not isinstance(globals_, Dict):
        raise malformed("a function is unreadable")
    return Function(code, globals_)


def _function_setstate(args: tuple[object, ...]) -> None:
    """Read `_function_setstate(function, (attributes, what Python knows of it))`."""
    function, state = args if len(args) == 2 else (None, None)
    if not isinstance(function, Function):
        raise dangerous("it changes a function that is not in the file")
    if not isinstance(state, tuple) or len(state) != 2 or function.state is not None:
        raise malformed("a function is unreadable")
    attributes, known = state
    if not isinstance(attributes, Dict) or not isinstance(known, Dict):
        raise malformed("a function is unreadable")
    function.state = (attributes, known)


def _module(args: tuple[object, ...]) -> Module:
    """Read `subimport(name)`."""
    return Module(_plain_name(args[0] if len(args) == 1 else None))


def _builtin_type(args: tuple[object, ...]) -> Global:
    """Read `_builtin_type(name)`: a type that has no name of its own to be imported by."""
    name = args[0] if len(args) == 1 else None
    if type(name) is not str or name not in TYPES:
        raise malformed("it asks for a type that is not known")
    return Global("types", name)


def _method(args: tuple[object, ...]) -> Instance:
    """Read `MethodType(function, object)`."""
    if len(args) != 2 or not isinstance(args[0], Function):
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
# Beyond the known list, what classes and functions by value refer to and call; all of it is inert.
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


def refuse_unknown_helpers(names: Iterable[Global]) -> None:
    """Raise Refused for what cloudpickle defines but a model file does not need."""
    for name in sorted(set(names) - NAMES, key=lambda name: name.qualified):
        if name.module.split(".")[0] == "cloudpickle":
            raise Refused(
                "unsupported",
                f"The file needs {name.qualified}, which is not known to be harmless.",
                "Put the functions and classes into a .py file, import them from it, and save "
                "again.",
            )


def cost_of(value: Made) -> int:
    """Return the memory that stands for the work which this value makes."""
    if isinstance(value, Code):
        return COST * (value.size + len(value.names))
    return COST * len(value.members) if isinstance(value, OwnClass) else 0


def names_of(made: Iterable[Made]) -> tuple[str, ...]:
    """Name the classes and functions by value as people know them, without those inside others."""
    found = {_qualified(value) for value in made if isinstance(value, OwnClass | Function)}
    return tuple(sorted(name for name in found if found.isdisjoint(_around(name))))


def _around(name: str) -> Iterator[str]:
    """Yield what a name is inside of: a.b and a, for a.b.c."""
    for place, character in enumerate(name):
        if character == ".":
            yield name[:place]


def _qualified(value: OwnClass | Function) -> str:
    if isinstance(value, OwnClass):
        return value.qualified
    module = value.described("__module__") or value.globals.get("__name__") or "__main__"
    name = value.described("__qualname__") or value.code.name
    return f"{_plain_name(module)}.{_plain_name(name)}"


def _plain_name(value: object) -> str:
    if type(value) is not str or len(value) > LONGEST_NAME or not NAME.fullmatch(value):
        raise malformed("the name of a class or function is unreadable")
    return value


def pythons_of(made: Iterable[Made]) -> tuple[str, ...] | None:
    """Return the Pythons that can run all of the code, or None where there is none."""
    codes = [value for value in made if isinstance(value, Code)]
    if not codes:
        return None
    common = tuple(p for p in codes[0].pythons if all(p in code.pythons for code in codes))
    if not common:
        raise malformed("its functions were pickled by different Pythons")
    return common


def modules_of(made: Iterable[Made]) -> frozenset[str]:
    """Return the modules that the code imports, or that are imported for it."""
    names: set[str] = set()
    for value in made:
        if isinstance(value, Module):
            names.add(value.name)
        elif isinstance(value, Code):
            names.update(_plain_name(name) for name in value.imports if name)
    return frozenset(names)


def refuse_dangerous_code(made: Iterable[Made]) -> None:
    """Raise Refused for code that names what nobody can vouch for.

    It keeps honest people from serving what they did not mean to. Code that wants to hide what
    it does can: that is why all of it needs the user's trust.
    """
    made = list(made)
    for module in sorted(modules_of(made)):
        root = module.split(".")[0]
        if root in DANGEROUS_ROOTS - HARMLESS_IN_CODE:
            raise _refused("it imports", module)
    for value in made:
        if isinstance(value, Code):
            for name in value.globals:
                if name in DANGEROUS_GLOBALS:
                    raise _refused(f"{value.name} calls", name)
            for name in value.names:
                if name in DANGEROUS_ATTRIBUTES:
                    raise _refused(f"{value.name} uses", name)


def _refused(who: str, name: str) -> Refused:
    return Refused(
        "dangerous",
        f"The file holds code that runs commands, reads files or evaluates text: {who} {name}.",
        "If it is your own, take that out and save again, or put the code into a .py file, import "
        "it from there, save again with joblib.dump, and answer model_code= with the .py file.",
    )
