"""The pages of this model: a field for each feature, and the answer that /predict gives."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape

from model_service.model.model import Model
from model_service.web.form import field_texts
from model_service.web.titles import feature_titles
from workbench.selftest.responses import Elements, page

PAGES = ["/", "/?example=1"]


@pytest.mark.parametrize("route", PAGES)
def test_each_feature_has_a_labelled_field(client: FlaskClient, model: Model, route: str) -> None:
    elements = Elements(page(client.get(route)))
    controls = [
        attributes["name"]
        for attributes in elements.named("input", "select", "textarea")
        if attributes.get("name") and attributes.get("type") != "hidden"
    ]
    names = [feature.name for feature in model.contract.features]
    assert set(names) <= set(controls)
    ids = [attributes["id"] for _, attributes in elements.found if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert {label["for"] for label in elements.named("label") if "for" in label} <= set(ids)


def test_the_form_gives_the_prediction_of_the_api_and_keeps_the_row(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    for row in rows[:5]:
        prediction = client.post("/predict", json=row).json
        assert prediction is not None
        del prediction["model"]
        text = page(client.post("/", data=field_texts(row)))
        (detail,) = [e for e in Elements(text).named("section") if e.get("id") == "detail"]
        assert json.loads(detail["data-answer"] or "") == prediction
        assert json.loads(detail["data-row"] or "") == row
        assert "There is a problem" not in text


def test_line_breaks_in_a_field_name_can_be_cr_lf(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    typed = {re.sub("\r\n?|\n", "\r\n", name): text for name, text in field_texts(rows[0]).items()}
    assert "data-answer" in page(client.post("/", data=typed))


def test_problems_are_shown_in_the_summary_and_at_the_field(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    feature = model.contract.features[-1]
    typed = field_texts(rows[0])
    del typed[feature.name]
    text = page(client.post("/", data=typed), 422)
    number = len(model.contract.features)
    assert f"#f{number}" in [link.get("href") for link in Elements(text).named("a")]
    title = feature_titles(model.contract)[feature.name]
    assert f"{escape(title)} is missing</a>" in text
    assert f'id="f{number}-error"' in text
    assert "no such feature unknown feature" in page(
        client.post("/", data={**field_texts(rows[0]), "no such feature": "1"}), 422
    )


def test_a_pasted_row_is_filled_in_and_predicted(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    row, typed = rows[0], field_texts(rows[0])
    texts = [json.dumps(row), json.dumps({"rows": [row]})]
    # A header of one name does not show a delimiter: such a CSV is read as comma-separated.
    for delimiter in ",;\t" if len(typed) > 1 else ",":
        pasted = io.StringIO(newline="")
        csv.writer(pasted, delimiter=delimiter).writerows([typed, typed.values()])
        texts.append(pasted.getvalue())
    for text in texts:
        filled_in = page(client.post("/row", data={"row": text}))
        (detail,) = [e for e in Elements(filled_in).named("section") if e.get("id") == "detail"]
        assert json.loads(detail["data-row"] or "") == row


@pytest.mark.parametrize("on_error", ["refuse", "keep"])
def test_without_javascript_an_uploaded_file_comes_back_with_predictions(
    client: FlaskClient, on_error: str
) -> None:
    content = client.get("/example.csv").data
    form = {"file": (io.BytesIO(content), "some.csv"), "on_error": on_error}
    response = client.post("/file", data=form, buffered=True)
    assert response.status_code == 200, response.text
    expected = client.post(f"/predict?on_error={on_error}", data=content, content_type="text/csv")
    assert response.data == expected.data
    assert "attachment" in response.headers["Content-Disposition"]


def test_the_example_csv_can_be_predicted(client: FlaskClient, model: Model) -> None:
    response = client.get("/example.csv")
    assert response.mimetype == "text/csv"
    assert f"{model.manifest.about.name}-example.csv" in response.headers["Content-Disposition"]
    assert "data-answer" in page(client.post("/row", data={"row": response.text}))


def test_the_page_shows_texts_of_the_manifest_and_the_contract_literally(
    client: FlaskClient, model: Model
) -> None:
    response = client.get("/model")
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    manifest = model.manifest
    texts = [
        model.contract.service.title or manifest.about.title,
        model.contract.service.description or manifest.about.description,
        manifest.model.sha256,
        manifest.environment.python,
    ]
    texts += manifest.environment.libraries
    for feature in model.contract.features:
        texts += [feature.name, feature.description, feature.unit]
    missing = [text for text in texts if str(escape(text)) not in response.text]
    assert missing == []
    assert response.text.count("<h3>") == len(model.contract.features)
