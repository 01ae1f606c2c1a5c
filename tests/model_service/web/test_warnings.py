"""Warnings beside predictions: in JSON, in a CSV, on the page, in the metrics."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import LOAN_ROW
from flask.testing import FlaskClient
from stand_ins import Mirror, model_around

from model_service.csv import stream
from model_service.model.loading import load_model
from model_service.web.app import create_app
from model_service.web.settings import Settings

UNUSUAL = {**LOAN_ROW, "applicant_income": 391_000}
WARNING = {
    "feature": "applicant_income",
    "message": "391000 is outside 1500 to 25000, the usual range",
}


@pytest.fixture
def client(loan: Path) -> FlaskClient:
    return create_app(load_model(loan / "model"), Settings()).test_client()


def test_a_row_has_its_warnings_beside_the_prediction(client: FlaskClient) -> None:
    usual, unusual = (client.post("/predict", json=row).json for row in (LOAN_ROW, UNUSUAL))
    assert unusual["warnings"] == [WARNING]
    assert set(unusual) == {*usual, "warnings"}


def test_each_of_many_rows_has_its_own(client: FlaskClient) -> None:
    answer = client.post("/predict", json={"rows": [LOAN_ROW, UNUSUAL, LOAN_ROW]}).json
    assert [one.get("warnings") for one in answer["predictions"]] == [None, [WARNING], None]
    assert "warnings" not in answer


def test_warnings_are_counted_by_feature(client: FlaskClient) -> None:
    client.post("/predict", json=UNUSUAL)
    client.post("/predict", json={"rows": [UNUSUAL, UNUSUAL]})
    text = client.get("/metrics").text
    assert 'model_warnings_total{feature="applicant_income"} 3\n' in text


def test_the_schema_describes_them(client: FlaskClient) -> None:
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    for name in ("Prediction", "Answer"):
        assert schemas[name]["properties"]["warnings"]["items"] == {
            "$ref": "#/components/schemas/Warning"
        }
        assert "warnings" not in schemas[name]["required"]


def text_of(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def send(client: FlaskClient, rows: Sequence[dict[str, Any]], query: str = "") -> list[list[str]]:
    response = client.post(f"/predict{query}", data=text_of(rows), content_type="text/csv")
    assert response.status_code == 200, response.text
    return list(csv.reader(io.StringIO(response.text, newline="")))


IN_A_CELL = f"{WARNING['feature']}: {WARNING['message']}"


def test_a_csv_has_the_column_only_if_there_are_any(client: FlaskClient) -> None:
    plain = send(client, [LOAN_ROW, LOAN_ROW])
    header, first, second = send(client, [LOAN_ROW, UNUSUAL])
    assert header == [*plain[0], "warnings"]
    assert first == [*plain[1], ""]
    assert second[-1] == IN_A_CELL


def test_a_column_of_that_name_is_passed_through(client: FlaskClient) -> None:
    header, record = send(client, [{"warnings": "mine", **UNUSUAL}])
    assert (header[0], record[0]) == ("warnings", "mine")
    assert (header[-1], record[-1]) == ("warnings_", IN_A_CELL)


BAD = {**LOAN_ROW, "loan_term": 'much, "really"'}


@pytest.mark.parametrize("early_seconds", [5.0, 0.0])
@pytest.mark.parametrize("query", ["", "?on_error=keep"])
def test_a_late_warning_brings_the_column_for_all_rows(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, query: str, early_seconds: float
) -> None:
    """Rows that were predicted before it get an empty cell, whatever they hold."""
    monkeypatch.setattr(stream, "EARLY_SECONDS", early_seconds)
    text = {"a note": 'with "quotes", a comma\nand two lines é'}
    usual = [{**LOAN_ROW, **text, "loan_amount": 100_000 + n} for n in range(3000)]
    if query:
        usual[7] = {**BAD, **text}
    plain = send(client, usual, query)
    header, *records = send(client, [*usual, {**UNUSUAL, **text}, usual[0]], query)
    place = -2 if query else len(header) - 1
    assert header[place] == "warnings"
    assert records[3000][place] == IN_A_CELL
    for record in records:
        del record[place]
    assert [[n for n in header if n != "warnings"], *records[:3000]] == plain
    assert records[3001] == plain[1]
    assert 'feature="applicant_income"} 1\n' in client.get("/metrics").text


def test_short_and_long_rows_have_as_many_cells(client: FlaskClient) -> None:
    text = text_of([UNUSUAL]) + "1,2\r\n" + ",".join("x" * 30) + "\r\n"
    response = client.post("/predict?on_error=keep", data=text, content_type="text/csv")
    header, *records = csv.reader(io.StringIO(response.text, newline=""))
    assert {len(record) for record in records} == {len(header)}


def form(client: FlaskClient, row: dict[str, Any], path: str = "/") -> str:
    return client.post(path, data={name: str(value) for name, value in row.items()}).text


def test_the_page_says_it_at_the_field_and_in_the_answer(client: FlaskClient) -> None:
    page = form(client, UNUSUAL)
    assert f'<p class="warning" id="f1-warning">{WARNING["message"]}</p>' in page
    assert re.search(r'<input id="f1"[^>]*aria-describedby="f1-hint f1-warning"', page)
    assert '<p class="warning">1 value is unlike the sample</p>' in page
    assert '<a href="#f1">Applicant income</a>' in page
    assert "warning" not in form(client, LOAN_ROW)


def test_the_script_gets_the_field_of_each_warning(client: FlaskClient) -> None:
    parts = form(client, UNUSUAL, "/?part=answer")
    assert f'data-unusual="f1" data-message="{WARNING["message"]}"' in parts


def test_a_row_that_is_mostly_unknown_is_said_in_the_answer(loan: Path) -> None:
    features = [{"name": name, "nullable": True} for name in "abc"]
    model = model_around(Mirror(), load_model(loan / "model"), features, dict.fromkeys("abc", 1))
    page = form(create_app(model, Settings()).test_client(), {"a": 1, "b": "", "c": ""})
    assert '<p class="warning">2 of 3 features are missing</p>' in page
    assert "data-unusual" not in page
