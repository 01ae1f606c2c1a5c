"""Explanations over HTTP: routes, query, limits, CSV, documents, metrics and pages."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import LOAN_ROW

from model_service.contract.snippets import csv_text
from model_service.explain.blackbox import Budget
from model_service.model.loading import load_model
from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.explain_page import MAX_WHY_BARS, MINUS, contribution_writer, word_bars
from model_service.web.settings import Settings

# Refused: the amount is far above all incomes.
REFUSED = {**LOAN_ROW, "applicant_income": 2000, "loan_amount": 700000, "credit_history": "bad"}
ROW_TEXTS = {name: "" if value is None else str(value) for name, value in REFUSED.items()}
Client = Callable[..., Any]


@pytest.fixture(scope="module")
def client(proven: Path) -> Client:
    """Return the test client of the loan example with some settings."""
    model = load_model(proven / "model")
    return lambda **settings: create_app(model, Settings(**settings)).test_client()


def total(explanation: dict[str, Any]) -> float:
    return float(
        explanation["base"] + sum(entry["contribution"] for entry in explanation["features"])
    )


def test_a_row_is_predicted_and_explained(client: Client) -> None:
    asked = client()
    answer = asked.post("/explain", json=REFUSED).get_json()
    explanation = answer.pop("explanation")
    assert asked.post("/predict", json=REFUSED).get_json() == answer
    assert explanation["of"] == "log-odds of Y"
    assert total(explanation) == pytest.approx(explanation["value"])
    assert {entry["feature"] for entry in explanation["features"]} == set(LOAN_ROW)
    assert explanation["features"][0]["contribution"] < 0
    assert asked.post("/predict?explain=1", json=REFUSED).get_json()["explanation"] == explanation


def test_the_other_class_on_request(client: Client) -> None:
    answer = client().post("/explain?class=N", json=REFUSED).get_json()
    assert answer["explanation"]["of"] == "log-odds of N"
    assert answer["explanation"]["value"] > 0


def test_reasons_alone_and_beside_an_explanation(client: Client) -> None:
    rows = {"rows": [REFUSED, LOAN_ROW]}
    refused, approved = client().post("/predict?reasons=2", json=rows).get_json()["predictions"]
    assert "explanation" not in refused
    assert len(refused["reasons"]) == 2
    assert approved["reasons"] == []
    both = client().post("/explain?reasons=2", json=REFUSED).get_json()
    assert both["reasons"] == refused["reasons"]
    assert set(both["reasons"][0]) == {"feature", "reason", "contribution"}


def test_a_batch_of_up_to_32_rows(client: Client) -> None:
    answer = client().post("/explain", json={"rows": [REFUSED] * 32}).get_json()
    assert len(answer["predictions"]) == 32
    assert all("explanation" in prediction for prediction in answer["predictions"])


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/explain", {"rows": [LOAN_ROW] * 33}, 413, "At most 32 rows"),
        ("/predict?reasons=1", {"rows": [LOAN_ROW] * 33}, 413, "these are 33"),
        ("/explain", {"rows": []}, 422, "is empty"),
        ("/explain", {**LOAN_ROW, "loan_amount": "x"}, 422, "must be a number"),
        ("/explain?reasons=5", LOAN_ROW, 400, "1 to 4"),
        ("/predict?reasons=many", LOAN_ROW, 400, "1 to 4"),
        ("/predict?explain=yes", LOAN_ROW, 400, "must be 1 or 0"),
        ("/explain?class=maybe", LOAN_ROW, 400, "none of the classes N, Y"),
    ],
)
def test_requests_that_are_refused(
    client: Client, path: str, body: Any, status: int, words: str
) -> None:
    response = client().post(path, json=body)
    assert response.status_code == status
    assert words in response.text
    assert response.mimetype == "application/problem+json"


def test_a_csv_goes_to_predict(client: Client) -> None:
    body = {"data": csv_text([LOAN_ROW]), "content_type": "text/csv"}
    response = client().post("/explain", **body)
    assert (response.status_code, "/predict?reasons=4" in response.text) == (415, True)
    response = client().post("/predict?explain=1", **body)
    assert (response.status_code, "reasons only" in response.text) == (400, True)


@pytest.mark.parametrize("keep", ["", "&on_error=keep"])
def test_a_csv_gets_columns_of_reasons(client: Client, keep: str) -> None:
    rows = [LOAN_ROW, REFUSED]
    path = f"/predict?reasons=3{keep}"
    answer = client().post(path, data=csv_text(rows), content_type="text/csv").text
    approved, refused = csv.DictReader(io.StringIO(answer))
    names = ["reason_1", "reason_2", "reason_3"]
    assert [approved[name] for name in names] == ["", "", ""]
    found = client().post("/predict?reasons=3", json=REFUSED).get_json()["reasons"]
    texts = [reason["reason"] for reason in found]
    assert [refused[name] for name in names if refused[name]] == texts


def test_more_rows_than_fit_the_time_are_refused_with_the_number_that_does(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(1_000_000))
    monkeypatch.setattr(
        "model_service.web.current.Budget",
        lambda milliseconds: Budget(milliseconds, lambda: next(now) / 100),
    )
    asked = client(explain_milliseconds=50)
    response = asked.post("/explain", json={"rows": [REFUSED] * 20})
    assert response.status_code == 422
    fitting = int(re.search(r"(\d+) rows fit into the 50 ms", response.text)[1])  # type: ignore[index]
    assert 1 <= fitting < 20
    response = asked.post(
        "/predict?reasons=4", data=csv_text([REFUSED] * 20), content_type="text/csv"
    )
    assert response.status_code == 422
    assert "rows fit into the 50 ms" in response.text


def test_explain_off(client: Client) -> None:
    asked = client(explain=False)
    response = asked.post("/explain", json=LOAN_ROW)
    assert (response.status_code, "EXPLAIN is off" in response.text) == (404, True)
    assert asked.post("/predict?reasons=4", json=LOAN_ROW).status_code == 404
    assert asked.post("/predict", json=LOAN_ROW).status_code == 200
    assert "/explain" not in asked.get("/openapi.json").get_json()["paths"]
    assert "Why?" not in asked.post("/", data=ROW_TEXTS).text


def test_without_a_proof_there_are_none(loan: Path) -> None:
    asked = create_app(load_model(loan / "model")).test_client()
    response = asked.post("/explain", json=LOAN_ROW)
    assert (response.status_code, "make verify" in response.text) == (404, True)
    assert asked.get("/metadata").get_json()["explanations"] == {"proven": False}


def test_keys_metrics_and_documents_know_the_route(client: Client) -> None:
    assert client(api_keys=(b"\0" * 32,)).post("/explain", json=LOAN_ROW).status_code == 401
    asked = client()
    answer = asked.post("/explain?reasons=4", json=REFUSED).get_json()
    metrics = asked.get("/metrics").text
    assert "model_explained_rows_total 1" in metrics
    assert 'http_requests_total{route="/explain",method="POST",status="200"} 1' in metrics
    assert asked.get("/metadata").get_json()["explanations"]["proven"]
    api = asked.get("/openapi.json").get_json()
    schema = {"$ref": "#/components/schemas/Answer", "components": api["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)
    assert "/explain" in api["paths"]


# The pages.


def test_the_page_says_why(client: Client) -> None:
    page = client().post("/", data=ROW_TEXTS).text
    (why,) = re.findall(r'<details class="why group">(.*?)</details>', page, re.S)
    assert "<summary>Why?</summary>" in why
    assert "lowers the log-odds of approved by" in why
    assert "500 rows of the sample" in why
    assert why.count("<rect") == len(LOAN_ROW)
    assert "not what would happen" in why
    texts = re.sub("<[^>]*>", " ", why)
    fractions = re.findall(r"\d+\.\d+", texts)
    assert fractions
    assert all(len(number.replace(".", "").lstrip("0")) <= 4 for number in fractions)


@pytest.mark.parametrize(
    ("largest", "value", "text"),
    [
        (2.2, 2.1999, "2.20"),
        (2.2, -0.049, f"{MINUS}0.05"),
        (2.2, -0.001, "0.00"),
        (0.266, 0.0154, "0.015"),
        (159_899.2, 8362.4, "8,362"),
        (3e-9, -2.5e-9, f"{MINUS}2.5e{MINUS}09"),
        (4e20, 1.5e20, "1.5e+20"),
    ],
)
def test_contributions_have_the_decimals_of_the_largest(
    largest: float, value: float, text: str
) -> None:
    assert contribution_writer(largest)(value) == text


@pytest.mark.parametrize(
    ("count", "rest", "text"),
    [(30, 0.5, "+19.5"), (30, -50.0, f"{MINUS}31.0"), (3, 0.5, "+0.50"), (0, 0.0, "0.00")],
)
def test_the_last_bar_adds_up_all_words_without_one(count: int, rest: float, text: str) -> None:
    words = [{"word": f"word {number}", "contribution": 1.0} for number in range(count)]
    *bars, others = word_bars([*words, {"word": None, "contribution": rest}])
    assert [bar.title for bar in bars] == [word["word"] for word in words[: MAX_WHY_BARS - 1]]
    assert (others.title, others.text) == ("all other words", text)
    assert all(0 <= bar.start <= 50 and bar.width <= 50 for bar in (*bars, others))


def test_what_if_gets_why_with_each_answer(client: Client) -> None:
    assert "Why?" in client().post("/?part=answer", data=ROW_TEXTS).text


def test_a_slow_model_is_asked_why_by_a_button(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_service.web.pages.why_is_quick", lambda service: False)
    asked = client()
    page = asked.post("/", data=ROW_TEXTS).text
    assert 'class="why' not in page
    (action,) = re.findall(r'formaction="([^"]*)"', page)
    page = asked.post(action.partition("#")[0], data=ROW_TEXTS).text
    assert '<details class="why group" open>' in page


def test_the_model_card_shows_what_matters(client: Client) -> None:
    page = client().get("/model").text
    (section,) = re.findall(r"<h2>What matters to the model</h2>(.*?)</section>", page, re.S)
    features = re.findall(r'<span class="of">([^<]+?) <', section)
    assert len(features) == len(LOAN_ROW)
    assert features[0] == "Credit history"
    assert "higher values lower it" in section
    assert "good raises it most, bad least" in section


def test_a_model_that_fails_on_mixed_rows_still_predicts(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("a value of a caller")

    monkeypatch.setattr(Model, "explain", fail)
    asked = client()
    for path in ("/explain", "/predict?explain=1"):
        response = asked.post(path, json=REFUSED)
        assert (response.status_code, "mixtures of them" in response.text) == (422, True)
    page = asked.post("/", data=ROW_TEXTS)
    assert page.status_code == 200
    assert "Why?</summary>" not in page.text
    assert "no explanation: ZeroDivisionError in fail, line" in caplog.text
    assert "a value of a caller" not in caplog.text


def test_a_wrong_file_is_not_used(proven: Path, tmp_path: Path) -> None:
    for path in (proven / "model").iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "explain.npz").write_bytes(b"another file")
    response = create_app(load_model(tmp_path)).test_client().post("/explain", json=LOAN_ROW)
    assert (response.status_code, "restore it from git" in response.text) == (404, True)
    (tmp_path / "explain.npz").unlink()
    asked = create_app(load_model(tmp_path)).test_client()
    assert "explain.npz is missing" in asked.post("/explain", json=LOAN_ROW).text
    assert json.loads(asked.get("/metadata").text)["explanations"]["proven"] is False
