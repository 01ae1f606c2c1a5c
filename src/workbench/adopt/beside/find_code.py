"""Find the files near the model that define the names of the author's that it refers to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from workbench.adopt.answers import Answers, joined
from workbench.adopt.beside.transformer_files import FOLDERS
from workbench.adopt.code.definitions import definitions_only
from workbench.adopt.code.source_files import NOTEBOOK, SourceFile, read_source
from workbench.adopt.problems import AnswerError, Repair
from workbench.inspect.pickle.names import CUSTOM_MODULES

MAX_FILES, MAX_BYTES = 200, 1 << 20
MAX_NOTEBOOK_BYTES = 8 << 20  # most of it pictures
# Where notebooks and scripts of the training are, below the folders above.
CODE_FOLDERS = ("code", "notebook", "notebooks", "scripts", "src", "training")


def repair_with_code(names: Sequence[str], answers: Answers) -> Repair | None:
    """Return the answer to model_code that defines all of these names, or None."""
    found: dict[Path, None] = {}
    for name in names:
        path = next(_defining(name, answers), None)
        if path is None:
            return None
        found[path] = None
    shown = [_shown(path, answers.folder.absolute()) for path in found]
    if len(found) == 1:
        source = read_source(path := next(iter(found)), PurePosixPath(path.name))
        if source.first_action is not None or path.suffix == NOTEBOOK:
            wanted = {name.rpartition(".")[2] for name in names}
            code = definitions_only(source, wanted)
            return Repair(code=code) if code is not None else None
    return Repair({"model_code": joined(shown)}) if shown else None


def is_in_code(name: str, answers: Answers) -> bool:
    """Return whether the user's code defines a name, whether it can be an answer or not."""
    return any(_defining(name, answers))


def code_folders(answers: Answers) -> list[Path]:
    """Return where the author's code can be: here, beside the model, above a folder of models."""
    beside = answers.model.path.absolute().parent
    above = [beside.parent] if beside.name.lower() in FOLDERS else []
    return list(dict.fromkeys([answers.folder.absolute(), beside, *above]))


def sources_near(answers: Answers) -> Iterator[SourceFile]:
    """Yield the author's .py files, then the notebooks; what is not Python is passed over."""
    near = code_folders(answers)
    folders = dict.fromkeys([*near, *(f / name for f in near for name in CODE_FOLDERS)])
    for suffix in (".py", NOTEBOOK):
        for folder in folders:
            for path in sorted(folder.glob(f"*{suffix}"))[:MAX_FILES]:
                if _is_readable(path):
                    with suppress(AnswerError):
                        yield read_source(path, PurePosixPath(path.name))


def _is_readable(path: Path) -> bool:
    largest = MAX_NOTEBOOK_BYTES if path.suffix == NOTEBOOK else MAX_BYTES
    return path.is_file() and path.stat().st_size <= largest


def _defining(qualified: str, answers: Answers) -> Iterator[Path]:
    """Yield the files that define a name, the module that it names first."""
    module, _, name = qualified.rpartition(".")
    folders = code_folders(answers)
    parts = module.split(".")
    for folder in folders if parts[0] not in CUSTOM_MODULES else ():
        path = folder.joinpath(*parts)
        for candidate in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
            if candidate.is_file() and _defines(candidate, name):
                yield candidate
    for suffix in (".py", NOTEBOOK):
        for folder in folders if parts[0] in CUSTOM_MODULES else ():
            for path in sorted(folder.glob(f"*{suffix}"))[:MAX_FILES]:
                if _is_readable(path) and _defines(path, name):
                    yield path


def _defines(path: Path, name: str) -> bool:
    try:
        return name.split(".", maxsplit=1)[0] in _own_names(path)
    except AnswerError:  # it is not Python
        return False


def _own_names(path: Path) -> set[str]:
    """Return the names that a file defines and does not only import."""
    source = read_source(path, PurePosixPath(path.name))
    return set(source.names) - {one.name for one in source.imports}


def _shown(path: Path, folder: Path) -> str:
    """Return a path as the user types it where they stand."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
