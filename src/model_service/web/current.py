"""What this application serves: one way from rows to predictions, whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask import current_app

from model_service.contract.contract import Problem, Row
from model_service.model.model import Model
from model_service.model.predictions import Prediction
from model_service.serving.queue import PredictionQueue
from model_service.serving.readiness import Readiness
from model_service.web import request_log
from model_service.web.errors import RequestProblem, does_not_fit
from model_service.web.logs import place_of
from model_service.web.metrics import Metrics
from model_service.web.settings import Settings

MODEL_FAILS = "the model fails on these values"
# More failing rows of a request are not looked for.
MOST_FAILING = 20


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


def predictor() -> PredictionQueue:
    """Return the way to the model's predictions."""
    way: PredictionQueue = current_app.extensions["predictor"]
    return way


def require_ready() -> None:
    """Raise RequestProblem while the model must not predict, or cannot."""
    predictor().require_working()
    if reason := readiness().reason():
        raise RequestProblem(503, "The model is not ready", reason)


def predict(rows: Sequence[Row], part: bool = False) -> Sequence[Prediction]:
    """Predict validated rows, or a part of those of a CSV; one answer a row.

    Raises RequestProblem.
    """
    return _counted(_predict(rows, part))


def example() -> Prediction:
    """Return an answer that shows the shape of all; it is not counted. Raises RequestProblem."""
    return _predict([model().manifest.example()])[0]


def _predict(rows: Sequence[Row], part: bool = False) -> Sequence[Prediction]:
    way = predictor()
    until = way.deadline()
    require_ready()
    try:
        return way.predict(rows, until, part=part)
    except RequestProblem:
        raise
    except Exception as error:
        # Values that the contract takes and the model does not are the caller's to change.
        failing = way.failing(rows, model().manifest.example(), MOST_FAILING, until)
        if not failing:
            raise
        # Not what the error says: that quotes values.
        current_app.logger.warning("the model failed on rows: %s", place_of(error))
        raise does_not_fit(_failed(failing)) from None


def predict_each(rows: Sequence[Row]) -> Sequence[Prediction | None]:
    """Predict a part of a CSV; None for rows that the model fails on. Raises RequestProblem."""
    require_ready()
    failing: set[int] = set()
    try:
        answers = predictor().predict(rows, part=True)
    except RequestProblem:
        raise
    except Exception as error:
        failing = set(predictor().failing(rows, model().manifest.example(), len(rows)))
        if not failing:
            raise
        # Not what the error says: that quotes values.
        current_app.logger.warning("the model failed on rows: %s", place_of(error))
        good = [row for n, row in enumerate(rows) if n not in failing]
        answers = predictor().predict(good, part=True)
    _counted(answers)
    if not failing:
        return answers
    metrics().rejected(_failed(failing))
    given = iter(answers)
    return [None if n in failing else next(given) for n in range(len(rows))]


def _failed(rows: Iterable[int]) -> list[Problem]:
    return [Problem(row + 1, None, MODEL_FAILS, reason="model") for row in rows]


def _counted(answers: Sequence[Prediction]) -> Sequence[Prediction]:
    request_log.current().rows += len(answers)
    metrics().predicted(answers)
    return answers
