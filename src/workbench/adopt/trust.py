"""Names in a model file outside the known libraries: the author's code, or names to be trusted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from workbench.adopt.answers import Answers
from workbench.adopt.author_code import AuthorCode
from workbench.adopt.find_code import repair_with_code
from workbench.adopt.problems import Problem
from workbench.errors import listing
from workbench.inspect import FileFacts
from workbench.inspect.pickle.names import DISTRIBUTIONS


def check_names(facts: FileFacts, code: AuthorCode | None, answers: Answers) -> Iterator[Problem]:
    """Yield a problem for names that no code defines, and for names that are not trusted."""
    needed = code.needed_names(facts) if code is not None else facts.custom_names
    yield from _check_code(needed, code, answers)
    unknown = [name for name in facts.unknown_names if name not in needed]
    yield from _check_trust(facts.pickled_names, unknown, answers)


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


def _check_trust(
    pickled: Sequence[str], unknown: Sequence[str], answers: Answers
) -> Iterator[Problem]:
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
    others = [name for name in unknown if name not in not_installable]
    needed = [*pickled, *others]
    untrusted = [name for name in needed if name not in trusted]
    if not untrusted:
        return
    answer = f'{names.trust}="{",".join(needed)}"'
    if any(name in pickled for name in untrusted):
        others = [name for name in others if name not in pickled]
        yield Problem(
            None,
            f"The model file contains code ({listing(pickled)}), pickled by cloudpickle"
            f"{f', and refers to {listing(others)}' if others else ''}. Pickled code is code: it "
            "runs on your machine and on the server, and no check can show that it is harmless. "
            f"If you know who wrote it and trust them, answer {answer}",
        )
    else:
        yield Problem(
            None,
            f"The model file refers to {listing(untrusted)}, outside the classes and functions "
            "that are known to be harmless in a model. If the code is your own, answer "
            f"{names.model_code}= with the .py file that defines it; if you trust it, answer "
            f"{answer}",
        )


def _can_be_installed(name: str) -> bool:
    root = name.split(".", maxsplit=1)[0]
    return root in DISTRIBUTIONS or root in sys.stdlib_module_names
