"""The author's code: the modules that a model file refers to, and prepare(). Never executed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from model_service.model.manifest import CustomCode
from workbench import files
from workbench.adopt.code.code_files import read_code_files
from workbench.adopt.code.definitions import definitions_only
from workbench.adopt.code.imported_packages import (
    Needed,
    needed_packages,
    nltk_data,
    spacy_models,
)
from workbench.adopt.code.source_files import NOTEBOOK, SourceFile
from workbench.adopt.problems import Problem, QuestionNames, Repair
from workbench.errors import listing
from workbench.inspect import FileFacts, UserClasses
from workbench.inspect.pickle.names import CUSTOM_MODULES

# The function that turns a frame of features into the frame that the model was trained on.
PREPARE = "prepare"
NLTK_FOLDER = "nltk_data"


@dataclass(frozen=True)
class AuthorCode:
    """The author's modules and the files beside them."""

    sources: tuple[SourceFile, ...]
    data: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The files for messages."""
        return listing([source.target.as_posix() for source in self.sources], 3)

    @cached_property
    def names(self) -> frozenset[str]:
        """What the modules define: at their top level, and classes in classes."""
        return frozenset(name for source in self.sources for name in source.names)

    @cached_property
    def texts(self) -> frozenset[str]:
        """The texts by which the code can refer to a column."""
        return frozenset(text for source in self.sources for text in source.texts)

    @cached_property
    def classes(self) -> UserClasses:
        """The classes that are defined, by their qualified names."""
        return {name: one for source in self.sources for name, one in source.classes.items()}

    @cached_property
    def packages(self) -> tuple[Needed, ...]:
        """The packages that the modules import."""
        return tuple(needed_packages(self.sources))

    @property
    def imports(self) -> frozenset[str]:
        """The names of these packages in import statements."""
        return frozenset(package.root for package in self.packages)

    @property
    def distributions(self) -> tuple[str, ...]:
        """The distributions of these packages; unlisted ones have the name of the import."""
        return tuple(sorted({package.distribution or package.root for package in self.packages}))

    @property
    def prepares(self) -> bool:
        """Whether a module has a function that makes the model's columns."""
        return PREPARE in self.names

    @property
    def is_folder(self) -> bool:
        """Whether the service keeps a folder instead of one file."""
        return len(self.sources) > 1 or bool(self.data)

    @cached_property
    def files(self) -> Mapping[Path, bytes]:
        """The files to write, by path in the project."""
        if not self.is_folder:
            return {files.CODE: self.sources[0].text.encode()}
        texts = {source.target.as_posix(): source.text.encode() for source in self.sources}
        return {files.CODE_FOLDER / name: data for name, data in {**self.data, **texts}.items()}

    def needed_names(self, facts: FileFacts) -> tuple[str, ...]:
        """Return the names in a model file that this code has to define.

        Names of a notebook are in `__main__`. Names of a local module look like those of an
        unknown library, except that this code defines them.
        """
        return (*facts.custom_names, *(n for n in facts.unknown_names if self.defines(n)))

    def custom_code(self, needed: Sequence[str]) -> CustomCode:
        """Return the manifest's entry: in which modules the model file looks for which names."""
        modules: dict[str, list[str]] = {}
        defined_in: dict[str, str] = {}
        for qualified in needed:
            module, name = self.split(qualified)
            outermost = name.split(".")[0]  # Outer.Inner is an attribute of Outer
            if self.is_folder and module in self._by_module:
                continue  # it is imported like any other module
            if outermost not in modules.setdefault(module, []):
                modules[module].append(outermost)
            defined_in[outermost] = self._module_of(name)
        if self.prepares:
            defined_in[PREPARE] = self._module_of(PREPARE)
        return CustomCode(
            file=(files.CODE_FOLDER if self.is_folder else files.CODE).name,
            sha256=self._sha256,
            modules={module: tuple(names) for module, names in modules.items()},
            prepare=self.prepares,
            defined_in=defined_in if self.is_folder else None,
        )

    @property
    def _sha256(self) -> str:
        if not self.is_folder:
            return hashlib.sha256(self.files[files.CODE]).hexdigest()
        below = {path.relative_to(files.CODE_FOLDER): data for path, data in self.files.items()}
        return CustomCode.digest({path.as_posix(): data for path, data in below.items()})

    @cached_property
    def _by_module(self) -> Mapping[str, SourceFile]:
        return {source.module: source for source in self.sources}

    def _module_of(self, name: str) -> str:
        """Return the module that defines a name; one that only imports it comes last."""
        defining = [source for source in self.sources if name in source.names]
        defining.sort(key=lambda source: any(i.name == name for i in source.imports))
        return defining[0].module

    def split(self, qualified: str) -> tuple[str, str]:
        """Split "package.module.Outer.Inner" into module and name, a name defined here if any."""
        parts = qualified.split(".")
        if parts[0] in CUSTOM_MODULES:
            return parts[0], ".".join(parts[1:])
        positions = range(1, len(parts))
        of_modules = (n for n in reversed(positions) if ".".join(parts[:n]) in self._by_module)
        defined = (n for n in positions if ".".join(parts[n:]) in self.names)
        position = next(of_modules, next(defined, len(parts) - 1))
        return ".".join(parts[:position]), ".".join(parts[position:])

    def defines(self, qualified: str) -> bool:
        """Return whether a name of a model file is defined here."""
        module, name = self.split(qualified)
        source = self._by_module.get(module) if self.is_folder else None
        return name in (source.names if source is not None else self.names)


