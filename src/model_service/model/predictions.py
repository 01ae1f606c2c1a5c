"""Format model output as the JSON predictions of /predict, column by column for many rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, overload

import numpy as np

from model_service.contract.contract import Output
from model_service.contract.json_values import json_text, same_json

Prediction = dict[str, Any]
# The keys from a prediction to one of its values, such as ("probabilities", "Y").
Path = tuple[str, ...]


class Predictions(Sequence[Prediction]):
    """Predictions kept by column, which saves an object for each of many rows.

    `columns` has the shape of a prediction, with a list in the place of each value. A label of
    None stands for a prediction without a label.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return _length(self.columns)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        chosen = _at(self.columns, index)
        return Predictions(chosen) if isinstance(index, slice) else _without_missing_labels(chosen)

    def __iter__(self) -> Iterator[Prediction]:
        if len(self) == 1:
            return iter((self[0],))
        rows = _rows(self.columns)
        return map(_without_missing_labels, rows) if "label" in self.columns else rows


def _length(columns: Any) -> int:
    return len(columns) if isinstance(columns, list) else _length(next(iter(columns.values())))


def _at(columns: Any, index: int | slice) -> Any:
    if isinstance(columns, list):
        return columns[index]
    return {key: _at(inner, index) for key, inner in columns.items()}


def _rows(columns: Mapping[str, Any]) -> Iterator[Prediction]:
    parts = [inner if isinstance(inner, list) else _rows(inner) for inner in columns.values()]
    return (dict(zip(columns, row, strict=True)) for row in zip(*parts, strict=True))


def _without_missing_labels(prediction: Prediction) -> Prediction:
    if isinstance(labels := prediction.get("label"), dict):
        prediction["label"] = {target: text for target, text in labels.items() if text is not None}
    if prediction.get("label", "") in (None, {}):
        del prediction["label"]
    return prediction


def values_at(predictions: Sequence[Mapping[str, Any] | None], path: Path) -> list[Any]:
    """Return one value of each prediction; None if the prediction or the value is missing."""
    if isinstance(predictions, Predictions):
        column: Any = predictions.columns
        for key in path:
            column = column[key]
        return list(column)
    values: list[Any] = list(predictions)
    for key in path:
        values = [value.get(key) if value is not None else None for value in values]
    return values


def with_columns(
    predictions: Sequence[Prediction], columns: Mapping[str, list[Any]]
) -> Sequence[Prediction]:
    """Return predictions with more members, of which each has a value for every row."""
    if isinstance(predictions, Predictions):
        return Predictions({**predictions.columns, **columns})
    return [
        {**prediction, **more} for prediction, more in zip(predictions, _rows(columns), strict=True)
    ]


class PredictionFormat:
    """Format model output as JSON predictions; look-ups by class are computed once."""

    def __init__(self, output: Output, classes: Any) -> None:
        self._output, self._class_values = output, classes

    def format(self, values: Any, probabilities: Any) -> Sequence[Prediction]:
        """Return the predictions for the results of predict and predict_proba.

        `values` has the shape (rows,) or (rows, targets). `probabilities` is None or has the shape
        (rows, classes). For several targets it is a list of such arrays, as the classes are; for
        multilabel models it can be one array of the shape (rows, targets).
        """
        values, output, class_values = np.asarray(values), self._output, self._class_values
        if output.targets is None:
            values = values.reshape(len(values))
            if len(values) == 1:  # columns would cost more than the prediction of some models
                shares = None if probabilities is None else np.asarray(probabilities)[0].tolist()
                return [self.format_row(values[0], shares)]
            classes = self._classes if probabilities is not None else None
            return Predictions(_columns(output, values, probabilities, classes))
        if isinstance(probabilities, np.ndarray):
            probabilities = [np.column_stack([1 - p, p]) for p in probabilities.T]
            class_values = [[0, 1]] * len(output.targets)
        by_target = {
            target: _columns(
                output,
                values[:, number],
                probabilities[number] if probabilities is not None else None,
                _Classes(output, class_values[number]) if probabilities is not None else None,
            )
            for number, target in enumerate(output.targets)
        }
        keys = dict.fromkeys(key for columns in by_target.values() for key in columns)
        return Predictions(
            {key: {target: found[key] for target, found in by_target.items()} for key in keys}
        )

    def format_row(self, value: Any, probabilities: Sequence[Any] | None) -> Prediction:
        """Return the prediction for one row and one target, from Python scalars."""
        output, value = self._output, _scalar(value)
        by_class: dict[str, Any] = {}
        if probabilities is not None:
            by_class = dict(zip(self._classes.texts, map(_scalar, probabilities), strict=True))
            if self._classes.positive_text is not None:
                value = self._classes.decide(by_class[self._classes.positive_text])
        if output.transform is not None:
            value = _inverse(output.transform, value)
        prediction: Prediction = {"prediction": value}
        if output.labels:
            prediction["label"] = _labels(output.labels, [value])[0]
        if probabilities is not None:
            prediction["probabilities"] = by_class
        return _without_missing_labels(prediction)

    @cached_property
    def _classes(self) -> _Classes:
        return _Classes(self._output, self._class_values)


