"""The API documentation page: requests to copy, and Swagger UI."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from flask import Blueprint, Response, render_template, send_from_directory, url_for

from model_service.contract import snippets
from model_service.contract.batch import Batch
from model_service.contract.contract import Contract, Feature
from model_service.contract.json_values import Row
from model_service.contract.parsing import parse_rows
from model_service.csv.writer import answer_columns, cells_at, csv_lines, quoted_lines
from model_service.errors import InvalidRows, ServiceError
from model_service.model.predictions import Prediction
from model_service.web.current import service
from model_service.web.errors import problem_document
from model_service.web.form import range_text
from model_service.web.policy import policy
from model_service.web.titles import feature_titles

bp = Blueprint("docs", __name__, url_prefix="/docs")

# Only these two files of the package are served: its own page has an inline script.
SWAGGER_UI = str(resources.files("flask_swagger_ui") / "dist")
SWAGGER_UI_FILES = "'swagger-ui.css', 'swagger-ui-bundle.js'"
MAX_FIELDS = 200  # in the table; /features has all
MAX_SHOWN = 12  # categories of one feature


@dataclass(frozen=True)
class Exchange:
    """A request in several languages, and the answer to it; None while there is none."""

    title: str
    requests: Mapping[str, str]
    answer: str | None


@dataclass(frozen=True)
class Failure:
    """An error that callers meet, with the body of one."""

    status: int
    meaning: str
    body: str | None


@dataclass(frozen=True)
class Field:
    """A row of the table of features."""

    name: str
    title: str
    type: str
    values: str
    is_nullable: bool


@bp.get("")
@policy(menu="API")
def page() -> str:
    """Show requests for this model; their URLs have the scheme and host of this request."""
    url = url_for("api.predict", _external=True)
    rows = [service.model.manifest.example(number) for number in range(2)]
    needs_key = bool(service.settings.api_keys)
    predictions = _predictions(rows)
    about = service.model.manifest.in_response
    exchanges = [
        Exchange(
            "One row",
            _snippets(url, rows[0], needs_key),
            _json({**predictions[0], "model": about}) if predictions else None,
        ),
        Exchange(
            "Several rows",
            _snippets(url, {"rows": rows}, needs_key),
            _json({"predictions": list(predictions), "model": about}) if predictions else None,
        ),
        Exchange(
            "A CSV file",
            {"curl": snippets.curl_csv(url, rows, needs_key=needs_key)},
            _csv_answer(rows, predictions) if predictions else None,
        ),
    ]
    return render_template(
        "docs.html",
        exchanges=exchanges,
        failures=_failures(rows[0], needs_key),
        fields=_fields(service.model.contract),
        needs_key=needs_key,
        jobs_url=url_for("api.jobs.create", _external=True) if service.settings.jobs else None,
    )


def _predictions(rows: Sequence[Row]) -> Sequence[Prediction]:
    """Return the model's predictions of rows; none while it cannot answer."""
    try:
        return service.predictor.predict(Batch.of_rows(rows))
    except ServiceError:
        return ()


def _csv_answer(rows: Sequence[Row], predictions: Sequence[Prediction]) -> str:
    output = service.model.contract.output
    columns = answer_columns(output, predictions[0], rows[0])
    cells = [[name, *cells_at(predictions, path)] for name, path in columns.items()]
    records = csv.reader(io.StringIO(snippets.csv_text(rows), newline=""))
    inputs = quoted_lines(records, ",")  # a record can have several lines
    answers = csv_lines(cells, ",") if len(cells) > 1 else cells[0]
    return "\n".join(f"{line},{answer}" for line, answer in zip(inputs, answers, strict=True))


def _failures(row: Row, needs_key: bool) -> list[Failure]:
    """Return the errors that callers meet, the first one for a row that is really wrong."""
    name = next(iter(row))
    broken = {(f"{name}_" if key == name else key): value for key, value in row.items()}
    problems = parse_rows(service.model.contract, [broken]).problems
    wrong = problem_document(422, InvalidRows.summary, problems.summary, problems)
    listed = [
        Failure(422, "A name or a value does not fit; all problems are listed.", _json(wrong))
    ]
    if needs_key:
        listed.append(Failure(401, "The API key is missing or wrong.", None))
    rows, size = service.settings.max_json_rows, service.settings.max_json_bytes
    limit = f"More than {rows:,} rows or {size // 1024:,} KiB of JSON: send a CSV, or parts."
    listed.append(Failure(413, limit, None))
    busy = "The model is busy or not ready: try again after the seconds in Retry-After."
    return [*listed, Failure(503, busy, None)]


def _fields(contract: Contract) -> list[Field]:
    titles = feature_titles(contract)
    return [
        Field(
            feature.name,
            titles[feature.name] if titles[feature.name] != feature.name else "",
            feature.type,
            _values(feature),
            feature.nullable,
        )
        for feature in contract.features[:MAX_FIELDS]
    ]


def _values(feature: Feature) -> str:
    if feature.categories:
        shown = ", ".join(json.dumps(c, ensure_ascii=False) for c in feature.categories[:MAX_SHOWN])
        more = ", …" if len(feature.categories) > MAX_SHOWN else ""
        return f"{shown}{more}{'' if feature.closed else ', or another one'}"
    if text := range_text(feature):
        return text if feature.strict else f"usually {text}"
    return feature.unit


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


@bp.get(f"/<any({SWAGGER_UI_FILES}):name>")
@policy(needs_key=False, is_limited=False)
def viewer(name: str) -> Response:
    """Send a file of Swagger UI from the package flask_swagger_ui."""
    return send_from_directory(SWAGGER_UI, name)


def _snippets(url: str, body: object, needs_key: bool) -> dict[str, str]:
    """Return a request by the name of its language."""
    return {
        "curl": snippets.curl(url, body, needs_key=needs_key),
        "Python with requests": snippets.python_requests(url, body, needs_key=needs_key),
        "Python": snippets.python(url, body, needs_key=needs_key),
        "JavaScript": snippets.javascript(url, body, needs_key=needs_key),
    }
