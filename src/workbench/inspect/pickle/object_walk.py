"""Walk through the objects in a file, with the place of each: which attribute holds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from workbench.inspect.pickle.arrays import plain
from workbench.inspect.pickle.model_functions import STORED_FUNCTIONS
from workbench.inspect.pickle.names import CALLED_CONTAINERS, known_names
from workbench.inspect.pickle.values import Array, Dict, Global, Instance, PickledClass

# Attributes that hold estimators with their names.
NAMED_PARTS = ("steps", "transformer_list", "transformers", "transformers_", "estimators")
ENTERED = (tuple, list, Array, Instance, Global)


@dataclass(frozen=True, slots=True)
class Place:
    """The attribute of an object; an empty one stands for the top of the file."""

    owner: Instance | None = None
    attribute: str = ""
    step: str = ""  # the name of the step of a pipeline, or of another part, around it

    @property
    def of_library(self) -> bool:
        """Whether the owner is an object of a known library, not of the author's own class."""
        return self.owner is not None and known_names().is_of_library(self.owner.cls)

    def is_of(self, value: object) -> bool:
        """Whether a value is the attribute itself, not something in it."""
        return self.owner is not None and self.owner.attribute(self.attribute) is value

    @property
    def hides_method(self) -> bool:
        """Whether the attribute has the name of a method."""
        return self.of_library and self.attribute in known_names().methods

    @property
    def holds_estimators(self) -> bool:
        """Whether the owner calls the methods of what it holds here, as of an estimator."""
        return self.of_library and self.attribute in known_names().parts

    @property
    def kind(self) -> tuple[object, ...]:
        """What decides whether a value is allowed here."""
        stored = self.attribute if self.attribute in STORED_FUNCTIONS else ""
        return self.hides_method, self.holds_estimators, stored

    def __str__(self) -> str:
        if self.owner is None:
            return "The file"
        return f"The {self.owner.cls.name}" + (f" in step {self.step!r}" if self.step else "")


TOP = Place()


def attributes_of(value: Instance) -> Iterator[tuple[object, object]]:
    """Yield the attributes that a loader sets: `__dict__`, slots, and the items of a Bunch."""
    state = value.state
    for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(part, Dict):
            yield from part.pairs()
    if value.entries is not None and value.cls not in CALLED_CONTAINERS:
        # A NumPy text is as good a key as a plain one.
        yield from ((plain(key), held) for key, held in value.entries.pairs())


def items_of(value: object) -> Dict | None:
    """Return the keys and values of a dict or an OrderedDict; None if the file hides them."""
    if isinstance(value, Instance) and value.cls in CALLED_CONTAINERS and not value.args:
        return value.entries or Dict()
    return value if isinstance(value, Dict) else None


def walk_places(roots: Iterable[object]) -> Iterator[tuple[Place, object]]:
    """Yield the value of each attribute, and each name and object in it, with its place.

    An object is entered once. A list is entered once for each kind of place: what it may hold
    depends on that, and a hostile file can share it at no cost.
    """
    seen: set[object] = set()
    waiting: list[tuple[Place, object]] = [
        (TOP, root) for root in roots if isinstance(root, ENTERED)
    ]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, Instance):
            yield place, value
            if id(value) not in seen:
                seen.add(id(value))
                for inner, held in _inside(place, value):
                    if isinstance(held, ENTERED):
                        waiting.append((inner, held))
                    if inner.attribute and not isinstance(held, Global | Instance):
                        yield inner, held
        elif isinstance(value, PickledClass):
            continue  # code in the file is for the user to trust
        elif isinstance(value, Global):
            yield place, value
        elif (id(value), place.kind) not in seen:
            seen.add((id(value), place.kind))
            items = (value.data,) if isinstance(value, Array) else value
            step = _name_of_part(place, value)
            inner = replace(place, step=step) if step else place
            assert isinstance(items, tuple | list)
            waiting.extend((inner, item) for item in items if isinstance(item, ENTERED))


def _inside(place: Place, value: Instance) -> Iterator[tuple[Place, object]]:
    """Yield what an object holds: its attributes, and the rest without one."""
    own = Place(value, "", place.step)
    for name, held in attributes_of(value):
        yield (Place(value, name, place.step), held) if isinstance(name, str) else (own, held)
        yield own, name
    yield own, value.args
    yield own, value.elements
    if not isinstance(value.state, Dict):
        yield own, value.state
    if value.cls in CALLED_CONTAINERS:
        yield own, value.entries


def _name_of_part(place: Place, value: object) -> str:
    """Return the name of a part that is held with it, or nothing."""
    if place.attribute in NAMED_PARTS and isinstance(value, tuple) and len(value) > 1:
        return value[0] if isinstance(value[0], str) else ""
    return ""
