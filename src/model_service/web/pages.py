"""The pages for browsers, rendered on the server; each of them works without JavaScript."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import MultiDict

from model_service.contract.problems import Problem, Problems, shown_problems
from model_service.contract.snippets import csv_text
from model_service.csv.reader import ChunkSize, CsvFile
from model_service.csv.rows import cell_of
from model_service.csv.writer import escape_formula
from model_service.errors import InvalidRows
from model_service.web.accent import stylesheet as accent_stylesheet
from model_service.web.api import csv_response
from model_service.web.bodies import keeps_bad_rows, uploaded_file
from model_service.web.card_text import card_markdown, parse_card
from model_service.web.current import current_service, service
from model_service.web.errors import RequestProblem, render_page
from model_service.web.explain_api import why_unexplained
from model_service.web.explain_page import explain_answer, why_is_quick
from model_service.web.form import (
    MAX_UNGROUPED_FIELDS,
    field_text,
    field_texts,
    form_fields,
    group_fields,
    parse_form,
)
from model_service.web.importance_card import importance_cards
from model_service.web.model_card import CHART_HEIGHT, ModelCard, build_model_card
from model_service.web.policy import policy
from model_service.web.quality_card import quality_entries, quality_plots
from model_service.web.strict_json import parse_json
from model_service.web.wording import describe_prediction, summarize_warnings

bp = Blueprint("pages", __name__)


@bp.get("/")
@policy(menu="Predict")
def form() -> bytes:
    """Show the form, filled in with the defaults, or with an example row for `?example=1`.

    Raises NotReady and Unavailable: no form is shown that cannot be answered.
    """
    service.predictor.require_ready()
    model = service.model
    if "example" in request.args:
        return _render_form(field_texts(model.manifest.example()))
    return _render_form({f.name: field_text(f.default) for f in model.contract.features})


@bp.post("/")
def predict_form() -> tuple[bytes, int]:
    """Show the form again, with the prediction or the problems; for `?part=answer` only these."""
    return _predict(_submitted_texts(request.form))


@bp.post("/row")
def predict_row() -> tuple[bytes, int]:
    """Show the form filled in from a pasted row of JSON or CSV, with the prediction."""
    text = request.form.get("row", "")
    try:
        texts = _pasted_texts(text)
    except RequestProblem as problem:
        message = f"{problem.title}. {problem.detail}"
        problems = Problems([Problem(1, None, message)])
        return _render_form({}, problems, {"pasted": text}), problem.status
    return _predict(texts)


@bp.post("/file")
def predict_file() -> Response:
    """Return the predictions of an uploaded CSV; with JavaScript the page uses /predict itself."""
    file = uploaded_file(service.settings.max_csv_bytes)
    return csv_response(file, keeps_bad_rows(request.form.get("on_error", "refuse")))


def _submitted_texts(form: MultiDict[str, str]) -> dict[str, str]:
    """Return the text of each field.

    The last value of a name that is not empty counts: a hidden field before each checkbox holds the
    value that is sent if it is not checked, and a field after some choices holds another one.
    """
    # Browsers send line breaks in a field's name as CR LF, whatever they are in the page.
    names = {_with_line_feeds(f.name): f.name for f in service.model.contract.features}
    # A part of multipart/form-data can have no name.
    submitted = (
        (name or "", next(filter(None, reversed(values)), "")) for name, values in form.lists()
    )
    return {names.get(_with_line_feeds(name), name): text for name, text in submitted}


def _with_line_feeds(name: str) -> str:
    return name.replace("\r\n", "\n").replace("\r", "\n")


def _pasted_texts(text: str) -> dict[str, str]:
    """Return the texts of a row of JSON, or of a CSV with a header. Raises RequestProblem."""
    if text.lstrip().startswith(("{", "[")):
        row = parse_json(text.encode("utf-8", "surrogatepass"))
        rows = row.get("rows") if isinstance(row, dict) and list(row) == ["rows"] else row
        row = rows[0] if isinstance(rows, list) and rows else rows
        if not isinstance(row, dict):
            raise RequestProblem(
                422, "The row cannot be read", "It is not a JSON object of features."
            )
        return {name: field_text(value) for name, value in row.items()}
    names = [feature.name for feature in service.model.contract.features]
    hint = "Paste a JSON object, or a line with the names and under it one with the values."
    try:
        file = CsvFile(
            io.BytesIO(text.encode("utf-8", "surrogatepass")),
            names,
            service.settings.max_csv_line_characters,
        )
        columns = next(file.chunks(ChunkSize(rows=1))).columns
        features = service.model.contract.by_name
        return {
            name: cell_of(features.get(name), cell)
            for name, (cell,) in zip(file.header, columns, strict=True)
        }
    except (InvalidRows, StopIteration, ValueError):
        raise RequestProblem(422, "The row cannot be read", hint) from None


def _predict(texts: Mapping[str, str]) -> tuple[bytes, int]:
    batch = parse_form(service.model.contract, texts)
    if problems := batch.problems:
        if not _is_script_request():
            service.metrics.count_rejected(problems.counts)
        # 200 for the script, which asks while the user is still typing: browsers log each 422.
        return _render_form(texts, problems), 200 if _is_script_request() else 422
    try:
        prediction = service.predict(batch)[0]
    except InvalidRows as error:
        service.metrics.count_rejected(error.problems.counts)
        return _render_form(texts, error.problems), 422
    output, task = service.model.contract.output, service.model.manifest.task.kind
    warnings = service.warnings(batch).get(0, ())
    asks_why = "why" in request.args
    answer = {
        "why": explain_answer(current_service(), batch, prediction)
        if asks_why or why_is_quick(current_service())
        else [],
        "why_is_open": asks_why,
        "can_explain": why_unexplained(current_service()) is None,
        "warnings": warnings,
        "warning_summary": summarize_warnings(warnings),
        "predictions": describe_prediction(prediction, output, task),
        "row_json": json.dumps(batch.rows()[0]),
        "prediction_json": json.dumps(prediction),
    }
    return _render_form(texts, variables=answer), 200


def _is_script_request() -> bool:
    return request.args.get("part") == "answer"


def _render_form(
    texts: Mapping[str, str],
    problems: Problems | None = None,
    variables: Mapping[str, Any] | None = None,
) -> bytes:
    problems = problems if problems is not None else Problems()
    model = service.model
    contract, manifest = model.contract, model.manifest
    variables = variables or {}
    warnings = variables.get("warnings", ())
    fields = form_fields(contract, texts, problems, manifest.profiles, warnings)
    shown, _ = shown_problems(problems)
    ids = {field.name: field.id for field in fields}
    template = "parts.html" if _is_script_request() else "form.html"
    return render_page(
        template,
        fields=fields,
        groups=group_fields(contract, fields),
        has_search=len(fields) > MAX_UNGROUPED_FIELDS,
        titles={field.name: field.title for field in fields},
        problems=[(problem, ids.get(problem.feature or "")) for problem in shown],
        problem_count=problems.total,
        output=contract.output,
        task=manifest.task.kind,
        limits=service.settings,
        ids=ids,
        **variables,
    )


@bp.get("/accent.css")
@policy(needs_key=False, is_limited=False)
def accent() -> Response:
    """Return the owner's accent colour as a stylesheet."""
    colour = service.model.contract.service.accent
    return Response(accent_stylesheet(colour) if colour else "", mimetype="text/css")


