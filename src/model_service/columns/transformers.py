"""Apply fitted transformers to the columns, in order, before the model predicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_service.columns.spelling import without_spaces

Names = tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """A fitted transformer with the names of its input and output columns."""

    transformer: Any
    columns: Names | None  # the columns that it transforms; None: all of them
    before: Names  # all columns before it
    made: Names | None  # the columns that it makes; None if it does not name them
    after: Names | None  # all columns after it; None if they have no names

    def apply(self, data: Any) -> Any:
        """Transform a frame, an array or a list of texts."""
        if self.columns is None:
            return _transform(self.transformer, data, self.before)
        frame = as_frame(data, self.before)
        output = _dense(_transform(self.transformer, frame[list(self.columns)], self.columns))
        columns = self.arrangement(output.shape[1])
        return type(frame)(
            {name: frame[name] if index is None else output[:, index] for name, index in columns}
        )

    def arrangement(self, width: int) -> list[tuple[str, int | None]]:
        """Return each column after the stage, with its index in the transformer's output.

        The index of a column that is not transformed is None. `width` is the number of columns
        that the transformer makes.
        """
        assert self.columns is not None
        made = self.made or _numbered(self.columns, width)
        index_of = {name: index for index, name in enumerate(made)}
        replaced = _replacements(self.before, self.columns, made)
        return [(name, index_of.get(name)) for old, names in replaced for name in names or (old,)]


def make_stages(
    transformers: Iterable[tuple[Any, Names | None]], columns: Names
) -> tuple[Stage, ...]:
    """Return the stages of transformers and their columns; `columns` are those of the first."""
    stages = []
    before = columns
    for transformer, chosen in transformers:
        made = after = output_names(transformer, chosen or before)
        if chosen is not None and made is not None:
            replaced = _replacements(before, chosen, made)
            after = tuple(name for old, names in replaced for name in names or (old,))
        stages.append(Stage(transformer, chosen, before, made, after))
        before = after or ()
    return tuple(stages)


def _replacements(before: Names, chosen: Names, made: Names) -> Iterable[tuple[str, Names]]:
    """Yield each column with those that replace it; () if it is not transformed.

    If the transformer makes as many columns as it takes, each replaces its own; otherwise all of
    them replace the first, and nothing replaces the others.
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
    """Return the names of a transformer's output columns, or None if it does not tell them."""
    if is_label_encoder(transformer):
        return columns
    fitted = hasattr(transformer, "feature_names_in_")
    input_features = None if fitted else np.array(columns, dtype=object)
    try:
        return tuple(map(str, transformer.get_feature_names_out(input_features)))
    except (AttributeError, TypeError, ValueError):
        return None


def is_label_encoder(transformer: Any) -> bool:
    """Return whether it is a LabelEncoder, which takes one column as a one-dimensional array."""
    return type(transformer).__name__ == "LabelEncoder"


def _numbered(columns: Names, width: int) -> Names:
    if width == len(columns):
        return columns
    return tuple(f"{columns[0]}_{number}" for number in range(width))


def _transform(transformer: Any, data: Any, names: Names) -> Any:
    if is_label_encoder(transformer):
        return transformer.transform(as_array(data).ravel()).reshape(-1, 1)
    fitted_names = getattr(transformer, "feature_names_in_", None)
    if fitted_names is not None:
        frame = data if _has_columns(data, fitted_names) else as_frame(data, names)
        return transformer.transform(frame[list(fitted_names)])
    if not hasattr(transformer, "n_features_in_"):
        # A class of the author's own that takes what it was written for, most often a frame.
        return transformer.transform(data)
    return transformer.transform(as_array(data))


def _has_columns(data: Any, names: Iterable[str]) -> bool:
    return hasattr(data, "columns") and set(names) <= set(data.columns)


def final_input(data: Any, names: Names | None, model_names: Names | None) -> Any:
    """Return the output of the last stage as the model was trained on it: a frame or an array."""
    if model_names is None:
        return as_array(data)
    if names is not None and (found := _in_order(names, model_names)) is not None:
        return as_frame(as_frame(data, names)[found], model_names)
    return as_frame(data, model_names)


def _in_order(names: Names, model_names: Names) -> list[str] | None:
    """Return the names in the model's order, or None if they are not the model's.

    In a model of LightGBM they can be spelled without spaces. An encoder can know categories that
    the training had no column for.
    """
    if set(names) >= set(model_names):
        return list(model_names)
    by_spelling = {without_spaces(name): name for name in names}
    spelled = [without_spaces(name) for name in model_names]
    is_found = len(by_spelling) == len(names) and by_spelling.keys() >= set(spelled)
    return [by_spelling[name] for name in spelled] if is_found else None


def as_frame(data: Any, names: Sequence[str]) -> Any:
    """Return a frame with these columns: by name if it has them all, else by position."""
    import pandas as pd  # noqa: PLC0415  # 60 MB that a model of arrays does not need

    if isinstance(data, pd.DataFrame):
        if list(data.columns) == list(names):
            return data
        by_name = set(data.columns) == set(names)
        return data[list(names)] if by_name else data.set_axis(list(names), axis=1)
    return pd.DataFrame(_dense(data), columns=list(names))


def as_array(data: Any) -> Any:
    """Return a frame's values in C order, anything else as it is."""
    return np.ascontiguousarray(data.to_numpy()) if hasattr(data, "to_numpy") else data


def _dense(data: Any) -> Any:
    """Return a two-dimensional array; the output can be a sparse matrix or a frame."""
    if hasattr(data, "toarray"):
        return data.toarray()
    return np.asarray(data)
