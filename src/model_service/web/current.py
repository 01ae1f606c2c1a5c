"""What this application serves: one way from rows to predictions, whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from flask import current_app
from werkzeug.routing import Map

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


@dataclass(eq=False)
class Service:
    """What an application serves: `app.service`."""

    settings: Settings
    model: Model
    queue: PredictionQueue
    readiness: Readiness
    metrics: Metrics

    @classmethod
    def around(
        cls, model: Model, settings: Settings, url_map: Map, on_stuck: Callable[[], None]
    ) -> Service:
        """Return the service of a model; `on_stuck` is called when it blocks a thread for good."""
        contract = model.contract.with_texts_up_to(settings.max_text_characters)
        metrics = Metrics(url_map, contract, model.manifest)
        queue = PredictionQueue(
            model.predict,
            seconds=settings.predict_seconds,
            most=settings.max_in_flight,
            together=model.answers_rows_alike,
            directly=_is_quick(model),
            on_stuck=on_stuck,
            on_waiting=metrics.waits,
        )
        return cls(settings, model.with_contract(contract), queue, Readiness(model, queue), metrics)

    @property
    def is_quick(self) -> bool:
        """Whether predicting one row inline is cheaper than handing it to another thread."""
        return _is_quick(self.model)


def _is_quick(model: Model) -> bool:
    return model.plan is not None and model.plan.inline


def _service() -> Service:
    service: Service = current_app.service  # type: ignore[attr-defined]  # a ModelService
    return service


def model() -> Model:
    """Return the adopted model."""
    return _service().model


def settings() -> Settings:
    """Return the settings of this process."""
    return _service().settings


def readiness() -> Readiness:
    """Return the check of the golden predictions."""
    return _service().readiness


def metrics() -> Metrics:
    """Return the counters of this process and its siblings."""
    return _service().metrics


def predictor() -> PredictionQueue:
    """Return the queue before the model."""
    return _service().queue


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
