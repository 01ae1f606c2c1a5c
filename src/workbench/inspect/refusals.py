"""Say what a pickle holds that is no single estimator."""

from __future__ import annotations

from workbench.inspect.errors import Refused
from workbench.inspect.formats import pickled_boosters
from workbench.inspect.pickle.values import Array, Blob, Dict, Global, Instance, Set

PLAIN = "Give a fitted scikit-learn model saved by joblib.dump or pickle.dump."
TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a legacy torch.save

WORDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Array, "a numpy array"),
    (Dict, "a dict"),
    (Set, "a set"),
    (tuple, "a tuple"),
    (list, "a list"),
    (str, "a text"),
    ((bytes, Blob), "text or bytes"),
    ((bool, int, float), "a number"),
)


def refuse_contents(root: object) -> Refused:
    """Describe a root object that is no estimator."""
    if isinstance(root, Instance) and pickled_boosters.library_of(root.cls):
        return pickled_boosters.refuse(root.cls)
    if isinstance(root, int) and root == TORCH_MAGIC:
        return Refused("unsupported", "The file is a PyTorch model.", PLAIN)
    return Refused("not_a_model", f"The file holds {_name(root)}, not a model.", PLAIN)


def _name(root: object) -> str:
    if isinstance(root, Global):
        return f"the class {root.name} itself"
    if isinstance(root, Instance):
        name = root.cls.name
        if name == "object":  # of which the file names a helper only, such as a pandas Index
            return f"an object of {root.cls.module}"
        return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"
    return next((words for kind, words in WORDS if isinstance(root, kind)), "nothing")
