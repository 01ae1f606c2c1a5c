"""Check the names that loading a file would import and call against the known names."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.inspect.pickle import cloudpickle_reducers, pickled_code
from workbench.inspect.pickle.load_effects import LoadEffects
from workbench.inspect.pickle.model_values import check_values
from workbench.inspect.pickle.names import CODE_ROOTS, CUSTOM_MODULES, is_dangerous, known_names
from workbench.inspect.pickle.other_libraries import other_library
from workbench.inspect.pickle.values import PickledClass
from workbench.inspect.refused_file import code_pickled_by_dill, dangerous


@dataclass(frozen=True)
class UnlistedNames:
    """Qualified names outside the known list, sorted."""

    unknown: tuple[str, ...]  # need the user's trust
    custom: tuple[str, ...]  # in __main__: need the user's code
    by_value: tuple[str, ...]  # have their code in the file: need the user's trust


def check_names(effects: LoadEffects, root: object) -> UnlistedNames:
    """Return the names outside the known lists. Raises RefusedFile for what no model needs.

    A name that is known in one place needs trust in another: a constructor that only a loader
    calls is no function for a model to call later.
    """
    # First: a Keras model refers to builtins too, and is called dangerous for no good reason.
    if (unsupported := other_library(effects.names)) is not None:
        raise unsupported
    known = known_names()
    values = check_values([root, *effects.discarded])
    makers = known.classes | known.calls
    unlisted = (effects.names - known.names) | (effects.calls - known.calls)
    unlisted |= effects.classes - makers
    unlisted -= cloudpickle_reducers.NAMES
    unlisted |= values
    unlisted = {name for name in unlisted if not isinstance(name, PickledClass)}
    custom = {name for name in unlisted if name.module in CUSTOM_MODULES}
    unknown = sorted(unlisted - custom, key=lambda name: name.qualified)
    roots = {name.module.split(".")[0] for name in effects.names}
    for name in unknown:
        if is_dangerous(name) and "dill" not in roots:
            raise dangerous(f"it refers to {name.qualified}, which no model needs")
    if any(name.module.split(".")[0] == "dill" for name in unknown):
        raise code_pickled_by_dill()
    pickled_code.refuse_unknown_helpers(unknown)
    pickled_code.refuse_dangerous_code(effects.by_value)
    imported = pickled_code.modules_of(effects.by_value)
    modules = {module for module in imported if module.split(".")[0] not in CODE_ROOTS}
    if effects.by_value:
        # Trust in the code includes the functions of known libraries that the code refers to.
        called = (effects.calls - known.calls) | values
        unknown = [n for n in unknown if n in called or n.module.split(".")[0] not in CODE_ROOTS]
    to_trust = {*(f"{module}.*" for module in modules), *(name.qualified for name in unknown)}
    return UnlistedNames(
        unknown=tuple(sorted(to_trust)),
        custom=tuple(sorted(name.qualified for name in custom)),
        by_value=pickled_code.names_of(effects.by_value),
    )
