"""The routes for programs: predictions as JSON or CSV, and what is known about the model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

from flask import Blueprint, Response, current_app, request, stream_with_context

from model_service.contract.batch import Batch
from model_service.contract.parsing import parse_rows
from model_service.contract.problems import Problems, shown_problems
from model_service.contract.unusual import BatchWarnings
from model_service.csv.spool import SpooledFile
from model_service.csv.stream import CsvJob
from model_service.errors import InvalidRows, ServiceError, TooManyRows
from model_service.explain.answer import ExplainRequest
from model_service.jobs.job import DatabaseUnavailable
from model_service.model.predictions import Prediction
from model_service.web import jobs_api, request_log
from model_service.web.bodies import csv_stream, json_response, keeps_bad_rows, received_file
from model_service.web.current import Service, current_service, service
from model_service.web.errors import RequestProblem
from model_service.web.explain_api import (
    ReasonColumns,
    explain_request,
    require_explainable,
    why_unexplained,
    with_explanations,
)
from model_service.web.openapi import document
from model_service.web.policy import policy
from model_service.web.prometheus import CONTENT_TYPE, Gauge
from model_service.web.request_log import RequestRecord
from model_service.web.strict_json import PARSED_ROW, parse_json

# What /explain asks for without a query.
EXPLANATION = ExplainRequest()

bp = Blueprint("api", __name__)
bp.register_blueprint(jobs_api.bp)


@bp.post("/predict")
@policy(is_cross_origin=True)
def predict() -> Response:
    """Predict one row, a batch under "rows", or a CSV."""
    keep = bool(request.query_string) and keeps_bad_rows(request.args.get("on_error", "refuse"))
    wanted = explain_request(request.args) if request.query_string else None
    if request.mimetype == "text/csv":
        return _predict_csv(keep, wanted)
    return _predict_json(wanted)


@bp.post("/explain")
@policy(is_cross_origin=True)
def explain() -> Response:
    """Predict and explain one row, or a batch under "rows"."""
    if not request.query_string:  # reading an empty one costs as much as the contributions
        return _predict_json(EXPLANATION)
    return _predict_json(explain_request(request.args, explanation=True))


def _predict_json(wanted: ExplainRequest | None) -> Response:
    """Predict the rows of a JSON body, with what is wanted beside the predictions."""
    if request.mimetype != "application/json":
        is_csv = request.endpoint == f"{bp.name}.predict"
        title = "The body must be JSON or CSV" if is_csv else "The body must be JSON"
        detail = "Send it with Content-Type: application/json"
        detail += ", or text/csv." if is_csv else "; a CSV goes to /predict?reasons=4."
        raise RequestProblem(415, title, detail)
    body = request.environ.get(PARSED_ROW) or _parsed_body()
    is_batch = isinstance(body, dict) and list(body) == ["rows"] and isinstance(body["rows"], list)
    current = current_service()
    batch = validate(body["rows"] if is_batch else [body], current)
    answers = answer_rows(current, batch, wanted, request_log.current())
    about = current.model.manifest.in_response
    if is_batch:
        return json_response({"predictions": list(answers), "model": about})
    return json_response({**answers[0], "model": about})


def answer_rows(
    service: Service,
    batch: Batch,
    wanted: ExplainRequest | None,
    record: RequestRecord,
    predictions: Sequence[Prediction] | None = None,
) -> Sequence[Prediction]:
    """Return the predictions of validated rows, with explanations and warnings, and count them.

    `predictions` are those that have been made already. Raises RequestProblem and ServiceError;
    then nothing is counted.
    """
    if wanted is not None:
        require_explainable(service, batch)
    if predictions is None:
        predictions = service.predictor.predict(batch)
    answers = predictions
    if wanted is not None:
        answers = with_explanations(service, batch, predictions, wanted)
    service.count(predictions, record)
    warnings = service.warnings(batch)
    return with_warnings(answers, warnings) if warnings else answers


def with_warnings(
    predictions: Sequence[Prediction], warnings: BatchWarnings
) -> Sequence[Prediction]:
    """Return the predictions with the member `warnings` beside those that have some."""
    answers = list(predictions)
    for position, found in warnings.items():
        shown = [warning.to_json() for warning in found]
        answers[position] = {**answers[position], "warnings": shown}
    return answers


def _parsed_body() -> Any:
    content = request.get_data(cache=False)
    if "HTTP_TRANSFER_ENCODING" in request.environ:
        request.stream.read(1)  # Werkzeug raises now if a chunked body goes on beyond the limit
    return parse_json(content)


def _predict_csv(keep_bad_rows: bool, wanted: ExplainRequest | None) -> Response:
    return csv_response(csv_stream(service.settings.max_csv_bytes), keep_bad_rows, wanted)


def csv_response(
    stream: IO[bytes], keep_bad_rows: bool, wanted: ExplainRequest | None = None
) -> Response:
    """Return a CSV with its predictions, streamed. Raises RequestProblem and ServiceError."""
    current = current_service()
    model, settings = current.model, current.settings
    reasons = ReasonColumns(current, wanted) if wanted is not None else None

    def predict_part(batch: Batch) -> tuple[Sequence[Prediction], Sequence[int]]:
        predictions: Sequence[Prediction]
        failing: Sequence[int] = ()
        if keep_bad_rows:
            predictions, failing = current.predict_valid(batch)
        else:
            predictions = current.predict(batch, part=True)
        if reasons is not None:
            valid = batch.without(set(failing)) if failing else batch
            predictions = reasons.add(valid, predictions)
        return predictions, failing

    example = current.predictor.predict(Batch.of_rows([model.manifest.example()]))[0]
    job = CsvJob(
        contract=model.contract,
        # It shows the shape of all predictions, and is not counted.
        example={**example, **dict.fromkeys(reasons.names if reasons is not None else (), "")},
        predict=predict_part,
        max_rows=settings.max_csv_rows,
        max_line_characters=settings.max_csv_line_characters,
        check_seconds=settings.predict_seconds,
        keep_bad_rows=keep_bad_rows,
        on_rejected=current.metrics.count_rejected,
        find_warnings=model.unusual.find if model.unusual.can_warn else None,
        on_warnings=current.metrics.count_warnings,
    )
    with contextlib.ExitStack() as opened:
        spool = opened.enter_context(SpooledFile())
        file = received_file(stream, settings.max_csv_bytes, opened)
        parts = opened.enter_context(contextlib.closing(job.run(file, spool)))
        files = opened.pop_all()
    response = Response(stream_with_context(_streamed(parts, files)), mimetype="text/csv")
    response.call_on_close(files.close)  # if the caller is gone before the first part
    name = f"{model.manifest.about.name}-predictions.csv"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _streamed(parts: Iterator[bytes], files: contextlib.ExitStack) -> Iterator[bytes]:
    """Yield the parts and close the files; log why a response breaks off."""
    with files:
        try:
            yield from parts
        except ServiceError as error:
            # The caller only sees that the connection ends before the end of the body.
            problems = error.problems if isinstance(error, InvalidRows) else Problems()
            errors = [problem.to_json() for problem in shown_problems(problems)[0]]
            current_app.logger.error("a CSV answer breaks off: %s, %s", error.summary, errors)
            raise


@bp.get("/features")
@policy(is_cross_origin=True)
def features() -> Response:
    """The contract."""
    return json_response(service.model.contract.to_json())


@bp.get("/metadata")
@policy(is_cross_origin=True)
def metadata() -> Response:
    """The public part of the manifest."""
    return json_response(service.model.manifest.public())


@bp.get("/openapi.json")
@policy(is_cross_origin=True)
def openapi() -> Response:
    """The API as OpenAPI 3.1."""
    model, settings = service.model, service.settings
    keys, limited = bool(settings.api_keys), settings.requests_per_minute is not None
    explains = why_unexplained(current_service()) is None
    configured = {"keys": keys, "limited": limited, "explains": explains, "jobs": settings.jobs}
    return json_response(document(model.contract, model.manifest, **configured))


@bp.get("/health")
@policy(needs_key=False, is_limited=False)
def health() -> Response:
    """The process lives."""
    return json_response({"status": "ok"})


@bp.get("/ready")
@policy(needs_key=False, is_limited=False)
def ready() -> Response:
    """The model is loaded and reproduces its goldens."""
    service.predictor.require_ready()
    return json_response({"status": "ready"})


@bp.get("/metrics")
def metrics() -> Response:
    """What all workers have counted, for Prometheus."""
    ready = service.predictor.readiness.reason() is None
    gauges = [Gauge.single("model_ready", "Whether the model may predict.", ready)]
    if service.jobs is not None:
        with contextlib.suppress(DatabaseUnavailable):  # the log says so; the others are there
            counts = service.jobs.counts()
            gauges.append(Gauge("model_jobs", "Jobs that have not ended.", counts, "state"))
    return Response(service.metrics.text(gauges), content_type=CONTENT_TYPE)


def validate(rows: list[Any], service: Service) -> Batch:
    """Return the rows as a batch. Raises TooManyRows and InvalidRows."""
    max_rows = service.settings.max_json_rows
    if len(rows) > max_rows:
        raise TooManyRows(f"At most {max_rows} rows a request; these are {len(rows)}.")
    if not rows:
        raise RequestProblem(422, InvalidRows.summary, '"rows" is empty.')
    batch = parse_rows(service.model.contract, rows)
    if batch.problems:
        raise InvalidRows(batch.problems)
    return batch
