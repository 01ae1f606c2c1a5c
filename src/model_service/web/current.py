"""What the current application serves: `service`, and predictions that are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app
from werkzeug.local import LocalProxy
from werkzeug.routing import Map

from model_service.contract.contract import Row
from model_service.model.model import Model
from model_service.model.predictions import Prediction
from model_service.serving.predictor import Predictor
from model_service.serving.queue import PredictionQueue
from model_service.serving.readiness import Readiness
from model_service.web import request_log
from model_service.web.metrics import Metrics
from model_service.web.settings import Settings

if TYPE_CHECKING:
    from model_service.web.app import ModelService


@dataclass(frozen=True, eq=False)
class Service:
    """What an application serves: `app.service`."""

    settings: Settings
    model: Model
    queue: PredictionQueue
    readiness: Readiness
    predictor: Predictor
    metrics: Metrics

    @classmethod
    def around(
        cls, model: Model, settings: Settings, url_map: Map, on_stuck: Callable[[], None]
    ) -> Service:
        """Return the service of a model; `on_stuck` is called if it blocks a thread for good."""
        contract = model.contract.with_texts_up_to(settings.max_text_characters)
        metrics = Metrics(url_map, contract, model.manifest)
        queue = PredictionQueue(
            model.predict,
            timeout_seconds=settings.predict_seconds,
            max_in_flight=settings.max_in_flight,
            batches=model.answers_rows_alike,
            inline=_is_quick(model),
            on_stuck=on_stuck,
            on_waiting=metrics.set_waiting,
        )
        readiness = Readiness(model, queue)
        model = model.with_contract(contract)
        return cls(settings, model, queue, readiness, Predictor(model, queue, readiness), metrics)

    @property
    def is_quick(self) -> bool:
        """Whether predicting one row inline is cheaper than handing it to another thread."""
        return _is_quick(self.model)


def _is_quick(model: Model) -> bool:
    return model.plan is not None and model.plan.quick


def _current_service() -> Service:
    return cast("ModelService", current_app).service


# The service of the application that handles the current request, as Flask's `current_app`.
service = cast(Service, LocalProxy(_current_service))


def predict(rows: Sequence[Row], *, part: bool = False) -> Sequence[Prediction]:
    """Predict validated rows and count them; raises what Predictor.predict raises."""
    predictions = service.predictor.predict(rows, part=part)
    _count(predictions)
    return predictions


def predict_valid(rows: Sequence[Row]) -> tuple[Sequence[Prediction], Sequence[int]]:
    """Predict a part of a file and count it; see Predictor.predict_valid."""
    predictions, failing = service.predictor.predict_valid(rows)
    _count(predictions)
    return predictions, failing


def _count(predictions: Sequence[Prediction]) -> None:
    request_log.current().row_count += len(predictions)
    service.metrics.count_predictions(predictions)
