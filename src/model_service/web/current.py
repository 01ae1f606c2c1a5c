"""What the current application serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flask import current_app
from werkzeug.local import LocalProxy
from werkzeug.routing import Map

from model_service.contract.batch import Batch
from model_service.contract.unusual import BatchWarnings
from model_service.explain.answer import ExplainRequest
from model_service.explain.blackbox import Budget
from model_service.model.model import Model
from model_service.model.predictions import Prediction
from model_service.model.quality import Quality
from model_service.serving.predictor import Predictor
from model_service.serving.queue import PredictionQueue
from model_service.web import request_log
from model_service.web.metrics import Metrics
from model_service.web.settings import Settings

if TYPE_CHECKING:
    from model_service.jobs.storage import JobStorage
    from model_service.web.app import ModelService


@dataclass(frozen=True, eq=False)
class Service:
    """What an application serves: `app.service`."""

    settings: Settings
    predictor: Predictor
    metrics: Metrics
    card_text: str  # the owner's part of the model card
    quality: Quality | None  # what verify measured for the model card
    jobs: JobStorage | None  # None: JOBS is off

    @classmethod
    def of_model(
        cls,
        model: Model,
        settings: Settings,
        url_map: Map,
        on_stuck: Callable[[], None],
        card_text: str = "",
        quality: Quality | None = None,
    ) -> Service:
        """Return the service of a model; `on_stuck` is called if it blocks a thread for good."""
        metrics = Metrics(url_map, model.contract, model.manifest)
        queue = PredictionQueue(
            model.predict,
            timeout_seconds=settings.predict_seconds,
            max_in_flight=settings.max_in_flight,
            batches=model.is_batch_invariant,
            inline=_can_predict_inline(model),
            on_stuck=on_stuck,
            on_waiting=metrics.set_waiting,
        )
        predictor = Predictor.of_model(model, queue, settings.max_text_characters)
        return cls(settings, predictor, metrics, card_text, quality, _job_storage(settings))

    @property
    def model(self) -> Model:
        """The model, with the limits of this service."""
        return self.predictor.model

    @property
    def title(self) -> str:
        """The title for people: the contract's, else the answer to project_name."""
        return self.model.contract.service.title or self.model.manifest.about.title

    @property
    def description(self) -> str:
        """The description for people: the contract's, else the answer to that question."""
        return self.model.contract.service.description or self.model.manifest.about.description

    @property
    def can_predict_inline(self) -> bool:
        """Whether predicting one row inline is cheaper than handing it to another thread."""
        return _can_predict_inline(self.model)

    def predict(self, batch: Batch, *, part: bool = False) -> Sequence[Prediction]:
        """Predict validated rows and count them; raises what Predictor.predict raises."""
        predictions = self.predictor.predict(batch, part=part)
        self.count(predictions, request_log.current())
        return predictions

    def predict_valid(self, batch: Batch) -> tuple[Sequence[Prediction], Sequence[int]]:
        """Predict a part of a file and count it; see Predictor.predict_valid."""
        predictions, failing = self.predictor.predict_valid(batch)
        self.count(predictions, request_log.current())
        return predictions, failing

    def warnings(self, batch: Batch) -> BatchWarnings:
        """Return what is unlike the sample in predicted rows, and count it."""
        found = self.model.unusual.find(batch)
        if found:
            self.metrics.count_warnings(warning for of_row in found.values() for warning in of_row)
        return found

    def explain(
        self,
        batch: Batch,
        predictions: Sequence[Prediction],
        wanted: ExplainRequest,
        budget: Budget | None = None,
    ) -> Sequence[dict[str, Any]]:
        """Explain predictions within a budget and count them; see Predictor.explain."""
        budget = budget or self.explain_budget()
        found = self.predictor.explain(batch, predictions, wanted, budget)
        self.metrics.count_explained(len(found))
        return found

    def explain_budget(self) -> Budget:
        """Return what a request has for its explanations."""
        return Budget(self.settings.explain_milliseconds)

    def count(self, predictions: Sequence[Prediction], record: request_log.RequestRecord) -> None:
        """Count the predictions of a request."""
        record.row_count += len(predictions)
        self.metrics.count_predictions(predictions)


def _job_storage(settings: Settings) -> JobStorage | None:
    if not settings.jobs:
        return None
    # They import psycopg, which takes 20 MB of memory.
    from model_service.jobs.database import Database  # noqa: PLC0415
    from model_service.jobs.storage import JobStorage  # noqa: PLC0415

    return JobStorage(Database(settings.database_url or ""))


def _can_predict_inline(model: Model) -> bool:
    return model.fast_path is not None and model.fast_path.inline


def current_service() -> Service:
    """Return the service of the application that handles the current request."""
    return cast("ModelService", current_app).service


# The same as a proxy, as Flask's `current_app` is one. Each use looks it up: a route that is asked
# often calls `current_service` once instead.
service = cast(Service, LocalProxy(current_service))
