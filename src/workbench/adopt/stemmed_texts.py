"""Ask for the code that stems, if a vectorizer knows stems: other answers come of raw texts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from workbench.adopt.case import Case
from workbench.adopt.chain import Chain
from workbench.adopt.definitions import definitions_only
from workbench.adopt.find_code import MAX_BYTES, MAX_FILES
from workbench.adopt.problems import AnswerError, Changes, Problem, Repair
from workbench.adopt.source_files import NOTEBOOK, SourceFile, read_source
from workbench.errors import listing
from workbench.inspect import word_stems

MAX_SHOWN = 3
STEMMED = "stemmed_text"  # a feature that says what callers send
PREPARE = """

def prepare(frame):
    return frame.iloc[:, 0].map({name})
"""


def stemmed_texts(case: Case, chain: Chain) -> Problem | None:
    """Return the problem that texts are not stemmed; a feature that is named is taken as it is."""
    first = chain.fitted[0] if chain.fitted else None
    stems = first.facts.stems if first is not None else word_stems(case.model_root)
    if not stems or chain.prepares or case.declared.features or case.code is not None:
        return None
    names, name = case.answers.names, first.name if first is not None else "The model"
    message = (
        f"{name} knows word stems and not the words ({listing(stems, MAX_SHOWN)}), so your app "
        "stems each text before it."
    )
    as_it_is: Changes = {"features": STEMMED}
    found = next(_with_stemmer(case), None)
    if found is None:
        message += (
            f" Answer {names.model_code}=FILE with a function prepare(frame) that does so. If "
            f"callers send stemmed texts, answer {names.features}={STEMMED}"
        )
        return Problem(None, message, Repair(as_it_is))
    source, function, code = found
    message += f" {function} of {source.path.name} seems to do so, and prepare calls it."
    otherwise = (("If callers send stemmed texts:", {**as_it_is, "model_code": ""}),)
    return Problem(None, message, Repair(code=code, otherwise=otherwise))


def _with_stemmer(case: Case) -> Iterator[tuple[SourceFile, str, str]]:
    """Yield files near the model with one function of a text that stems, and code that calls it."""
    for path in _sources(case):
        try:
            source = read_source(path, PurePosixPath(path.name))
        except AnswerError:  # it is not Python
            continue
        defined = [node for node in source.tree.body if isinstance(node, ast.FunctionDef)]
        functions = [node.name for node in defined if _stems_a_text(node)]
        if len(set(functions)) == 1 and (code := definitions_only(source, functions)) is not None:
            yield source, functions[0], code + PREPARE.format(name=functions[0])


def _sources(case: Case) -> Iterator[Path]:
    folders = dict.fromkeys([case.answers.folder, case.answers.model.path.parent])
    for suffix in (".py", NOTEBOOK):
        for folder in folders:
            for path in sorted(folder.glob(f"*{suffix}"))[:MAX_FILES]:
                if path.is_file() and path.stat().st_size <= MAX_BYTES:
                    yield path


def _stems_a_text(function: ast.FunctionDef) -> bool:
    """Return whether a function takes one value and calls a method `stem`."""
    arguments = function.args
    required = len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)
    return required == 1 and any(
        isinstance(inner, ast.Call)
        and isinstance(inner.func, ast.Attribute)
        and inner.func.attr == "stem"
        for inner in ast.walk(function)
    )