@bp.get("/example.csv")
def example_csv() -> Response:
    """Return a CSV of example rows."""
    manifest = service.model.manifest
    count = min(5, len(manifest.examples))
    # Spreadsheets open it: a cell that looks like a formula gets an apostrophe, which our own
    # CSV reader removes again.
    text = csv_text([manifest.example(number) for number in range(count)], escape_formula)
    headers = {"Content-Disposition": f"attachment; filename={manifest.about.name}-example.csv"}
    return Response(text, mimetype="text/csv", headers=headers)


@bp.get("/model")
@policy(menu="Model")
def card() -> str:
    """Show the model card."""
    texts = parse_card(service.card_text)
    model = service.model
    return render_template(
        "model.html",
        card=_card(),
        texts=texts,
        chart_height=CHART_HEIGHT,
        importance=importance_cards(model.explainer, model.contract),
        quality=quality_plots(service.quality, model.contract.output),
    )


@bp.get("/model.md")
def card_file() -> Response:
    """Return the model card in Markdown, with front matter as Hugging Face reads it."""
    manifest = service.model.manifest
    text = card_markdown(
        service.title,
        service.description,
        service.card_text,
        _card(),
        tuple(manifest.environment.libraries),
        manifest.task.kind,
    )
    headers = {"Content-Disposition": f"attachment; filename={manifest.about.name}.md"}
    return Response(text, mimetype="text/markdown", headers=headers)


def _card() -> ModelCard:
    model, readiness = service.model, service.predictor.readiness
    # First: it checks the golden predictions, if that was not done yet.
    is_ready = readiness.reason() is None
    golden_count = len(model.golden.rows) if model.golden is not None else 0
    return build_model_card(
        model.contract,
        model.manifest,
        golden_count,
        readiness.reproduced_at,
        is_ready,
        quality_entries(service.quality, model.contract.output),
    )
