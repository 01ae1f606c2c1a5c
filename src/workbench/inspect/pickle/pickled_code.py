"""Check the code of classes and functions that were pickled by value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from workbench.inspect.pickle.cloudpickle_reducers import NAMES, plain_name
from workbench.inspect.pickle.names import DANGEROUS_ROOTS
from workbench.inspect.pickle.values import (
    ByValue,
    Global,
    ImportedModule,
    PickledClass,
    PickledCode,
    PickledFunction,
)
from workbench.inspect.refused_file import RefusedFile, malformed

COST = 64  # bytes of the budget for each byte of code and each name; notebooks have few

# Code with one of these names runs commands, reads files or evaluates text.
DANGEROUS_GLOBALS = frozenset(
    "__builtins__ __import__ __loader__ breakpoint compile eval exec execfile input open".split()
)
DANGEROUS_ATTRIBUTES = frozenset(
    """
    __builtins__ __code__ __globals__ __import__ __loader__ __subclasses__ check_output exec_module
    fromfile import_module load load_module popen Popen read_pickle run_module system urlopen
    """.split()
)
# Modules that code can import although a pickle has no business with them.
HARMLESS_IN_CODE = frozenset(("operator", "types", "uuid"))


def refuse_unknown_helpers(names: Iterable[Global]) -> None:
    """Raise RefusedFile for helpers of cloudpickle that no model file needs."""
    for name in sorted(set(names) - NAMES, key=lambda name: name.qualified):
        if name.module.split(".")[0] == "cloudpickle":
            raise RefusedFile(
                "unsupported",
                f"The file needs {name.qualified}, which is not known to be harmless.",
                "Put the functions and classes into a .py file, import them from it, and save "
                "again.",
            )


def cost_of(value: ByValue) -> int:
    """Return the bytes to charge for the work of checking this value."""
    if isinstance(value, PickledCode):
        return COST * (value.size + len(value.names))
    return COST * len(value.members) if isinstance(value, PickledClass) else 0


def names_of(values: Iterable[ByValue]) -> tuple[str, ...]:
    """Return the qualified names of the outermost classes and functions, sorted."""
    classes_and_functions = (PickledClass, PickledFunction)
    names = {_qualified(value) for value in values if isinstance(value, classes_and_functions)}
    return tuple(sorted(name for name in names if names.isdisjoint(_enclosing(name))))


def _enclosing(name: str) -> Iterator[str]:
    """Yield the enclosing names: a and a.b, for a.b.c."""
    for position, character in enumerate(name):
        if character == ".":
            yield name[:position]


def _qualified(value: PickledClass | PickledFunction) -> str:
    if isinstance(value, PickledClass):
        return value.qualified
    module = value.slot("__module__") or value.globals.get("__name__") or "__main__"
    name = value.slot("__qualname__") or value.code.name
    return f"{plain_name(module)}.{plain_name(name)}"


def pythons_of(values: Iterable[ByValue]) -> tuple[str, ...] | None:
    """Return the Pythons that can run all of the code, or None if there is no code."""
    codes = [value for value in values if isinstance(value, PickledCode)]
    if not codes:
        return None
    common = tuple(p for p in codes[0].pythons if all(p in code.pythons for code in codes))
    if not common:
        raise malformed("its functions were pickled by different Pythons")
    return common


def modules_of(values: Iterable[ByValue]) -> frozenset[str]:
    """Return the modules that the code imports and those that a loader imports for it."""
    names: set[str] = set()
    for value in values:
        if isinstance(value, ImportedModule):
            names.add(value.name)
        elif isinstance(value, PickledCode):
            names.update(plain_name(name) for name in value.imports if name)
    return frozenset(names)


def uses_of(values: Iterable[ByValue]) -> tuple[str, ...]:
    """Return the globals, modules and attributes that the code uses, for people, sorted."""
    codes = (value for value in values if isinstance(value, PickledCode))
    return tuple(sorted({name for code in codes for name in code.names if name.isidentifier()}))


def refuse_dangerous_code(values: Iterable[ByValue]) -> None:
    """Raise RefusedFile for code that names functions too dangerous to trust.

    This guards against mistakes. Malicious code can hide what it does, so all code by value also
    needs the user's trust.
    """
    values = list(values)
    for module in sorted(modules_of(values)):
        root = module.split(".")[0]
        if root in DANGEROUS_ROOTS - HARMLESS_IN_CODE:
            raise _refused("it imports", module)
    for value in values:
        if isinstance(value, PickledCode):
            for name in value.globals:
                if name in DANGEROUS_GLOBALS:
                    raise _refused(f"{value.name} calls", name)
            for name in value.names:
                if name in DANGEROUS_ATTRIBUTES:
                    raise _refused(f"{value.name} uses", name)


def _refused(who: str, name: str) -> RefusedFile:
    return RefusedFile(
        "dangerous",
        f"The file holds code that runs commands, reads files or evaluates text: {who} {name}.",
        "If it is your own, take that out and save again, or put the code into a .py file, import "
        "it from there, save again with joblib.dump, and answer model_code= with the .py file.",
    )
