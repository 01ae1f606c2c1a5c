"""The layers of both packages: each imports only those below it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from conftest import SRC

# From top to bottom. `server` and `web` are side by side and do not know each other.
ENGINE = (
    {"model_service.__main__"},
    {"model_service.server", "model_service.web"},
    {"model_service.jobs"},
    {"model_service.csv"},
    {"model_service.batch"},
    {"model_service.serving"},
    {"model_service.model"},
    {"model_service.explain"},
    {"model_service.fast_path"},
    {"model_service.columns"},
    {"model_service.contract"},
    {"model_service.errors"},
    {"model_service"},
)
TOOLS = (
    {"workbench.selftest"},
    {"workbench.__main__"},
    {"workbench.score"},
    {  # the commands
        *("workbench.documentation", "workbench.eject", "workbench.key", "workbench.processes"),
        *("workbench.rollback", "workbench.sbom", "workbench.smoke", "workbench.upgrade"),
    },
    {"workbench.plan"},
    {"workbench.convert"},
    # Which convert starts in the sandbox.
    {"workbench.resave", "workbench.resave_booster"},
    {"workbench.doctor"},
    {"workbench.override"},
    {"workbench.verify"},
    {"workbench.adopt"},
    {"workbench.adopt.code"},
    {"workbench.adopt.csv"},
    {"workbench.adopt.problems"},
    {"workbench.committed_versions"},
    {"workbench.lock"},
    {"workbench.inspect"},
    {"workbench.heroku"},
    {"workbench.platforms"},
    {"workbench.address", "workbench.files", "workbench.progress", "workbench.vendor"},
    {"workbench.errors"},
    {"workbench"},
)
# The layers that serve requests: only they know HTTP and Flask.
HTTP_LAYERS = ("model_service.__main__", "model_service.server", "model_service.web")
# 500 is left out: it is a usual limit, too.
HTTP_STATUSES = {400, 401, 403, 404, 405, 406, 409, 411, 413, 414, 415, 422, 429, 502, 503, 504}
# What runs under cookiecutter's own Python, or where nothing is installed.
STANDARD_LIBRARY_ONLY = (
    *("model_service.contract", "model_service.errors", "model_service.columns.categories"),
    "model_service.columns.spelling",
    *("model_service.model.manifest", "model_service.model.manifest_checks"),
    *("workbench.adopt", "workbench.inspect", "workbench.lock"),
)
# The modules of the engine that these may import.
SHARED_WITH_TOOLS = STANDARD_LIBRARY_ONLY[:6]


def module_name(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(SRC.rglob("*.py"))}


def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports_of(module: str) -> Iterator[str]:
    """Yield what a module imports at run time, in functions too."""
    for node in statements(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module or ""


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from statements(child)


def is_in(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def layer_of(module: str, layers: Iterable[Iterable[str]]) -> int | None:
    """Return the number of a module's layer: the one with the longest name that holds it."""
    found = [
        (len(name), number)
        for number, names in enumerate(layers)
        for name in names
        if is_in(module, [name])
    ]
    return max(found)[1] if found else None


@pytest.mark.parametrize("layers", [ENGINE, TOOLS], ids=["model_service", "workbench"])
def test_each_layer_imports_only_those_below_it(layers: tuple[set[str], ...]) -> None:
    upward = set()
    for module in MODULES:
        if (own := layer_of(module, layers)) is None:
            continue
        for imported in imports_of(module):
            other = layer_of(imported, layers)
            if other is not None and other < own:
                upward.add(f"{module} -> {imported}")
    assert upward == set()


@pytest.mark.parametrize("layers", [ENGINE, TOOLS], ids=["model_service", "workbench"])
def test_each_module_has_a_layer_of_its_own(layers: tuple[set[str], ...]) -> None:
    (root,) = layers[-1]
    homeless = [
        module
        for module in MODULES
        if is_in(module, [root]) and module != root and layer_of(module, layers[:-1]) is None
    ]
    assert homeless == []


def test_the_engine_never_imports_the_tools() -> None:
    found = [
        f"{module} -> {imported}"
        for module in MODULES
        if is_in(module, ["model_service"])
        for imported in imports_of(module)
        if is_in(imported, ["workbench"])
    ]
    assert found == []


def test_the_server_and_the_web_layer_do_not_know_each_other() -> None:
    sides = ["model_service.server"], ["model_service.web"]
    found = [
        f"{module} -> {imported}"
        for one, other in (sides, sides[::-1])
        for module in MODULES
        if is_in(module, one)
        for imported in imports_of(module)
        if is_in(imported, other)
    ]
    assert found == []


def test_the_server_imports_no_flask_and_the_core_knows_no_http() -> None:
    found = set()
    for module in MODULES:
        if not is_in(module, ["model_service"]) or is_in(module, ["model_service.web"]):
            continue
        found |= {
            f"{module} -> {imported}"
            for imported in imports_of(module)
            if is_in(imported, ["flask", "werkzeug"])
        }
        if is_in(module, HTTP_LAYERS):
            continue
        found |= {
            f"{module} -> {node.value}"
            for node in ast.walk(tree_of(module))
            if isinstance(node, ast.Constant)
            and type(node.value) is int
            and node.value in HTTP_STATUSES
        }
        found |= {
            f"{module} -> {imported}"
            for imported in imports_of(module)
            if is_in(imported, ["http", "wsgiref"])
        }
    assert found == set()


def test_what_runs_without_packages_imports_the_standard_library_only() -> None:
    found = set()
    for module in MODULES:
        if not is_in(module, STANDARD_LIBRARY_ONLY):
            continue
        for imported in imports_of(module):
            top = imported.split(".")[0]
            if top == "model_service":
                fine = is_in(imported, SHARED_WITH_TOOLS)
            elif top == "workbench":
                fine = not is_in(imported, ["workbench.verify", "workbench.selftest"])
            else:
                fine = top in sys.stdlib_module_names
            if not fine:
                found.add(f"{module} -> {imported}")
    assert found == set()
