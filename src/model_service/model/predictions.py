"""What the model says, as JSON answers: of many rows column by column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np

from model_service.contract.contract import Output, json_text, same_json

Prediction = dict[str, Any]
# The keys from an answer to one of its values.
Path = tuple[str, ...]


class Predictions(Sequence[Prediction]):
    """Answers that are kept by what they say: many of them without an object for each.

    `columns` has the shape of an answer, with a list in the place of each value. A label that is
    None is one that the answer does not have.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return _length(self.columns)

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> Predictions: ...
    def __getitem__(self, place: int | slice) -> Prediction | Predictions:
        chosen = _at(self.columns, place)
        return Predictions(chosen) if isinstance(place, slice) else _labelled(chosen)

    def __iter__(self) -> Iterator[Prediction]:
        if len(self) == 1:
            return iter((self[0],))
        answers = _rows(self.columns)
        return map(_labelled, answers) if "label" in self.columns else answers


def _length(columns: Any) -> int:
    return len(columns) if isinstance(columns, list) else _length(next(iter(columns.values())))


def _at(columns: Any, place: int | slice) -> Any:
    if isinstance(columns, list):
        return columns[place]
    return {key: _at(inner, place) for key, inner in columns.items()}


def _rows(columns: Mapping[str, Any]) -> Iterator[Prediction]:
    parts = [inner if isinstance(inner, list) else _rows(inner) for inner in columns.values()]
    return (dict(zip(columns, row, strict=True)) for row in zip(*parts, strict=True))


def _labelled(answer: Prediction) -> Prediction:
    """Leave out labels that are not there."""
    if isinstance(found := answer.get("label"), dict):
        answer["label"] = {target: text for target, text in found.items() if text is not None}
    if answer.get("label", "") in (None, {}):
        del answer["label"]
    return answer


def values_at(answers: Sequence[Mapping[str, Any] | None], path: Path) -> list[Any]:
    """Return a value of each answer; None where the answer or the value is missing."""
    if isinstance(answers, Predictions):
        column: Any = answers.columns
        for key in path:
            column = column[key]
        return list(column)
    values: list[Any] = list(answers)
    for key in path:
        values = [value.get(key) if value is not None else None for value in values]
    return values


class PredictionFormat:
    """How the predictions of a model are said: what its classes decide is worked out once."""

    def __init__(self, output: Output, classes: Any) -> None:
        self._output, self._given = output, classes

    def answers(self, values: Any, probabilities: Any) -> Predictions:
        """Return the answers to rows from what predict and predict_proba returned.

        `values` has the shape (rows,) or (rows, targets). For several targets `probabilities` and
        the classes are lists with an item a target; of labels that are there or not,
        `probabilities` is one array of the shape (rows, targets).
        """
        values, output, given = np.asarray(values), self._output, self._given
        if output.targets is None:
            classes = self._classes if probabilities is not None else None
            values = values.reshape(len(values))
            return Predictions(_of_one_target(output, values, probabilities, classes))
        if isinstance(probabilities, np.ndarray):
            probabilities = [np.column_stack([1 - p, p]) for p in probabilities.T]
            given = [[0, 1]] * len(output.targets)
        by_target = {
            target: _of_one_target(
                output,
                values[:, number],
                probabilities[number] if probabilities is not None else None,
                _Classes(output, given[number]) if probabilities is not None else None,
            )
            for number, target in enumerate(output.targets)
        }
        keys = dict.fromkeys(key for found in by_target.values() for key in found)
        return Predictions({key: {t: found[key] for t, found in by_target.items()} for key in keys})

    def answer(self, value: Any, probabilities: Sequence[Any] | None) -> Prediction:
        """Return the answer to one row and of one target, from values as Python has them."""
        output, prediction = self._output, _scalar(value)
        shares: dict[str, Any] = {}
        if probabilities is not None:
            shares = dict(zip(self._classes.texts, map(_scalar, probabilities), strict=True))
            if self._classes.likely is not None:
                prediction = self._classes.decided(shares[self._classes.likely])
        if output.transform is not None:
            prediction = _undone(output.transform, prediction)
        answer: Prediction = {"prediction": prediction}
        if output.labels:
            answer["label"] = _labels(output.labels, [prediction])[0]
        if probabilities is not None:
            answer["probabilities"] = shares
        return _labelled(answer)

    @cached_property
    def _classes(self) -> _Classes:
        return _Classes(self._output, self._given)


class _Classes:
    """The classes of a target as JSON says them, and which of two a threshold decides for."""

    def __init__(self, output: Output, given: Any) -> None:
        names = [_scalar(value) for value in given]  # a list of an author's own may be mixed
        self.texts = [json_text(name) for name in names]
        self.likely: str | None = None  # of a threshold, the class whose share it is held against
        if output.threshold is not None and len(names) == 2:
            self._limit = output.threshold
            self._positive = next(n for n in names if same_json(n, output.positive))
            self._other = next(n for n in names if not same_json(n, output.positive))
            self.likely = json_text(self._positive)

    def decided(self, share: float | None) -> Any:
        """Return the class that the threshold decides for."""
        return self._positive if (share or 0) >= self._limit else self._other


def _of_one_target(
    output: Output, values: Any, probabilities: Any, classes: _Classes | None
) -> dict[str, Any]:
    predictions = _scalars(values)
    shares: dict[str, list[Any]] = {}
    if classes is not None:
        by_class = zip(classes.texts, np.asarray(probabilities).T, strict=True)
        shares = {text: _scalars(column) for text, column in by_class}
        if classes.likely is not None:
            predictions = [classes.decided(share) for share in shares[classes.likely]]
    if output.transform is not None:
        predictions = [_undone(output.transform, value) for value in predictions]
    columns: dict[str, Any] = {"prediction": predictions}
    if output.labels:
        columns["label"] = _labels(output.labels, predictions)
    if classes is not None:
        columns["probabilities"] = shares
    return columns


def _labels(labels: Mapping[str, str], predictions: Sequence[Any]) -> list[str | None]:
    # 1, 1.0 and True are equal and have labels of their own.
    kinds = list(zip(map(type, predictions), predictions, strict=True))
    said = {kind: labels.get(json_text(kind[1])) for kind in set(kinds) if kind[1] is not None}
    return list(map(said.get, kinds))


def _undone(transform: str, prediction: Any) -> Any:
    if not isinstance(prediction, (int, float)):
        return prediction
    # NumPy's, as in the author's notebook: math.exp differs in the last bit and overflows.
    undo = np.exp if transform == "exp" else np.expm1
    with np.errstate(over="ignore"):
        return _scalar(undo(np.float64(prediction)))


def _scalars(values: Any) -> list[Any]:
    """Return an array of one dimension as JSON values."""
    values = np.asarray(values)
    listed: list[Any] = values.tolist()
    if values.dtype.kind == "f":
        plain = all(map(math.isfinite, listed))
    else:
        plain = set(map(type, listed)) <= {str, int, bool}
    return listed if plain else [_scalar(value) for value in values]


def _scalar(value: Any) -> Any:
    """Return a NumPy or Python scalar as a JSON value; what is not finite is missing."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
