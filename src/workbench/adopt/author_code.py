"""Read the author's code: the names in a .py file, which is parsed and never executed."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_service.model.manifest import CustomCode
from workbench import files
from workbench.adopt.csv_table import read_text
from workbench.adopt.problems import AnswerError, Problem, concerning
from workbench.inspect import ClassDefinition, FileFacts, UserClasses
from workbench.inspect.pickle.names import CUSTOM_MODULES
from workbench.inspect.pickle.values import Global

# The function that turns a frame of features into the frame that the model was trained on.
PREPARE = "prepare"


@dataclass(frozen=True)
class AuthorCode:
    """A .py file and the names that it defines: at its top level, and classes in classes."""

    path: Path
    text: str
    names: frozenset[str]
    imports: frozenset[str]
    classes: UserClasses
    texts: frozenset[str] = frozenset()  # its string constants and attributes: names of columns

    @property
    def prepares(self) -> bool:
        """Whether the file has a function that makes the model's columns."""
        return PREPARE in self.names

    def needed_names(self, facts: FileFacts) -> tuple[str, ...]:
        """Return the names in a model file that this code has to define.

        Names of a notebook are in `__main__`. Names of a local module look like those of an
        unknown library, except that this code defines them.
        """
        return (*facts.custom_names, *(n for n in facts.unknown_names if self.defines(n)))

    def custom_code(self, needed: Sequence[str]) -> CustomCode:
        """Return the manifest's entry: in which modules the model file looks for which names."""
        modules: dict[str, list[str]] = {}
        for qualified in needed:
            module, name = self.split(qualified)
            outermost = name.split(".")[0]  # Outer.Inner is an attribute of Outer
            if outermost not in modules.setdefault(module, []):
                modules[module].append(outermost)
        return CustomCode(
            file=files.CODE.name,
            sha256=hashlib.sha256(self.text.encode()).hexdigest(),
            modules={module: tuple(names) for module, names in modules.items()},
            prepare=self.prepares,
        )

    def split(self, qualified: str) -> tuple[str, str]:
        """Split "package.module.Outer.Inner" into module and name, a name defined here if any."""
        parts = qualified.split(".")
        if parts[0] in CUSTOM_MODULES:
            return parts[0], ".".join(parts[1:])
        positions = range(1, len(parts))
        defined = (n for n in positions if ".".join(parts[n:]) in self.names)
        position = next(defined, len(parts) - 1)
        return ".".join(parts[:position]), ".".join(parts[position:])

    def defines(self, qualified: str) -> bool:
        return self.split(qualified)[1] in self.names


def read_code(path: Path) -> AuthorCode:
    """Parse a .py file. Raises AnswerError if that fails or the file does more than define."""
    with concerning("model_code"):
        # git keeps LF only, and the file's SHA-256 must be the same on the dyno.
        text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        message = f"{path} is not Python that can be read: {error}."
        raise AnswerError(Problem("model_code", message)) from None
    if (action := _first_action(tree.body)) is not None:
        line = text.splitlines()[action.lineno - 1].strip()[:60]
        message = (
            f"{path.name} does more than define (line {action.lineno}: {line}), and all of it "
            "would run at every start of the service. Put the classes and functions into a file "
            'of their own, or the rest under if __name__ == "__main__":'
        )
        raise AnswerError(Problem("model_code", message))
    imports = (node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))
    classes = dict(_classes(tree.body))
    return AuthorCode(
        path,
        text,
        names=frozenset((*_names(tree.body), *classes)),
        imports=frozenset(_modules(imports)),
        classes=_definitions(tree.body, classes),
        texts=frozenset(_texts(tree)),
    )


def _first_action(body: Sequence[ast.stmt]) -> ast.stmt | None:
    """Return the first statement that is no definition, such as a call or a loop."""
    actions = (ast.Expr, ast.For, ast.While, ast.With, ast.Delete, ast.Assert)
    for node in body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, actions) and not docstring:
            return node
    return None


def _texts(tree: ast.Module) -> Iterator[str]:
    """Yield every text by which the code can refer to a column: frame["age"], frame.age."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute):
            yield node.attr


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
    """Yield each class with its qualified name, nested classes too."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield f"{outer}{node.name}", node
            yield from _classes(node.body, f"{outer}{node.name}.")
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _classes(node.body, outer)


def _definitions(
    body: Sequence[ast.stmt], classes: Mapping[str, ast.ClassDef]
) -> dict[str, ClassDefinition]:
    """Return the base classes and the members of each class."""
    imported = dict(_imported(body))
    definitions = {}
    for name, node in classes.items():
        outer = name.rpartition(".")[0]
        bases = (_base(ast.unparse(base), outer, classes, imported) for base in node.bases)
        definitions[name] = ClassDefinition(tuple(bases), frozenset(_names(node.body)))
    return definitions


def _base(
    text: str, outer: str, classes: Mapping[str, ast.ClassDef], imported: Mapping[str, str]
) -> Global:
    """Resolve a base class to a class of the same file, or to an imported one."""
    for name in (f"{outer}.{text}", text):
        if name in classes:
            return Global("", name)
    first, _, rest = text.partition(".")
    qualified = imported.get(first, first) + (f".{rest}" if rest else "")
    module, _, name = qualified.rpartition(".")
    return Global(module, name)


def _imported(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield each imported name with the qualified name that it refers to."""
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                target = alias.name if alias.asname else alias.name.split(".")[0]
                yield alias.asname or target, target
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _imported(node.body)
