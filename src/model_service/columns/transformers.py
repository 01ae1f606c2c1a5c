"""Apply fitted transformers to the columns, in order, before the model predicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Names = tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """A fitted transformer and the names of what goes in and what comes out."""

    transformer: Any
    columns: Names | None  # those that it is for; None for all
    before: Names
    made: Names | None  # None where the transformer does not name its output
    after: Names | None

    def apply(self, data: Any) -> Any:
        """Return what the data, a frame or an array or a list of texts, becomes."""
        if self.columns is None:
            return _transform(self.transformer, data, self.before)
        frame = as_frame(data, self.before)
        output = _dense(_transform(self.transformer, frame[list(self.columns)], self.columns))
        columns = self.arrangement(output.shape[1])
        return type(frame)({n: frame[n] if p is None else output[:, p] for n, p in columns})

    def arrangement(self, width: int) -> list[tuple[str, int | None]]:
        """Return each column's name and its place in the output; None for one that stays.

        `width` is how many columns the transformer makes of those that it is for.
        """
        assert self.columns is not None
        made = self.made or _numbered(self.columns, width)
        new = {name: number for number, name in enumerate(made)}
        places = _places(self.before, self.columns, made)
        return [(name, new.get(name)) for old, names in places for name in names or (old,)]


def stages(transformers: Iterable[tuple[Any, Names | None]], columns: Names) -> tuple[Stage, ...]:
    """Return the stages for transformers of which the first one meets `columns`."""
    found = []
    before = columns
    for transformer, chosen in transformers:
        made = after = output_names(transformer, chosen or before)
        if chosen is not None and made is not None:
            places = _places(before, chosen, made)
            after = tuple(name for old, names in places for name in names or (old,))
        found.append(Stage(transformer, chosen, before, made, after))
        before = after or ()
    return tuple(found)


def _places(before: Names, chosen: Names, made: Names) -> Iterable[tuple[str, Names]]:
    """Yield each old column with those that take its place, none where it stays.

    One column for each takes its own place; else all of them take that of the first.
    """
    one_to_one = len(made) == len(chosen)
    for name in before:
        if name not in chosen:
            yield name, ()
        elif one_to_one:
            yield name, (made[chosen.index(name)],)
        elif name == next(n for n in before if n in chosen):
            yield name, made


def output_names(transformer: Any, columns: Names) -> Names | None:
    """Return the names that a transformer gives its output, or None where it does not say."""
    if is_label_encoder(transformer):
        return columns
    given = None if hasattr(transformer, "feature_names_in_") else np.array(columns, dtype=object)
    try:
        return tuple(map(str, transformer.get_feature_names_out(given)))
    except (AttributeError, TypeError, ValueError):
        return None


def is_label_encoder(transformer: Any) -> bool:
    """Tell a transformer of one column of labels: it takes that column alone."""
    return type(transformer).__name__ == "LabelEncoder"


def _numbered(columns: Names, width: int) -> Names:
    if width == len(columns):
        return columns
    return tuple(f"{columns[0]}_{number}" for number in range(width))


def _transform(transformer: Any, data: Any, names: Names) -> Any:
    if is_label_encoder(transformer):
        return transformer.transform(as_array(data).ravel()).reshape(-1, 1)
    own = getattr(transformer, "feature_names_in_", None)
    if own is not None:
        return transformer.transform(as_frame(data, names)[list(own)])
    return transformer.transform(as_array(data))


def final_input(data: Any, names: Names | None, wanted: Names | None) -> Any:
    """Return the output of the last stage as the model was trained on it: by name, or an array."""
    if wanted is None:
        return as_array(data)
    if names is not None and set(names) == set(wanted):
        return as_frame(data, names)[list(wanted)]
    return as_frame(data, wanted)


def as_frame(data: Any, names: Sequence[str]) -> Any:
    """Return a frame with these names; an array gets them by position."""
    import pandas as pd  # noqa: PLC0415  # 60 MB that a model trained on arrays does not need

    if isinstance(data, pd.DataFrame):
        return data if list(data.columns) == list(names) else data.set_axis(list(names), axis=1)
    return pd.DataFrame(_dense(data), columns=list(names))


def as_array(data: Any) -> Any:
    """Return a frame's values in C order, anything else as it is."""
    return np.ascontiguousarray(data.to_numpy()) if hasattr(data, "to_numpy") else data


def _dense(data: Any) -> Any:
    """Return an array of two dimensions; encoders answer sparse ones, some transformers frames."""
    if hasattr(data, "toarray"):
        return data.toarray()
    return np.asarray(data)
