"""The user's own code: what a .py file defines, read and never run."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.adopt.sample import read_text
from workbench.errors import UserError, listing
from workbench.inspect import ClassDefinition, ModelFacts, UserClasses
from workbench.inspect.pickle.names import CUSTOM_MODULES
from workbench.inspect.pickle.values import Global

# The function that turns a frame of features into the frame that the model was trained on.
PREPARE = "prepare"


@dataclass(frozen=True)
class Code:
    """A .py file and the names that it defines: at its top level, and classes in classes."""

    path: Path
    text: str
    names: frozenset[str]
    imports: frozenset[str]
    outlines: UserClasses

    @property
    def prepares(self) -> bool:
        return PREPARE in self.names

    def to_json(self, needed: Sequence[str]) -> dict[str, Any]:
        """Return what the manifest says: where the model file looks for which names."""
        modules: dict[str, list[str]] = {}
        for qualified in needed:
            module, name = self.split(qualified)
            outermost = name.split(".")[0]  # Outer.Inner is looked up in Outer
            if outermost not in modules.setdefault(module, []):
                modules[module].append(outermost)
        return {
            "file": "custom_code.py",
            "sha256": hashlib.sha256(self.text.encode()).hexdigest(),
            "modules": modules,
            "prepare": self.prepares,
        }

    def split(self, qualified: str) -> tuple[str, str]:
        """Split "package.module.Outer.Inner" into a module and a name, defined here if one is."""
        parts = qualified.split(".")
        if parts[0] in CUSTOM_MODULES:
            return parts[0], ".".join(parts[1:])
        places = range(1, len(parts))
        found = (place for place in places if ".".join(parts[place:]) in self.names)
        place = next(found, len(parts) - 1)
        return ".".join(parts[:place]), ".".join(parts[place:])

    def defines(self, qualified: str) -> bool:
        return self.split(qualified)[1] in self.names


def read_code(path: Path) -> Code:
    """Read a .py file. Raises WorkbenchError when it is none."""
    # git keeps LF only, and the file's SHA-256 must be the same on the dyno.
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UserError(f"model_code: {path} is not Python that can be read: {error}.") from None
    if (doing := _first_action(tree.body)) is not None:
        line = text.splitlines()[doing.lineno - 1].strip()[:60]
        raise UserError(
            f"model_code: {path.name} does more than define (line {doing.lineno}: {line}), and all "
            "of it would run at every start of the service. Put the classes and functions into a "
            'file of their own, or the rest under if __name__ == "__main__":'
        )
    imported = (node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))
    classes = dict(_classes(tree.body))
    return Code(
        path,
        text,
        names=frozenset((*_names(tree.body), *classes)),
        imports=frozenset(_modules(imported)),
        outlines=_outlines(tree.body, classes),
    )


def _first_action(body: Sequence[ast.stmt]) -> ast.stmt | None:
    """Return the first statement that does something, as a training script does: a call, a loop."""
    actions = (ast.Expr, ast.For, ast.While, ast.With, ast.Delete, ast.Assert)
    for node in body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, actions) and not docstring:
            return node
    return None


def _modules(nodes: Iterable[ast.Import | ast.ImportFrom]) -> Iterator[str]:
    for node in nodes:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        yield from (name.split(".")[0] for name in names if name)


def _names(body: Sequence[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign):
            targets = (t for target in node.targets for t in ast.walk(target))
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _names(node.body)


def _classes(body: Sequence[ast.stmt], outer: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield the classes with their qualified names, those in classes too."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield f"{outer}{node.name}", node
            yield from _classes(node.body, f"{outer}{node.name}.")
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _classes(node.body, outer)


def _outlines(
    body: Sequence[ast.stmt], classes: Mapping[str, ast.ClassDef]
) -> dict[str, ClassDefinition]:
    """Return the bases and the members of each class."""
    imported = dict(_imported(body))
    found = {}
    for name, node in classes.items():
        outer = name.rpartition(".")[0]
        bases = (_base(ast.unparse(base), outer, classes, imported) for base in node.bases)
        found[name] = ClassDefinition(tuple(bases), frozenset(_names(node.body)))
    return found


def _base(
    text: str, outer: str, classes: Mapping[str, ast.ClassDef], imported: Mapping[str, str]
) -> Global:
    """Return what a base's text means: a class of the same file, or one that is imported."""
    for name in (f"{outer}.{text}", text):
        if name in classes:
            return Global("", name)
    first, _, rest = text.partition(".")
    meant = imported.get(first, first) + (f".{rest}" if rest else "")
    module, _, name = meant.rpartition(".")
    return Global(module, name)


def _imported(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield each imported name with what it stands for."""
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                meant = alias.name if alias.asname else alias.name.split(".")[0]
                yield alias.asname or meant, meant
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _imported(node.body)


def own_names(facts: ModelFacts, code: Code | None) -> tuple[str, ...]:
    """Return the names that the user's code has to define.

    A notebook's own are in `__main__`; those of a local module look like an unknown library's,
    and are the user's when the code that was given defines them.
    """
    found = [n for n in facts.unknown_names if code is not None and code.defines(n)]
    return (*facts.custom_names, *found)


def problems(facts: ModelFacts, code: Code | None) -> Iterator[str]:
    """Say which names of the user's own the model file refers to and no code defines."""
    own = own_names(facts, code)
    if not own:
        return
    if code is None:
        yield (
            f"The model file refers to {listing(own)}, defined in a notebook or script. Answer "
            "model_code= with a .py file that defines it."
        )
        return
    absent = [name for name in own if not code.defines(name)]
    if absent:
        yield (
            f"model_code: {code.path.name} does not define {listing(absent)}, which the model "
            "file refers to; add it there."
        )
