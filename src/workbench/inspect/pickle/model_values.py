"""Check what a model holds and can call later: functions, partials, and objects in their places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from workbench.inspect.pickle.arrays import plain
from workbench.inspect.pickle.model_functions import STORED_FUNCTIONS, TYPES_OF_TEXT, FunctionRule
from workbench.inspect.pickle.names import known_names
from workbench.inspect.pickle.object_walk import Place, attributes_of, items_of, walk_places
from workbench.inspect.pickle.parameters import check_parameter
from workbench.inspect.pickle.reducers import PARTIAL
from workbench.inspect.pickle.values import Array, Dict, Global, Instance
from workbench.inspect.refused_file import RefusedFile

METHOD = Global("types", "MethodType")
MASKED_ARRAYS = frozenset(
    {Global("numpy.ma", "MaskedArray"), Global("numpy.ma.core", "MaskedArray")}
)
# Objects with methods that evaluate text, or open the file that they are given the path of.
DATA_OBJECTS = frozenset(("DataFrame", "Series"))
RAW_BOOSTERS = frozenset({Global("lightgbm.basic", "Booster"), Global("xgboost.core", "Booster")})
BOOSTER_ATTRIBUTES = ("_Booster", "_booster")  # of LightGBM's and XGBoost's own classes
# Attributes with the keywords that a function gets, and the attribute with that function.
KEYWORDS_FOR: Mapping[str, str] = {
    "_kwargs": "_score_func",
    "effective_metric_params_": "effective_metric_",
    "inv_kw_args": "inverse_func",
    "kernel_params": "kernel",
    "kw_args": "func",
    "metric_kwds": "metric",
    "metric_params": "metric",
    "pairwise_kernels_kwargs": "metric",
}
STEP_FUNCTIONS = ("func", "inverse_func")  # of a FunctionTransformer
SAVE_WITHOUT = "Save the model without it, or define a class for it and answer model_code= with it."


def check_values(roots: Iterable[object]) -> set[Global]:
    """Return the names that a model holds as values without being known as harmless ones.

    Raises RefusedFile for what no name shows: how a function is prepared, and where it is held.
    """
    unlisted: set[Global] = set()
    for place, value in walk_places(roots):
        if isinstance(value, Global):
            if not _is_class_argument(place, value) and not _is_harmless(place, value):
                unlisted.add(value)
            unlisted |= _check_step_function(place, value)
            _refuse_hidden_method(place, value.qualified)
        elif isinstance(value, Instance):
            unlisted |= _check_object(place, value)
        if place.attribute:
            check_parameter(place, value)
            _check_keywords(place, value)
    return unlisted


def _is_harmless(place: Place, name: Global) -> bool:
    return known_names().is_value(name) or name in STORED_FUNCTIONS.get(place.attribute, ())


def _is_class_argument(place: Place, name: Global) -> bool:
    """Return whether a constructor takes this name as the class of what it makes."""
    owner = place.owner
    if owner is None or place.attribute or owner.cls not in known_names().calls:
        return False
    constructor = owner.cls.name
    if constructor == "_mareconstruct":
        return name in MASKED_ARRAYS or name == Global("numpy", "ndarray")
    if constructor == "newObj" or constructor.startswith("__pyx_unpickle_"):
        # It makes an object of any class: one of another module would be checked as if of this one.
        same = name.module == owner.cls.module or constructor != "newObj"
        same &= name.module.split(".")[0] == owner.cls.module.split(".")[0]
        return same and bool(owner.args) and owner.args[0] is name and _is_class(name)
    return owner.cls == PARTIAL and bool(owner.args) and owner.args[0] is name


def _is_class(name: Global) -> bool:
    return name in known_names().classes


def _check_object(place: Place, value: Instance) -> set[Global]:
    """Check one object. Raises RefusedFile; returns the unlisted function of a partial."""
    known = known_names()
    if value.cls == PARTIAL:
        _refuse_hidden_method(place, "a prepared function")
        return _check_partial(place, value) | _check_step_function(place, value)
    if value.cls in known.callables or value.cls == METHOD:
        _refuse_hidden_method(place, f"a {value.cls.name}, which can be called")
        _check_step_function(place, value)
    filled = bool(value.elements) or bool(value.entries)
    if filled and value.cls in known.classes and value.cls not in known.containers:
        raise _refused(f"{place} fills a {value.cls.name} as if it were a list.")
    is_data = value.cls.name in DATA_OBJECTS and value.cls.module.split(".")[0] == "pandas"
    is_estimator = place.holds_estimators and place.attribute not in BOOSTER_ATTRIBUTES
    if is_estimator and (is_data or value.cls in RAW_BOOSTERS):
        raise _refused(
            f"{place} holds a {value.cls.name} in {place.attribute}, where an estimator "
            "belongs; its methods take expressions and paths of files."
        )
    for name, _ in attributes_of(value):
        if isinstance(name, Array) and Place(value).of_library:
            raise _refused(f"A {value.cls.name} has an attribute with an unreadable name.")
        is_special = isinstance(name, str) and name.startswith("__") and name.endswith("__")
        if is_special and name != "__doc__" and Place(value).of_library:
            raise _refused(f"A {value.cls.name} replaces its own {name}, as no pickler does.")
    return set()


def _check_partial(place: Place, value: Instance) -> set[Global]:
    """Check a prepared function and the arguments that it fixes."""
    function, positional, keywords = _parts_of(value)
    if not isinstance(function, Global):
        return set()  # code in the file, which needs the user's trust
    rule = known_names().functions.get(function)
    if rule is None:
        return {function}
    names = [name for name, _ in keywords.pairs()]
    if len(positional) > rule.positional or not _allowed(names, rule):
        fixed = [*(["positional arguments"] if positional else []), *map(_shown, names)]
        raise _refused(
            f"{place} holds a partial of {function.qualified} that fixes {', '.join(fixed)[:80]}; "
            "with these it can write into what it is given."
        )
    return set()


def _check_step_function(place: Place, value: Global | Instance) -> set[Global]:
    """Return the function of a FunctionTransformer if it can make one text of many rows.

    The next step could take that for the path of a file, as XGBoost's classes do.
    """
    owner = place.owner
    if owner is None or owner.cls.name != "FunctionTransformer":
        return set()
    if place.attribute not in STEP_FUNCTIONS:
        return set()
    function: object = value
    keywords = Dict()
    if isinstance(value, Instance):
        if value.cls != PARTIAL:
            raise _refused(f"{place} has a {value.cls.name} as its {place.attribute}.")
        function, _, keywords = _parts_of(value)
    if not isinstance(function, Global):
        return set()
    more = owner.attribute("kw_args" if place.attribute == "func" else "inv_kw_args")
    keeps = keywords.get("keepdims") is True or (
        isinstance(more, Dict) and more.get("keepdims") is True
    )
    rule = known_names().functions.get(function)
    makes_text = function in TYPES_OF_TEXT or (rule is not None and rule.reduces and not keeps)
    return {function} if makes_text else set()


def _parts_of(value: Instance) -> tuple[object, tuple[object, ...], Dict]:
    """Return the function, the arguments and the keywords of a partial."""
    function, *rest = value.args or (None,)
    if isinstance(value.state, tuple) and len(value.state) == 4:  # as pickled; skops has arguments
        rest = list(value.state[1:3])
    positional, keywords = (*rest, None, None)[:2]
    return (
        function,
        positional if isinstance(positional, tuple) else (),
        keywords if isinstance(keywords, Dict) else Dict(),
    )


def _check_keywords(place: Place, value: object) -> None:
    """Check the keywords that an object gives to its function."""
    if place.owner is None or place.attribute not in KEYWORDS_FOR:
        return
    items = items_of(value)
    hidden = isinstance(value, Instance) and place.of_library and place.is_of(value)
    if items is None and not hidden:
        return  # None, or one of the arguments
    function = place.owner.attribute(KEYWORDS_FOR[place.attribute])
    if isinstance(function, Instance) and function.cls == PARTIAL:
        function = _parts_of(function)[0]
    rule = known_names().functions.get(function) if isinstance(function, Global) else None
    names: list[object] = ["unreadable arguments"]
    if items is not None:
        names = [name for name, _ in items.pairs()]
    if rule is not None and not _allowed(names, rule):
        assert isinstance(function, Global)
        raise _refused(
            f"{place} has {place.attribute} that give {function.qualified} "
            f"{', '.join(map(_shown, names))[:80]}; with these it can write into what it is given."
        )


def _allowed(names: list[object], rule: FunctionRule) -> bool:
    return all(isinstance(name, str) and name in rule.keywords for name in names)


def _shown(name: object) -> str:
    return str(plain(name)) if isinstance(name, str | Array) else "unreadable arguments"


def _refuse_hidden_method(place: Place, what: str) -> None:
    if place.hides_method:
        raise _refused(f"{place} replaces its own method {place.attribute} by {what}.")


def _refused(what: str) -> RefusedFile:
    return RefusedFile("dangerous", what, SAVE_WITHOUT)
