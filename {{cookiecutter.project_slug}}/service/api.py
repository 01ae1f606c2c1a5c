"""The JSON routes."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, jsonify, request

from service import serving
from service.contract import Row
from service.errors import RequestProblem, does_not_fit
from service.openapi import document

bp = Blueprint("api", __name__)


@bp.post("/predict")
def predict() -> Response:
    """Predict one row, or a batch under "rows"."""
    if request.mimetype != "application/json":
        title = "The body must be JSON"
        raise RequestProblem(415, title, "Send it with Content-Type: application/json.")
    body = parse_json(request.get_data(cache=False))
    batch = isinstance(body, dict) and list(body) == ["rows"] and isinstance(body["rows"], list)
    rows = validate(body["rows"] if batch else [body])
    predictions = serving.predict(rows)
    manifest = serving.model().manifest
    about = {"name": manifest.name, "version": manifest.version}
    if batch:
        return jsonify({"predictions": predictions, "model": about})
    return jsonify({**predictions[0], "model": about})


@bp.get("/features")
def features() -> Response:
    """The contract."""
    return jsonify(serving.model().contract.to_json())


@bp.get("/metadata")
def metadata() -> Response:
    """The public part of the manifest."""
    return jsonify(serving.model().manifest.public())


@bp.get("/openapi.json")
def openapi() -> Response:
    """The API as OpenAPI 3.1."""
    return jsonify(document(serving.model().contract, serving.model().manifest))


@bp.get("/health")
def health() -> Response:
    """The process lives."""
    return jsonify({"status": "ok"})


@bp.get("/ready")
def ready() -> Response:
    """The model is loaded and reproduces its goldens."""
    serving.require_ready()
    return jsonify({"status": "ready"})


def parse_json(body: bytes) -> Any:
    """Read strict JSON: UTF-8, no NaN, no name twice. Raises RequestProblem."""
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_repeated_names,
        )
    except RecursionError:
        reason = "It is nested too deeply."
    except UnicodeDecodeError:
        reason = "It is not UTF-8."
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at line {error.lineno}, column {error.colno}."
    except ValueError as error:
        # Ours from the hooks below, or Python's about a number of more than 4,300 digits.
        reason = str(error) if str(error).startswith('"') else "A number has too many digits."
    raise RequestProblem(400, "The body is not valid JSON", reason)


def _refuse_constant(name: str) -> None:
    raise ValueError(f'"{name}" is not a JSON number.')


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f'"{name}" is there twice.')
        members[name] = value
    return members


def validate(rows: list[Any]) -> list[Row]:
    """Return the rows as the contract reads them. Raises RequestProblem with all problems."""
    most = serving.settings().max_json_rows
    if len(rows) > most:
        limit = f"At most {most} rows a request; these are {len(rows)}."
        raise RequestProblem(413, "Too many rows", limit)
    if not rows:
        raise RequestProblem(422, "The request does not fit the model", '"rows" is empty.')
    parsed, problems = serving.model().contract.parse_rows(rows)
    if problems:
        raise does_not_fit(problems)
    return parsed
