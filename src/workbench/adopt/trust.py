"""Names that the user must vouch for before a model file may be loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from workbench.adopt.author_code import Code, own_names
from workbench.errors import listing
from workbench.inspect import ModelFacts
from workbench.inspect.pickle.names import DISTRIBUTIONS


def problems(facts: ModelFacts, trusted: Sequence[str], code: Code | None) -> Iterator[str]:
    """Say which names nobody vouches for, and what to answer."""
    own = own_names(facts, code)
    unknown = [name for name in facts.unknown_names if name not in own]
    homeless = [name for name in unknown if not _can_be_installed(name)]
    if homeless:
        yield (
            f"The model file refers to {listing(homeless)}, outside the libraries that are known "
            "here. If the code is your own, answer model_code= with the .py file that defines it; "
            "else save the model without it."
        )
    needed = [*facts.pickled_names, *(name for name in unknown if name not in homeless)]
    asked = [name for name in needed if name not in trusted]
    if not asked:
        return
    answer = f'trust="{",".join(needed)}"'
    if any(name in facts.pickled_names for name in asked):
        others = [name for name in needed if name not in facts.pickled_names]
        yield (
            f"The model file brings code of its own ({listing(facts.pickled_names)}), pickled by "
            f"cloudpickle{f', and refers to {listing(others)}' if others else ''}. Pickled code is "
            "code: it runs on your machine and on the server, and nobody can say from here that it "
            f"is harmless. If you know who wrote it and trust them, answer {answer}"
        )
    else:
        yield (
            f"The model file refers to {listing(asked)}, outside the libraries that are known to "
            "be harmless. If the code is your own, answer model_code= with the .py file that "
            f"defines it; if you trust it, answer {answer}"
        )


def _can_be_installed(name: str) -> bool:
    root = name.split(".", maxsplit=1)[0]
    return root in DISTRIBUTIONS or root in sys.stdlib_module_names
