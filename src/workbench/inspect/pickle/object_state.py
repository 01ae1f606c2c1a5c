"""Refuse pickled states that set attributes of a library's object in an unusual form.

A loader takes any mapping as a state, and NumPy texts as its keys. A pickler writes a dict with
plain texts; only that form shows which attributes an object gets.
"""

from __future__ import annotations

from workbench.inspect.pickle.names import known_names
from workbench.inspect.pickle.statsmodels_state import check_statsmodels_state
from workbench.inspect.pickle.values import Dict, Global
from workbench.inspect.refused_file import dangerous

# Packages, and modules of native code, whose objects take tuples apart by their positions.
TUPLE_PACKAGES = ("numpy", "pandas")
TUPLE_MODULES = frozenset(
    (
        "sklearn.metrics._dist_metrics",
        "sklearn.neighbors._ball_tree",
        "sklearn.neighbors._kd_tree",
    )
)


class StateCheck:
    """Check the states of objects; a dict that many objects share is read once."""

    def __init__(self) -> None:
        self._checked: dict[int, Dict] = {}  # by id; they do not change after they are a state

    def check(self, cls: Global, state: object) -> None:
        """Raise RefusedFile if a class gets a state that no pickler writes for it."""
        check_statsmodels_state(cls, state)
        if not known_names().is_of_library(cls):
            return
        attributes, slots = _parts(state)
        if self._has_attributes(attributes) and self._has_attributes(slots):
            return
        if isinstance(state, tuple) and _takes_tuples(cls):
            return
        raise dangerous(f"the state of a {cls.name} is no dict of attributes")

    def _has_attributes(self, part: object) -> bool:
        if part is None:
            return True
        if not isinstance(part, Dict):
            return False
        if id(part) not in self._checked:
            if not all(type(name) is str for name, _ in part.pairs()):
                return False
            self._checked[id(part)] = part
        return True


def _parts(state: object) -> tuple[object, object]:
    """Return the attributes and the slots of a state: slots make it a pair."""
    return state if isinstance(state, tuple) and len(state) == 2 else (state, None)


def _takes_tuples(cls: Global) -> bool:
    """Return whether a class takes a tuple as its state and sets no attribute by name from it."""
    if cls.module in TUPLE_MODULES or cls.module.split(".")[0] in TUPLE_PACKAGES:
        return True
    # A constructor, not the class of the object: native code, functools.partial.
    return cls in known_names().calls
