"""Names in a model file outside the known libraries: the author's code, or names to be trusted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from workbench.adopt.answers import Answers
from workbench.adopt.beside.find_code import repair_with_code
from workbench.adopt.code.author_code import AuthorCode
from workbench.adopt.problems import Problem, Repair
from workbench.errors import listing
from workbench.inspect import FileFacts
from workbench.inspect.pickle.names import DISTRIBUTIONS

MAX_USES = 20  # of the names that pickled code uses, in a message


def check_names(facts: FileFacts, code: AuthorCode | None, answers: Answers) -> Iterator[Problem]:
    """Yield a problem for names that no code defines, and for names that are not trusted."""
    needed = code.needed_names(facts) if code is not None else facts.custom_names
    yield from _check_code(needed, code, answers)
    unknown = [name for name in facts.unknown_names if name not in needed]
    yield from _check_trust(facts, unknown, answers)


def _check_code(
    needed: Sequence[str], code: AuthorCode | None, answers: Answers
) -> Iterator[Problem]:
    names = answers.names
    if needed and code is None:
        yield Problem(
            None,
            f"The model file refers to {listing(needed)}, defined in a notebook or script. Answer "
            f"{names.model_code}= with a .py file that defines it.",
            repair_with_code(needed, answers),
        )
    elif code is not None:
        undefined = [name for name in needed if not code.defines(name)]
        if undefined:
            yield Problem(
                "model_code",
                f"{code.name} does not define {listing(undefined)}, which the model file "
                "refers to; add it there.",
            )


def _check_trust(facts: FileFacts, unknown: Sequence[str], answers: Answers) -> Iterator[Problem]:
    """Yield a problem for pickled code and for unknown libraries that are not trusted."""
    trusted, names = answers.trusted, answers.names
    not_installable = [name for name in unknown if not _can_be_installed(name)]
    if not_installable:
        yield Problem(
            None,
            f"The model file refers to {listing(not_installable)}, outside the libraries that are "
            f"known here. If the code is your own, answer {names.model_code}= with the .py file "
            "that defines it; else save the model without it.",
            repair_with_code(not_installable, answers),
        )
    pickled = facts.pickled_names
    others = [name for name in unknown if name not in (*not_installable, *pickled)]
    needed = [*pickled, *others]
    untrusted = [name for name in needed if name not in trusted]
    if not untrusted:
        return
    packages = [name for name in trusted if name.endswith(".*") and name not in needed]
    answer = ",".join([*needed, *packages])  # the author's code imports the packages
    # Of the standard library a model file needs what is known. More is typed, not pasted.
    is_pasted = all(_root(name) in DISTRIBUTIONS for name in untrusted if name not in pickled)
    repair = Repair({"trust": answer}) if is_pasted else None
    if any(name in pickled for name in untrusted):
        uses = f"It uses {listing(facts.code_uses, MAX_USES)}. " if facts.code_uses else ""
        yield Problem(
            None,
            f"The model file contains code ({listing(pickled)}), pickled by cloudpickle"
            f"{f', and refers to {listing(others)}' if others else ''}. {uses}Pickled code is "
            "code: it runs on your machine and on the server, and no check can show that it is "
            f'harmless. If you know who wrote it and trust them, answer {names.trust}="{answer}"',
            repair,
        )
    else:
        yield Problem(
            None,
            f"The model file refers to {listing(untrusted)}, outside the classes and functions "
            "that are known to be harmless in a model. Loading the file imports them, and can call "
            "them with what it holds. If the code is your own, answer "
            f"{names.model_code}= with the .py file that defines it; if you trust it, answer "
            f'{names.trust}="{answer}"',
            repair,
        )


def _can_be_installed(name: str) -> bool:
    return _root(name) in DISTRIBUTIONS or _root(name) in sys.stdlib_module_names


def _root(name: str) -> str:
    return name.split(".", maxsplit=1)[0]
