"""What LightGBM's text format says about a booster. It does not say who wrote it."""

from __future__ import annotations

import re

from .facts import BoosterFacts
from .values import Blob

HEADER = 1 << 20  # the names of ten thousand features
# One of them stands near the end of every whole model; R does not write the last.
ENDINGS = ("\nend of trees\n", "\nend of parameters\n", "\npandas_categorical:")
INVENTED = re.compile(r"Column_\d+")
NUMBER = re.compile(r"\d{1,9}")


def format_of(model: str | Blob) -> str | None:
    """Return the version of the format: "v3" of LightGBM 3, "v4" of LightGBM 4."""
    text = model.head.decode("utf-8", "replace") if isinstance(model, Blob) else model[:HEADER]
    match = re.match(r"tree\nversion=(v\d{1,3})\n", text)
    return match[1] if match else None


def read(model: str | Blob) -> BoosterFacts | None:
    """Return the facts of a booster, or None where it cannot be read."""
    text = model.head.decode("utf-8", "replace") if isinstance(model, Blob) else model[:HEADER]
    if not text.startswith("tree\n"):
        return None
    lines = text.partition("\n\n")[0].split("\n")  # the header ends with an empty line
    if "\n\n" not in text:
        lines.pop()  # it may be cut off
    header = dict(line.partition("=")[::2] for line in lines)
    names = tuple(header.get("feature_names", "").split(" "))
    last, per_row = header.get("max_feature_idx", ""), header.get("num_tree_per_iteration", "")
    return BoosterFacts(
        feature_names=None if all(INVENTED.fullmatch(n) or not n for n in names) else names,
        n_features=int(last) + 1 if NUMBER.fullmatch(last) else None,
        # "binary sigmoid:1", and nothing where the user brought a function.
        objective=header.get("objective", "").partition(" ")[0] or None,
        n_classes=int(per_row) if NUMBER.fullmatch(per_row) else 1,
    )


def is_whole(model: str | Blob) -> bool:
    """Say whether a model ends as LightGBM ends them."""
    text = model.tail.decode("utf-8", "replace") if isinstance(model, Blob) else model
    return any(ending in text for ending in ENDINGS)
