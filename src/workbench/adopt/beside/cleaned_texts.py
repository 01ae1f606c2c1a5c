"""Ask for the code that changes each text before a vectorizer: raw texts get other answers.

That the app does so follows from a vocabulary of word stems, or from the code beside the model.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.code.author_code import NLTK_FOLDER, nltk_download
from workbench.adopt.code.definitions import definitions_only
from workbench.adopt.code.imported_packages import nltk_data
from workbench.adopt.code.source_files import SourceFile, parse_source
from workbench.adopt.code.text_functions import takes_one_value, text_functions
from workbench.adopt.problems import Changes, Problem, Repair
from workbench.errors import listing
from workbench.inspect import word_stems

MAX_SHOWN = 3
CLEANED, STEMMED = "cleaned_text", "stemmed_text"  # features that say what callers send
PREPARE = """

def prepare(frame):
    return frame.iloc[:, 0]{maps}
"""


@dataclass(frozen=True)
class _Found:
    """Functions that change a text, and the code that calls them, if it can be taken."""

    source: SourceFile
    functions: Sequence[str]
    code: str | None

    @property
    def stems(self) -> bool:
        """Whether one of the functions stems."""
        defined = [node for node in self.source.tree.body if isinstance(node, ast.FunctionDef)]
        return any(node.name in self.functions and _stems(node) for node in defined)


def cleaned_texts(case: Case, chain: Chain) -> Problem | None:
    """Return the problem that texts are not cleaned; a feature that is named is taken as it is."""
    if chain.prepares or case.declared.features or case.code is not None:
        return None
    first = chain.fitted[0] if chain.fitted else None
    stems = first.facts.stems if first is not None else word_stems(case.model_root)
    name = first.name if first is not None else "the model"
    used = [one for one in _used_before(case) if not stems or one.stems]
    found = _best(used or (_with_stemmer(case) if stems else ()))
    functions = f"{listing(found.functions)} of {found.source.path.name}" if found else ""
    if stems:
        message = (
            f"{name if first else 'The model'} knows word stems and not the words "
            f"({listing(stems, MAX_SHOWN)}), so your app stems each text before it."
        )
        message += f" {functions} seems to do so." if found else ""
        return _problem(case, message, found, STEMMED)
    if found is None:
        return None
    message = f"Your code changes each text with {functions} before it uses {name}."
    return _problem(case, message, found, CLEANED)


def _problem(case: Case, message: str, found: _Found | None, feature: str) -> Problem:
    """Return the problem with the code as its repair, or with a feature that is taken as it is."""
    names, sent = case.answers.names, feature.replace("_", " ")
    is_raw = case.sample is not None and feature not in case.sample.columns
    as_it_is: Changes = {"features": feature, **({"sample_data": ""} if is_raw else {})}
    if found is None or found.code is None:
        message += (
            f" Answer {names.model_code}=FILE with a function prepare(frame) that does so. If "
            f"callers send {sent}s, answer {names.features}={feature}"
        )
        return Problem(None, message, Repair(as_it_is))
    message += " The proposed code has a function prepare that calls it."
    code = parse_source(found.code, found.source.path, found.source.target)
    data = nltk_data([code])
    if data:
        message += f" It uses data of nltk ({listing(data)}), which the last line downloads first."
    return Problem(
        None,
        message,
        Repair(
            code=found.code,
            beside_code=(NLTK_FOLDER,) if data else (),
            first=nltk_download(data) if data else "",
            otherwise=((f"If callers send {sent}s:", {**as_it_is, "model_code": ""}),),
        ),
    )


def _best(found: Iterable[_Found]) -> _Found | None:
    """Return the first file whose code can be taken, else the first one."""
    every = list(found)
    return next((one for one in every if one.code is not None), every[0] if every else None)


def _used_before(case: Case) -> Iterator[_Found]:
    """Yield files near the model whose code puts its texts through functions."""
    for source in case.sources:
        functions = text_functions(source)
        if functions.names and functions.is_complete:
            yield _with_code(source, functions.names)
        elif functions.names:
            yield _Found(source, functions.names, None)


def _with_stemmer(case: Case) -> Iterator[_Found]:
    """Yield files near the model with one function of a text that stems."""
    for source in case.sources:
        defined = [node for node in source.tree.body if isinstance(node, ast.FunctionDef)]
        functions = [node.name for node in defined if takes_one_value(node) and _stems(node)]
        if len(set(functions)) == 1:
            yield _with_code(source, functions[:1])


def _with_code(source: SourceFile, functions: Sequence[str]) -> _Found:
    code = definitions_only(source, functions)
    maps = "".join(f".map({name})" for name in functions)
    return _Found(source, functions, code and code + PREPARE.format(maps=maps))


def _stems(function: ast.FunctionDef) -> bool:
    """Return whether a function calls a method `stem`."""
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return any(isinstance(called, ast.Attribute) and called.attr == "stem" for called in calls)
