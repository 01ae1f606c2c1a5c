"""What a class of the user's own can do, by what it defines and what it descends from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.inspect.pickle.names import CUSTOM_MODULES, Estimator, known_names
from workbench.inspect.pickle.values import Global, OwnClass

MOST_ANCESTORS = 100
METHODS = ("predict", "predict_proba", "classes_")  # the last one as a property
MIXINS: Mapping[str, str] = {
    "ClassifierMixin": "classifier",
    "ClusterMixin": "clusterer",
    "OutlierMixin": "outlier",
    "RegressorMixin": "regressor",
    "TransformerMixin": "transformer",
}
# Bases that add nothing that matters here; any other that is not known may well predict.
PLAIN_BASES = frozenset("ABC BaseEstimator Generic MetaEstimatorMixin Protocol object".split())


@dataclass(frozen=True)
class Outline:
    """A class as its source has it: bases, and the names in its body.

    A base of the same source has no module, and its name is the qualified one.
    """

    bases: tuple[Global, ...]
    members: frozenset[str]


# By qualified name, such as "Outer.Inner".
Outlines = Mapping[str, Outline]


def describe(cls: Global, outlines: Outlines) -> Estimator | None:
    """Return what is known about a class, or None if that is nothing."""
    if known := known_names().estimator(cls):
        return known
    if _outline(cls, outlines) is None:
        return None
    kinds: list[str] = []
    methods: set[str] = set()
    like = ""
    for ancestor in _ancestors(cls, outlines):
        outline = _outline(ancestor, outlines)
        if outline is not None:
            found = {name for name in METHODS if name in outline.members}
        elif ancestor.name in MIXINS:
            found = set()
            kinds.append(MIXINS[ancestor.name])
        elif known := known_names().estimator(ancestor) or _public(ancestor):
            found = set(known.methods)
            kinds.append(known.kind)
            like = like or ancestor.name
        else:
            found = set() if ancestor.name in PLAIN_BASES else {"predict"}
        methods |= {name for name in found if name.rstrip("?") not in methods}
    # A transformer that predicts, as KMeans does, is taken for what it predicts.
    kinds.sort(key=("transformer", "other").__contains__)
    return Estimator(kinds[0] if kinds else "other", frozenset(methods), like)


def _ancestors(cls: Global, outlines: Outlines) -> Iterator[Global]:
    """Yield a class and those it descends from, each once: a hostile file can share them often."""
    seen: set[int] = set()
    waiting = [cls]
    while waiting and len(seen) < MOST_ANCESTORS:
        ancestor = waiting.pop()
        if id(ancestor) not in seen:
            seen.add(id(ancestor))
            yield ancestor
            outline = _outline(ancestor, outlines)
            waiting.extend(reversed(outline.bases if outline is not None else ()))


def _outline(cls: Global, outlines: Outlines) -> Outline | None:
    """Return the outline of a class of the user's own, or None for any other."""
    if isinstance(cls, OwnClass):
        members = frozenset(name for name, _ in cls.members.pairs() if isinstance(name, str))
        bases = tuple(base for base in cls.bases if isinstance(base, Global))
        return Outline(bases, members)
    own = cls.module in (*CUSTOM_MODULES, "") or not known_names().is_library(cls)
    return outlines.get(cls.name) if own else None


def _public(cls: Global) -> Estimator | None:
    """Return what is known about a class by the name that sources use.

    A pickle says sklearn.ensemble._forest, and a source sklearn.ensemble.
    """
    root = f"{cls.module.split('.')[0]}."
    for known, estimator in known_names().estimators.items():
        if known.name == cls.name and known.module.startswith(root):
            return estimator
    return None
