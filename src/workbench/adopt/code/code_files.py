"""Find the files of the author's code: those that the answer names, and the modules they import."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workbench import files
from workbench.adopt.code.source_files import NOTEBOOK, SourceFile, read_source
from workbench.adopt.problems import AnswerError, Problem
from workbench.errors import listing

SOURCES = (".py", NOTEBOOK)
MAX_SOURCES = 200
MAX_DATA_BYTES = 50 << 20
# Modules of the project, or of the service, that the author's must not hide.
RESERVED = frozenset(
    """
    app manage tests gunicorn model_service workbench custom_code flask werkzeug jinja2 numpy
    pandas sklearn scipy joblib
    """.split()
)


@dataclass(frozen=True)
class CodeFiles:
    """The author's modules, and other files that are kept beside them."""

    sources: tuple[SourceFile, ...]
    data: dict[str, bytes]  # by path below the folder of the code


def read_code_files(paths: Sequence[Path], folder: Path) -> CodeFiles:
    """Read the files of the answer and the local modules that they import.

    `folder` is where the user stands: imports can begin there. Raises AnswerError.
    """
    paths, folder = [path.resolve() for path in paths], folder.resolve()
    code = [path for path in paths if path.suffix in SOURCES or _has_modules(path)]
    data = dict(_data([path for path in paths if path not in code]))
    kept = [path for path in code if path.name == files.CODE_FOLDER.name and path.is_dir()]
    for path in kept:  # of the model before: what is beside its modules stays
        contents = files.read_folder(path).items()
        data.update({name: content for name, content in contents if not name.endswith(".py")})
    found: dict[Path, SourceFile] = {}
    for path in code:
        named = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        if len(named) > MAX_SOURCES:
            message = f"{path} holds {len(named)} .py files; name those that the model needs."
            raise AnswerError(Problem("model_code", message))
        root = _root(path, named, folder)
        _read_with_imports(named, root, found)
    _check_names(found.values())
    return CodeFiles(tuple(sorted(found.values(), key=lambda one: one.target)), data)


def _has_modules(path: Path) -> bool:
    return path.is_dir() and next(path.rglob("*.py"), None) is not None


def _data(paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the content of files that are no code, such as lists of words."""
    size = 0
    for path in paths:
        members = [p for p in sorted(path.rglob("*")) if p.is_file()] if path.is_dir() else [path]
        for member in members:
            size += member.stat().st_size
            if size > MAX_DATA_BYTES:
                message = f"{path}: files beside the code can have {MAX_DATA_BYTES >> 20} MB."
                raise AnswerError(Problem("model_code", message))
            yield member.relative_to(path.parent).as_posix(), member.read_bytes()


def _root(path: Path, named: Sequence[Path], folder: Path) -> Path:
    """Return the folder in which imports of a file or of a folder begin."""
    root = path.parent
    if path.is_dir() and not (path / "__init__.py").exists():
        package = f"{path.name}."
        imports = (i for one in named for i in read_source(one, PurePosixPath("x.py")).imports)
        return root if any(f"{i.module}.".startswith(package) for i in imports) else path
    while (root / "__init__.py").exists() and root.parent != root:
        root = root.parent
    if path.is_dir():
        return root
    # Of a file without __init__.py beside it, imports can begin above, up to where the user stands.
    source = read_source(path, PurePosixPath(path.name))
    candidates = [root, *(p for p in root.parents if _is_below(p, folder)), folder]
    modules = [one.module for one in source.imports if not one.level and "." in one.module]
    return next(
        (c for c in candidates for m in modules if _is_below(path, c) and any(_module_files(m, c))),
        root,
    )


def _is_below(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder)


def _read_with_imports(named: Sequence[Path], root: Path, found: dict[Path, SourceFile]) -> None:
    """Read files and, one after the other, the modules below `root` that they import."""
    waiting = list(named)
    while waiting and len(found) < MAX_SOURCES:
        path = waiting.pop(0)
        if path in found:
            continue
        target = PurePosixPath(path.relative_to(root).as_posix())
        source = read_source(path, target.with_suffix(".py"))
        found[path] = source
        waiting += _packages(path, root)
        for one in source.imports:
            module = _absolute(one.module, one.level, source)
            waiting += _module_files(module, root)
            if one.name:
                waiting += _module_files(f"{module}.{one.name}" if module else one.name, root)


def _absolute(module: str, level: int, source: SourceFile) -> str:
    """Return the module that a relative import means."""
    if level == 0:
        return module
    package = source.package.split(".") if source.package else []
    parts = package[: len(package) - level + 1]
    return ".".join([*parts, module] if module else parts)


def _module_files(module: str, root: Path) -> Iterator[Path]:
    """Yield the file of a module below `root`, if there is one."""
    if not module or module.split(".", maxsplit=1)[0] in sys.stdlib_module_names:
        return
    path = root.joinpath(*module.split("."))
    for candidate in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        if candidate.is_file():
            yield candidate


def _packages(path: Path, root: Path) -> Iterator[Path]:
    """Yield the __init__.py of the packages that hold a file."""
    for folder in path.parents:
        if folder == root or not _is_below(folder, root):
            return
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"


def _check_names(sources: Collection[SourceFile]) -> None:
    """Refuse modules that would hide others of the same name."""
    roots = {source.target.parts[0].removesuffix(".py") for source in sources}
    hidden = sorted(roots & (RESERVED | sys.stdlib_module_names))
    if hidden and len(sources) > 1:
        message = (
            f"{listing(hidden)}: a module of this name would hide another one in the service; "
            "rename it, and save the model again if it refers to it."
        )
        raise AnswerError(Problem("model_code", message))
