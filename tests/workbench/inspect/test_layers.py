"""Each part of `workbench.inspect` imports only the parts below it, and there are no cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import workbench.inspect as package

PACKAGE = "workbench.inspect"
ROOT = Path(package.__file__).parent
# From the bottom: a part can import those before it, and itself.
LAYERS = (
    *("refused_file", "facts", "pickle", "formats", "estimators", "document"),
    *("old_booster", "old_file", ""),
)


def modules() -> dict[str, Path]:
    """Return the paths of all modules by name; a sub-package is named after its folder."""
    names = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


def imported_by(path: Path) -> Iterator[str]:
    """Yield the modules of the package that a module imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            module = (node.module or "").removeprefix(PACKAGE).removeprefix(".")
            for alias in node.names:
                name = f"{module}.{alias.name}".removeprefix(".")
                yield name if name in modules() else module


def layer_of(module: str) -> int:
    return LAYERS.index(module.partition(".")[0])


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_imports_no_layer_above_its_own(module: str) -> None:
    for imported in imported_by(modules()[module]):
        assert layer_of(imported) <= layer_of(module), imported


def test_no_modules_import_each_other_in_a_cycle() -> None:
    graph = {module: set(imported_by(path)) - {module} for module, path in modules().items()}
    TopologicalSorter(graph).prepare()  # raises CycleError
