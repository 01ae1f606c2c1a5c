"""What this application serves: one way from rows to predictions, whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flask import current_app

from service import exchange
from service.contract import Problem, Row
from service.errors import RequestProblem, does_not_fit
from service.logs import place_of
from service.metrics import Metrics
from service.model import Model
from service.readiness import Readiness
from service.settings import Settings

MODEL_FAILS = "the model fails on these values"


def model() -> Model:
    """Return the adopted model."""
    adopted: Model = current_app.extensions["model"]
    return adopted


def settings() -> Settings:
    """Return the settings of this process."""
    chosen: Settings = current_app.extensions["settings"]
    return chosen


def readiness() -> Readiness:
    """Return the check of the goldens."""
    check: Readiness = current_app.extensions["readiness"]
    return check


def metrics() -> Metrics:
    """Return what this process and its siblings count."""
    counts: Metrics = current_app.extensions["metrics"]
    return counts


def require_ready() -> None:
    """Raise RequestProblem while the model must not predict."""
    if reason := readiness().reason():
        raise RequestProblem(503, "The model is not ready", reason)


def predict(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Predict validated rows; one answer a row. Raises RequestProblem."""
    return _counted(_predict(rows))


def example() -> dict[str, Any]:
    """Return an answer that shows the shape of all; it is not counted. Raises RequestProblem."""
    return _predict([model().manifest.example()])[0]


def _predict(rows: Sequence[Row]) -> list[dict[str, Any]]:
    require_ready()
    try:
        return model().predict(rows)
    except Exception as error:
        # Values that the contract takes and the model does not are the caller's to change.
        failing = model().failing(rows)
        if not failing:
            raise
        # Not what the error says: that quotes values.
        current_app.logger.warning("the model failed on rows: %s", place_of(error))
        raise does_not_fit(_failed(failing)) from None


def predict_each(rows: Sequence[Row]) -> list[dict[str, Any] | None]:
    """Predict validated rows; None for those that the model fails on."""
    require_ready()
    failing: set[int] = set()
    try:
        answers = model().predict(rows)
    except Exception as error:
        failing = set(model().failing(rows, most=len(rows)))
        if not failing:
            raise
        # Not what the error says: that quotes values.
        current_app.logger.warning("the model failed on rows: %s", place_of(error))
        answers = model().predict([row for n, row in enumerate(rows) if n not in failing])
    metrics().rejected(_failed(failing))
    given = iter(_counted(answers))
    return [None if n in failing else next(given) for n in range(len(rows))]


def _failed(rows: Iterable[int]) -> list[Problem]:
    return [Problem(row + 1, None, MODEL_FAILS, reason="model") for row in rows]


def _counted(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    exchange.current().rows += len(answers)
    metrics().predicted(answers)
    return answers
