"""What loading a file would do, recorded while the file is read without loading it."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.inspect.pickle.values import ByValue, Global


@dataclass
class LoadEffects:
    """The names that a loader would import and call, and the code that it would define."""

    names: set[Global] = field(default_factory=set)  # classes and functions to import
    calls: set[Global] = field(default_factory=set)  # those of them that loading calls
    classes: set[Global] = field(default_factory=set)  # those of the objects that it makes
    # What no later part of the file holds: a loader makes it all the same.
    discarded: list[object] = field(default_factory=list)
    by_value: list[ByValue] = field(default_factory=list)  # whose code is in the file
    protocol: int = 0
    joblib_arrays: int = 0  # arrays that joblib wrote beside the pickle's opcodes
    # What the file calls a class, if scikit-learn has called it otherwise since 0.24.
    old_names: dict[Global, Global] = field(default_factory=dict)
    python2: bool = False  # the file has texts as only Python 2 writes them