class _Classes:
    """The classes of a target as JSON texts, and the decision between two by a threshold."""

    def __init__(self, output: Output, class_values: Any) -> None:
        values = [_scalar(value) for value in class_values]  # a list can be of mixed types
        self.texts = [json_text(value) for value in values]
        # The class whose probability the threshold applies to; None without a threshold.
        self.positive_text: str | None = None
        if output.threshold is not None and len(values) == 2:
            self._threshold = output.threshold
            self._positive = next(v for v in values if same_json(v, output.positive))
            self._negative = next(v for v in values if not same_json(v, output.positive))
            self.positive_text = json_text(self._positive)

    def decide(self, probability: float | None) -> Any:
        """Return the predicted class for a probability of the positive one."""
        return self._positive if (probability or 0) >= self._threshold else self._negative


def _columns(
    output: Output, values: Any, probabilities: Any, classes: _Classes | None
) -> dict[str, Any]:
    """Return the columns of the predictions of one target."""
    predictions = _scalars(values)
    by_class: dict[str, list[Any]] = {}
    if classes is not None:
        columns = zip(classes.texts, np.asarray(probabilities).T, strict=True)
        by_class = {text: _scalars(column) for text, column in columns}
        if classes.positive_text is not None:
            predictions = [classes.decide(p) for p in by_class[classes.positive_text]]
    if output.transform is not None:
        predictions = [_inverse(output.transform, value) for value in predictions]
    found: dict[str, Any] = {"prediction": predictions}
    if output.labels:
        found["label"] = _labels(output.labels, predictions)
    if classes is not None:
        found["probabilities"] = by_class
    return found


def _labels(labels: Mapping[str, str], predictions: Sequence[Any]) -> list[str | None]:
    if set(map(type, predictions)) == {str}:  # as nearly always, and faster
        by_text = {text: labels.get(text) for text in set(predictions)}
        return list(map(by_text.__getitem__, predictions))
    # By type and value: 1, 1.0 and True are equal and have different labels.
    keys = list(zip(map(type, predictions), predictions, strict=True))
    by_key = {key: labels.get(json_text(key[1])) for key in set(keys) if key[1] is not None}
    return list(map(by_key.get, keys))


# NumPy's functions, as in the author's notebook: math.exp differs in the last bit and raises
# OverflowError.
_TRANSFORMS: Mapping[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "pow10": partial(np.power, 10.0),
    "square": np.square,
}


def _inverse(transform: str | Mapping[str, float], value: Any) -> Any:
    """Return the number on the scale of the target before its transformation."""
    if not isinstance(value, (int, float)):
        return value
    number = np.float64(value)
    with np.errstate(over="ignore"):
        if isinstance(transform, str):
            return _scalar(_TRANSFORMS[transform](number))
        return _scalar(number * transform["multiply"] + transform["add"])


def _scalars(values: Any) -> list[Any]:
    """Return a one-dimensional array as JSON values."""
    values = np.asarray(values)
    listed: list[Any] = values.tolist()
    if values.dtype.kind == "f":
        are_json = all(map(math.isfinite, listed))
    else:
        are_json = set(map(type, listed)) <= {str, int, bool}
    return listed if are_json else [_scalar(value) for value in values]


def _scalar(value: Any) -> Any:
    """Return a NumPy or Python scalar as a JSON value; None for NaN and infinity."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
