"""Parse the author's .py files, which are never executed: what each defines, imports and uses."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workbench.adopt.csv.csv_table import read_text
from workbench.adopt.problems import AnswerError, Problem, concerning
from workbench.inspect import ClassDefinition, UserClasses
from workbench.inspect.pickle.values import Global

NOTEBOOK = ".ipynb"
_CELL_MAGIC = re.compile(r"\s*%%(\w*)")
_PYTHON_CELLS = ("time", "timeit", "capture")  # any other magic makes a cell of another language
# !pip install x, %matplotlib inline, ?name, name? with the lines that a backslash joins.
_COMMAND = re.compile(r"^([ \t]*)(?:[%!?](?:\\\n|.)*|[\w.]+\?\??[ \t]*$)", re.M)
_ASSIGNED_COMMAND = re.compile(r"^([ \t]*\w+[ \t]*=[ \t]*)[%!](?:\\\n|.)*", re.M)  # names = !ls
_ACTIONS = (ast.Expr, ast.For, ast.While, ast.With, ast.Delete, ast.Assert)


@dataclass(frozen=True)
class Import:
    """One import of a module; `name` is what is imported from it, or empty."""

    module: str
    name: str
    level: int  # dots of a relative import
    line: int
    optional: bool  # in a try whose ImportError is caught, or in a function


@dataclass(frozen=True)
class SourceFile:
    """A .py file, and where it is kept below the folder of the author's code."""

    path: Path
    target: PurePosixPath
    text: str
    tree: ast.Module
    names: frozenset[str]  # at its top level, and classes in classes
    classes: UserClasses
    imports: tuple[Import, ...]
    texts: frozenset[str]  # its string constants and attributes: they can be names of columns

    @property
    def module(self) -> str:
        """The name by which the file is imported."""
        parts = self.target.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """The package that the dots of its relative imports begin at."""
        return ".".join(self.target.parent.parts)

    @property
    def first_action(self) -> ast.stmt | None:
        """The first statement at the top level that is no definition, such as a call."""
        return next(filter(is_action, self.tree.body), None)

    def line(self, number: int) -> str:
        """Return a line of the file for a message."""
        return self.text.splitlines()[number - 1].strip()[:60]


def read_source(path: Path, target: PurePosixPath) -> SourceFile:
    """Read and parse a .py file or the code of a notebook. Raises AnswerError."""
    with concerning("model_code"):
        # git keeps LF only, and the file's SHA-256 must be the same on the dyno.
        text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    return parse_source(text, path, target)


def parse_source(text: str, path: Path, target: PurePosixPath) -> SourceFile:
    """Parse the text of a .py file or of a notebook. Raises AnswerError."""
    if path.suffix == NOTEBOOK:
        text = _code_of_notebook(text)
    try:
        tree = _parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        message = f"{path} is not Python that can be read: {error}."
        raise AnswerError(Problem("model_code", message)) from None
    classes = dict(_classes(tree.body))
    return SourceFile(
        path=path,
        target=target,
        text=text,
        tree=tree,
        names=frozenset((*names_of(tree.body), *classes)),
        classes=_definitions(tree.body, classes),
        imports=tuple(_imports(tree.body)),
        texts=frozenset(_texts(tree)),
    )


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        # Python warns of an escape such as "\d", which is for the author and not for this output.
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _code_of_notebook(text: str) -> str:
    """Return the code of a notebook's cells without the commands of IPython."""
    try:
        cells = json.loads(text)["cells"]
        sources = ["".join(c["source"]) for c in cells if c.get("cell_type") == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return text
    return "\n".join(f"{_code_of_cell(source)}\n" for source in sources)


def _code_of_cell(source: str) -> str:
    """Return the Python of a cell: none if it is another language's."""
    magic = _CELL_MAGIC.match(source)
    if magic is not None and magic[1] not in _PYTHON_CELLS:
        return ""
    try:
        _parse(source)
    except (SyntaxError, ValueError, RecursionError):
        # A statement takes a command's place: it can be the only one of its block.
        return _ASSIGNED_COMMAND.sub(r"\1None", _COMMAND.sub(r"\1pass", source))
    return source  # a line of it can begin with %, which is an operator or in a text then


def is_action(node: ast.stmt) -> bool:
    """Return whether a statement does something when the file is imported."""
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, _ACTIONS) and not docstring


def is_main_guard(node: ast.stmt) -> bool:
    """Return whether a statement is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def names_of(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements define."""
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
            yield from names_of(node.body)


def _imports(body: Iterable[ast.AST], *, optional: bool = False) -> Iterator[Import]:
    """Yield the imports of statements; not those under `if __name__ == "__main__":`."""
    for node in body:
        if isinstance(node, ast.stmt) and is_main_guard(node):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, "", 0, node.lineno, optional)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(node.module or "", alias.name, node.level, node.lineno, optional)
        inner = optional or isinstance(node, (ast.Try, ast.FunctionDef, ast.AsyncFunctionDef))
        yield from _imports(ast.iter_child_nodes(node), optional=inner)


def _texts(tree: ast.Module) -> Iterator[str]:
    """Yield every text by which the code can refer to a column: frame["age"], frame.age."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute):
            yield node.attr


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
        definitions[name] = ClassDefinition(tuple(bases), frozenset(names_of(node.body)))
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