def read_code(paths: Sequence[Path], folder: Path) -> AuthorCode:
    """Parse the author's code and the modules that it imports. Raises AnswerError.

    `folder` is where the user stands.
    """
    found = read_code_files(paths, folder)
    return AuthorCode(found.sources, found.data)


def check_code(
    code: AuthorCode,
    needed: Sequence[str],
    answer: str,
    trusted: Sequence[str],
    names: QuestionNames,
) -> Iterator[Problem]:
    """Yield what keeps the service from running the code.

    `needed` are the names that the model file looks for; `answer` is the answer to model_code.
    """
    for source in code.sources:
        if source.first_action is not None or source.path.suffix == NOTEBOOK:
            yield _does_more(code, source, needed)
    for package in code.packages:
        if package.distribution is None and f"{package.root}.*" not in trusted:
            yield _unknown_package(package, trusted, names)
    if (data := nltk_data(code.sources)) and not any(
        path.split("/")[0] == NLTK_FOLDER for path in code.data
    ):
        yield Problem(
            "model_code",
            f"{code.name} uses data of nltk ({listing(data)}), which pip does not install and the "
            f"service must not download. The last line puts them beside the code first; they are "
            f"kept in {files.CODE_FOLDER}. Or write the words into the code.",
            Repair({"model_code": f"{answer},{NLTK_FOLDER}"}, first=nltk_download(data)),
        )
    for model in spacy_models(code.sources):
        yield Problem(
            "model_code",
            f"{code.name} loads {model!r} by its name, and no index has a package of this name. "
            f"Save it beside the code, spacy.load({model!r}).to_disk({model!r}), and load it by "
            f"spacy.load(Path(__file__).parent / {model!r}).",
            Repair({"model_code": f"{answer},{model}"}),
        )


def nltk_download(data: Sequence[str]) -> str:
    """Return the command that puts data of nltk beside the code."""
    run = "uv run --no-project --with nltk " if shutil.which("uv") else ""
    return f"{run}python -m nltk.downloader -d {NLTK_FOLDER} {' '.join(data)}"


def _does_more(code: AuthorCode, source: SourceFile, needed: Sequence[str]) -> Problem:
    """Return the problem of code that would run at every start, with its definitions alone."""
    action = source.first_action
    where = f" (line {action.lineno}: {source.line(action.lineno)})" if action is not None else ""
    message = (
        f"{source.path.name} does more than define{where}, and all of it would run at every start "
        "of the service."
    )
    wanted = {code.split(name)[1].split(".")[0] for name in needed if code.defines(name)}
    if code.prepares:
        wanted.add(PREPARE)
    text = definitions_only(source, wanted) if len(code.sources) == 1 else None
    if text is None:
        message += (
            " Put the classes and functions into a file of their own, or the rest under if "
            '__name__ == "__main__":'
        )
        return Problem("model_code", message)
    message += f" The definitions of {listing(sorted(wanted))} were taken from it."
    return Problem("model_code", message, Repair(code=text))


def _unknown_package(package: Needed, trusted: Sequence[str], names: QuestionNames) -> Problem:
    source = package.source
    message = (
        f"{source.target} imports {package.root} (line {package.line}), which is no file beside it "
        f"and no package that is known here. If it is your own, name its file too in "
        f"{names.model_code}. If it is a package called {package.root} on the index, it is "
        f'installed with {names.trust}="{package.root}.*"'
    )
    answer = ",".join([*trusted, f"{package.root}.*"])
    return Problem("model_code", message, Repair({"trust": answer}))
