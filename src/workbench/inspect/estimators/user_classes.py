"""What a class of the user's own can do, derived from its methods and its base classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from workbench.inspect.pickle.names import CUSTOM_MODULES, Estimator, known_names
from workbench.inspect.pickle.values import Global, PickledClass

MAX_ANCESTORS = 100
METHODS = ("predict", "predict_proba", "classes_")  # the last one as a property
MIXINS: Mapping[str, str] = {
    "ClassifierMixin": "classifier",
    "ClusterMixin": "clusterer",
    "OutlierMixin": "outlier",
    "RegressorMixin": "regressor",
    "TransformerMixin": "transformer",
}
# Base classes without `predict`; any other unknown base is assumed to have it.
PLAIN_BASES = frozenset("ABC BaseEstimator Generic MetaEstimatorMixin Protocol object".split())


@dataclass(frozen=True)
class ClassDefinition:
    """The base classes of a class, and the names that its body defines.

    A base from the same source has an empty module and its qualified name.
    """

    bases: tuple[Global, ...]
    members: frozenset[str]


UserClasses = Mapping[str, ClassDefinition]  # by qualified name, such as "Outer.Inner"
NO_CLASSES: UserClasses = MappingProxyType({})


def describe_class(cls: Global, user_classes: UserClasses = NO_CLASSES) -> Estimator | None:
    """Return the kind and methods of a class, or None if nothing is known about it."""
    if known := known_names().estimator(cls):
        return known
    if _definition(cls, user_classes) is None:
        return None
    kinds: list[str] = []
    methods: set[str] = set()
    like = ""
    for ancestor in _ancestors(cls, user_classes):
        definition = _definition(ancestor, user_classes)
        if definition is not None:
            found = {name for name in METHODS if name in definition.members}
        elif ancestor.name in MIXINS:
            found = set()
            kinds.append(MIXINS[ancestor.name])
        elif known := known_names().estimator(ancestor) or _by_public_name(ancestor):
            found = set(known.methods)
            kinds.append(known.kind)
            like = like or ancestor.name
        else:
            found = set() if ancestor.name in PLAIN_BASES else {"predict"}
        methods |= {name for name in found if name.rstrip("?") not in methods}
    # Of several kinds the model counts: KMeans transforms and predicts, and is a clusterer.
    kinds.sort(key=("transformer", "other").__contains__)
    return Estimator(kinds[0] if kinds else "other", frozenset(methods), like)


def has_method(cls: Global, name: str, user_classes: UserClasses) -> bool:
    """Return whether a class can have a method: only if all its code is known, it can lack it."""
    if _definition(cls, user_classes) is None:
        return True
    for ancestor in _ancestors(cls, user_classes):
        definition = _definition(ancestor, user_classes)
        if definition is None and ancestor.name not in (*PLAIN_BASES, *MIXINS):
            return True
        if definition is not None and name in definition.members:
            return True
    return False


def _ancestors(cls: Global, user_classes: UserClasses) -> Iterator[Global]:
    """Yield a class and its ancestors, each once: a hostile file can share them often."""
    seen: set[int] = set()
    waiting = [cls]
    while waiting and len(seen) < MAX_ANCESTORS:
        ancestor = waiting.pop()
        if id(ancestor) not in seen:
            seen.add(id(ancestor))
            yield ancestor
            definition = _definition(ancestor, user_classes)
            waiting.extend(reversed(definition.bases if definition is not None else ()))


def _definition(cls: Global, user_classes: UserClasses) -> ClassDefinition | None:
    """Return the definition of a class of the user's own, or None for any other class."""
    if isinstance(cls, PickledClass):
        members = frozenset(name for name, _ in cls.members.pairs() if isinstance(name, str))
        bases = tuple(base for base in cls.bases if isinstance(base, Global))
        return ClassDefinition(bases, members)
    of_user = cls.module in (*CUSTOM_MODULES, "") or not known_names().is_library(cls)
    return user_classes.get(cls.name) if of_user else None


def _by_public_name(cls: Global) -> Estimator | None:
    """Return what is known about a class under the module that sources import it from.

    A pickle refers to sklearn.ensemble._forest, a source to sklearn.ensemble.
    """
    root = f"{cls.module.split('.')[0]}."
    for known, estimator in known_names().estimators.items():
        if known.name == cls.name and known.module.startswith(root):
            return estimator
    return None
