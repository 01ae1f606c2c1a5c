"""Explanations and reasons over HTTP: what a caller asks for, and the answers that get them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from werkzeug.datastructures import MultiDict

from model_service.contract.batch import Batch
from model_service.errors import TooManyRows
from model_service.explain.answer import ExplainRequest, UnknownClass
from model_service.explain.blackbox import DoesNotFit
from model_service.explain.reason_columns import reason_columns, reason_names
from model_service.explain.reasons import MAX_REASONS
from model_service.model.predictions import Prediction, with_columns
from model_service.web.current import Service
from model_service.web.errors import RequestProblem

# Of a request of JSON; a CSV is limited by EXPLAIN_MILLISECONDS alone.
MAX_EXPLAINED_ROWS = 32
TITLE = "There are no explanations"


def explain_request(
    query: MultiDict[str, str], *, explanation: bool = False
) -> ExplainRequest | None:
    """Return what the query of a request asks for; None for predictions alone.

    Raises RequestProblem.
    """
    if query.get("explain", "0") not in ("0", "1"):
        raise RequestProblem(400, "Unknown explain", "It must be 1 or 0.")
    explanation = explanation or query.get("explain") == "1"
    reasons = query.get("reasons", "0")
    if reasons not in [str(count) for count in range(MAX_REASONS + 1)]:
        detail = f"It must be a number from 1 to {MAX_REASONS}."
        raise RequestProblem(400, "Unknown number of reasons", detail)
    if not explanation and reasons == "0":
        return None
    return ExplainRequest(explanation, int(reasons), query.get("class"))


def why_unexplained(service: Service) -> str | None:
    """Return why there are no explanations, or None if there are."""
    if not service.settings.explain:
        return "EXPLAIN is off; set it to on, or unset it."
    return service.model.why_unexplained


def require_explainable(service: Service, batch: Batch) -> None:
    """Raise RequestProblem or TooManyRows if the rows of a request cannot be explained."""
    if (reason := why_unexplained(service)) is not None:
        raise RequestProblem(404, TITLE, reason)
    if len(batch) > MAX_EXPLAINED_ROWS:
        raise TooManyRows(
            f"At most {MAX_EXPLAINED_ROWS} rows a request are explained; these are {len(batch)}."
        )


def with_explanations(
    service: Service, batch: Batch, predictions: Sequence[Prediction], wanted: ExplainRequest
) -> list[Prediction]:
    """Return the predictions with what was asked for. Raises RequestProblem and ServiceError."""
    try:
        found = service.explain(batch, predictions, wanted)
    except UnknownClass as error:
        raise RequestProblem(400, "Unknown class", f"{error}.") from None
    return [{**p, **members} for p, members in zip(predictions, found, strict=True)]


class ReasonColumns:
    """The columns reason_1, reason_2, … of a CSV, within one budget for the whole file."""

    def __init__(self, service: Service, wanted: ExplainRequest) -> None:
        if (reason := why_unexplained(service)) is not None:
            raise RequestProblem(404, TITLE, reason)
        if wanted.explanation:
            detail = "A CSV has room for reasons only: ask with ?reasons=4, without explain."
            raise RequestProblem(400, "A CSV is not explained in full", detail)
        self._service, self._wanted = service, replace(wanted, explanation=False)
        self._budget = service.explain_budget()
        self._row_count = 0
        self.names = reason_names(wanted.reasons)

    def add(self, batch: Batch, predictions: Sequence[Prediction]) -> Sequence[Prediction]:
        """Return the predictions with their reasons. Raises DoesNotFit."""
        if not len(batch):
            return []
        try:
            found = self._service.explain(batch, predictions, self._wanted, self._budget)
        except DoesNotFit as error:
            raise self._budget.exceeded(self._row_count + error.row_count) from None
        self._row_count += len(batch)
        return with_columns(predictions, reason_columns(found, self._wanted.reasons))
