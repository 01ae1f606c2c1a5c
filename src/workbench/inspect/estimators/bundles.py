"""Bundles: a dict, tuple or list in one file that holds a model and the objects used with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from math import prod

from workbench.inspect.estimators.estimator_kind import Kind, kind_of
from workbench.inspect.pickle.arrays import plain, values_of
from workbench.inspect.pickle.values import Array, Dict, Instance, Set, walk
from workbench.inspect.refused_file import RefusedFile

MAX_NESTING = 5
FEATURES = re.compile(r"feature|col|input", re.IGNORECASE)  # usual names of a feature list
MAX_MEMBERS_SHOWN = 12
# Limits of the search for feature names: a hostile file can share a long list at no cost.
MAX_MEMBERS, MAX_TEXTS, MAX_PARTS = 200, 20_000, 100


@dataclass(frozen=True)
class Member:
    """A member of a bundle; users write `name` after the # in `artifact.pkl#model`."""

    name: str
    value: object


@dataclass(frozen=True)
class Bundle:
    """The members of a file by what they are; a nested one is named `outer.inner`."""

    models: tuple[Member, ...]
    transformers: tuple[Member, ...]
    text_lists: Mapping[str, tuple[str, ...]]  # by member: one of them can name the features
    numbers: Mapping[str, float]  # by member

    def names(self, count: int | None) -> tuple[str, ...] | None:
        """Return the names of `count` features if exactly one list can be meant."""
        lists = {key: names for key, names in self.text_lists.items() if len(names) == count}
        likely = {key: names for key, names in lists.items() if FEATURES.search(key)}
        found = set((likely or lists).values())
        return found.pop() if len(found) == 1 else None

    @property
    def threshold(self) -> float | None:
        """The decision threshold that the file holds beside the model, if there is exactly one."""
        found = {n for key, n in self.numbers.items() if "thresh" in key.lower() and 0 < n < 1}
        return found.pop() if len(found) == 1 else None

    @property
    def fitted(self) -> tuple[Member, ...]:
        return (*self.models, *self.transformers)


def members_of(root: object, kinds: tuple[type, ...] = (object,)) -> list[Member]:
    """Return the direct members of a dict, tuple or list; none of anything else.

    Only members of these `kinds` are returned: a list can hold millions of numbers.
    """
    if isinstance(root, Instance):  # sklearn.utils.Bunch, collections.OrderedDict
        root = root.entries
    if isinstance(root, Dict):
        pairs = ((k, v) for k, v in root.pairs() if type(k) in (str, int))
        return [Member(str(key), value) for key, value in pairs if isinstance(value, kinds)]
    if isinstance(root, tuple | list) and not isinstance(root, Set):
        return [Member(str(n), value) for n, value in enumerate(root) if isinstance(value, kinds)]
    return []


def bundle_of(root: object) -> Bundle:
    """Return the members of a file by what they are."""
    found = _fitted(root, "", MAX_NESTING, set())
    # An object of the user's own class can be anything: it is taken for the model if none is known.
    models = [m for kind, m in found if kind == "model"] or [
        m for kind, m in found if kind == "unknown"
    ]
    # A transformer that is a step of a model is applied by the model.
    steps = {id(part) for part in walk([model.value for model in models])}
    plain_members = members_of(root)[:MAX_MEMBERS] if found else []
    return Bundle(
        models=tuple(models),
        transformers=tuple(
            member
            for kind, member in found
            if kind == "transformer" and id(member.value) not in steps
        ),
        text_lists={
            m.name: texts for m in plain_members if (texts := texts_in(m.value)) is not None
        },
        numbers={m.name: number for m in plain_members if type(number := plain(m.value)) is float},
    )


def _fitted(root: object, prefix: str, depth: int, seen: set[int]) -> list[tuple[Kind, Member]]:
    """Return the estimators in a bundle and in its inner bundles, each with its kind.

    An inner bundle is read once: a hostile file can share it at no cost.
    """
    found: list[tuple[Kind, Member]] = []
    if not depth or id(root) in seen:
        return found
    seen.add(id(root))
    for member in members_of(root, (Instance, tuple, list)):
        name = f"{prefix}{member.name}"
        if (kind := kind_of(member.value)) is not None:
            found.append((kind, Member(name, member.value)))
        else:
            found += _fitted(member.value, f"{name}.", depth - 1, seen)
    return found


def texts_in(value: object) -> tuple[str, ...] | None:
    """Return a list, array or pandas Index of texts, None for anything else."""
    if isinstance(value, Instance):
        parts = islice(walk(value), MAX_PARTS)
        value = next((part for part in parts if isinstance(part, Array)), None)
    if isinstance(value, Array):
        value = values_of(value) if prod(value.shape) <= MAX_TEXTS else None
    items = value
    if not isinstance(items, tuple | list) or isinstance(items, Dict | Set):
        return None
    if len(items) > MAX_TEXTS:
        return None
    texts = tuple(item for item in items if isinstance(item, str))
    return texts if texts and len(texts) == len(items) else None


def saved_texts(root: object) -> tuple[str, ...] | None:
    """Return the texts if that is what a file holds: names of features, or classes."""
    return texts_in(root) if kind_of(root) is None else None


def find_member(root: object, name: str) -> object:
    """Return a member by its name. Raises RefusedFile with the names that there are."""
    members = {member.name: member.value for member in members_of(root)}
    if name in members:
        return members[name]
    outer, dot, inner = name.partition(".")
    if dot and outer in members:
        return find_member(members[outer], inner)
    if not members:
        raise RefusedFile(
            "no_member",
            f"The file holds no dict or tuple, so it has no member {name!r}.",
            "Leave out the # and what follows it.",
        )
    near = difflib.get_close_matches(name, members, n=1)
    shown = ", ".join(list(members)[:MAX_MEMBERS_SHOWN])
    raise RefusedFile(
        "no_member",
        f"The file has no member {name!r}; its members are {shown}.",
        f"Did you mean #{near[0]}?" if near else "Name one of them after the #.",
    )
