"""What this application serves: one way from rows to predictions, whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import current_app

from service.contract import Problem, Row
from service.errors import RequestProblem, does_not_fit
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


def require_ready() -> None:
    """Raise RequestProblem while the model must not predict."""
    if reason := readiness().reason():
        raise RequestProblem(503, "The model is not ready", reason)


def predict(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Predict validated rows; one answer a row. Raises RequestProblem."""
    require_ready()
    try:
        return model().predict(rows)
    except Exception:
        # Values that the contract takes and the model does not are the caller's to change.
        failing = model().failing(rows)
        if not failing:
            raise
        current_app.logger.exception("the model failed on rows of a request")
        raise does_not_fit([Problem(n + 1, None, MODEL_FAILS) for n in failing]) from None


def predict_each(rows: Sequence[Row]) -> list[dict[str, Any] | None]:
    """Predict validated rows; None for those that the model fails on."""
    require_ready()
    failing: set[int] = set()
    try:
        answers = model().predict(rows)
    except Exception:
        failing = set(model().failing(rows, most=len(rows)))
        if not failing:
            raise
        current_app.logger.exception("the model failed on rows of a request")
        answers = model().predict([row for n, row in enumerate(rows) if n not in failing])
    given = iter(answers)
    return [None if n in failing else next(given) for n in range(len(rows))]
