"""The pages for people; each is made on the server and works without JavaScript."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import MultiDict

from model_service.contract.contract import Problem
from model_service.contract.snippets import csv_text
from model_service.csv.reader import CsvFile, Pace
from model_service.csv.rows import cell_of
from model_service.csv.writer import neutral
from model_service.web import current
from model_service.web.api import answer_csv, keeps, parse_json
from model_service.web.errors import RequestProblem, rendered
from model_service.web.form import MOST_FIELDS, fields_of, groups_of, read_texts, text_of, texts_of
from model_service.web.model_card import HEIGHT, card_of
from model_service.web.wording import said_of

bp = Blueprint("pages", __name__)

# What a form needs around the file that it sends.
FORM_BYTES = 10_000


@bp.get("/")
def form() -> bytes:
    """The form, with the defaults or, asked for, with an example filled in."""
    model = current.model()
    if "example" in request.args:
        return _page(texts_of(model.manifest.example()))
    return _page({f.name: text_of(f.default) for f in model.contract.features})


@bp.post("/")
def answer() -> tuple[bytes, int]:
    """The form again, with the answer or with what is wrong; only these where a script asks."""
    return _answered(_texts_of_form(request.form))


@bp.post("/row")
def pasted() -> tuple[bytes, int]:
    """The form filled in from a pasted row of JSON or CSV, with the answer."""
    text = request.form.get("row", "")
    try:
        return _answered(_texts_of_pasted(text))
    except RequestProblem as problem:
        said = f"{problem.title}. {problem.detail}"
        return _page({}, [Problem(1, None, said)], {"pasted": text}), problem.status


@bp.post("/file")
def uploaded() -> Response:
    """The predictions of a file, where no script sends it to /predict."""
    request.max_content_length = current.settings().max_csv_bytes + FORM_BYTES
    keep = keeps(request.form.get("on_error", "refuse"))
    if (file := request.files.get("file")) is None or not file.filename:
        raise RequestProblem(422, "There is no file", "Choose a CSV file.")
    return answer_csv(file.stream, keep)


def _texts_of_form(form: MultiDict[str, str]) -> dict[str, str]:
    """Return the last value of each field: before a checkbox stands what it is if not checked."""
    # Browsers send the line breaks of a name as CR LF, whatever they were in the page.
    names = {_line_feeds(f.name): f.name for f in current.model().contract.features}
    # A part of multipart/form-data may have no name.
    sent = ((name or "", values[-1]) for name, values in form.lists())
    return {names.get(_line_feeds(name), name): text for name, text in sent}


def _line_feeds(name: str) -> str:
    return name.replace("\r\n", "\n").replace("\r", "\n")


def _texts_of_pasted(text: str) -> dict[str, str]:
    """Return the texts of a row of JSON, or of a CSV with a header. Raises RequestProblem."""
    if text.lstrip().startswith(("{", "[")):
        row = parse_json(text.encode("utf-8", "surrogatepass"))
        rows = row.get("rows") if isinstance(row, dict) and list(row) == ["rows"] else row
        row = rows[0] if isinstance(rows, list) and rows else rows
        if not isinstance(row, dict):
            raise RequestProblem(422, "The row cannot be read", "It is no object of features.")
        return {name: text_of(value) for name, value in row.items()}
    names = [feature.name for feature in current.model().contract.features]
    hint = "Paste a JSON object, or a line with the names and under it one with the values."
    try:
        file = CsvFile(
            io.BytesIO(text.encode("utf-8", "surrogatepass")),
            names,
            current.settings().max_csv_line_characters,
        )
        (cells,) = next(file.chunks(Pace(rows=1))).records
        features = current.model().contract.by_name
        return {
            name: cell_of(features.get(name), cell)
            for name, cell in zip(file.header, cells, strict=True)
        }
    except (RequestProblem, StopIteration, ValueError):
        raise RequestProblem(422, "The row cannot be read", hint) from None


def _answered(texts: Mapping[str, str]) -> tuple[bytes, int]:
    row, problems = read_texts(current.model().contract, texts)
    if row is None:
        if not _asked_by_script():
            current.metrics().rejected(problems)
        # Browsers log each 422; for a script that asks while somebody types it is no failure.
        return _page(texts, problems), 200 if _asked_by_script() else 422
    try:
        prediction = current.predict([row])[0]
    except RequestProblem as refused:
        if not refused.errors:
            raise
        current.metrics().rejected(refused.errors)
        return _page(texts, refused.errors), refused.status
    output, task = current.model().contract.output, current.model().manifest.task
    answer = {
        "said": said_of(prediction, output, task),
        "row": json.dumps(row),
        "native": json.dumps(prediction),
    }
    return _page(texts, more=answer), 200


def _asked_by_script() -> bool:
    return request.args.get("part") == "answer"


def _page(
    texts: Mapping[str, str],
    problems: Sequence[Problem] = (),
    more: Mapping[str, Any] | None = None,
) -> bytes:
    model = current.model()
    contract, manifest = model.contract, model.manifest
    fields = fields_of(contract, texts, problems)
    ids = {field.name: field.id for field in fields}
    template = "parts.html" if _asked_by_script() else "form.html"
    return rendered(
        template,
        fields=fields,
        groups=groups_of(fields) if len(fields) > MOST_FIELDS else None,
        problems=[(problem, ids.get(problem.feature or "")) for problem in problems],
        output=contract.output,
        task=manifest.task,
        limits=current.settings(),
        **(more or {}),
    )


@bp.get("/example.csv")
def example() -> Response:
    """A CSV of example rows to start from."""
    manifest = current.model().manifest
    count = min(5, len(manifest.examples))
    # It is opened in a spreadsheet; what our own reader takes for the same rows.
    text = csv_text([manifest.example(number) for number in range(count)], neutral)
    name = {"Content-Disposition": f"attachment; filename={manifest.name}-example.csv"}
    return Response(text, mimetype="text/csv", headers=name)


@bp.get("/model")
def card() -> str:
    """The model card."""
    model, check = current.model(), current.readiness()
    reason = check.reason()
    goldens = len(model.golden.rows) if model.golden is not None else 0
    described = card_of(model.contract, model.manifest, goldens, check.reproduced, reason)
    return render_template("model.html", card=described, height=HEIGHT)
