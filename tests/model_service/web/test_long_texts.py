"""Limits of a text and of a CSV's row: one below, at the limit, one above, whoever asks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flask.testing import FlaskClient
from stand_ins import model_around
from werkzeug.test import TestResponse

from model_service.model.loading import load_model
from model_service.web.app import create_app
from model_service.web.settings import Settings

TEXTS = 12
LONG = "a" * (TEXTS + 1)
FEATURES: list[dict[str, Any]] = [
    {"name": "text", "type": "text"},
    {"name": "open", "type": "category"},
    {"name": "usual", "categories": ["x"], "strict": False},
    {"name": "closed", "categories": [LONG]},
    {"name": "date", "type": "date"},
    {"name": "number"},
]
ROW = dict(
    zip(
        (feature["name"] for feature in FEATURES),
        ("a", "b", "x", LONG, "2024-02-29", 1),
        strict=True,
    )
)


class First:
    """A model that answers its first column."""

    def predict(self, frame: pd.DataFrame) -> Any:
        return np.array([str(value)[:5] for value in frame.iloc[:, 0]], dtype=object)


@pytest.fixture(scope="module")
def serve(loan: Path) -> Callable[..., FlaskClient]:
    model = model_around(First(), load_model(loan / "model"), FEATURES, ROW)

    def client(**limits: int) -> FlaskClient:
        return create_app(model, Settings(**limits)).test_client()

    return client


def in_csv(row: dict[str, Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([row, row.values()])
    return text.getvalue()


def by_json(client: FlaskClient, row: dict[str, Any]) -> TestResponse:
    return client.post("/predict", json=row)


def by_batch(client: FlaskClient, row: dict[str, Any]) -> TestResponse:
    return client.post("/predict", json={"rows": [row]})


def by_csv(client: FlaskClient, row: dict[str, Any]) -> TestResponse:
    return client.post("/predict", data=in_csv(row), content_type="text/csv")


WAYS = [by_json, by_batch, by_csv]


@pytest.mark.parametrize("name", ["text", "open", "usual"])
@pytest.mark.parametrize("letter", ["a", "é", "🙂"])
@pytest.mark.parametrize("ask", WAYS)
def test_a_text_too_long_is_refused_by_row_and_feature(
    serve: Callable[..., FlaskClient], ask: Callable[..., TestResponse], letter: str, name: str
) -> None:
    client = serve(max_text_characters=TEXTS)
    for length in (TEXTS - 1, TEXTS):
        assert ask(client, {**ROW, name: letter * length}).status_code == 200
    refused = ask(client, {**ROW, name: letter * (TEXTS + 1)})
    assert refused.status_code == 422
    assert refused.json is not None
    (error,) = refused.json["errors"]
    assert (error["row"], error["feature"]) == (1, name)
    assert error["message"] == "must be text of at most 12 characters, not 13"


@pytest.mark.parametrize("name", ["text", "open", "usual"])
def test_a_text_too_long_is_refused_beside_its_field(
    serve: Callable[..., FlaskClient], name: str
) -> None:
    client = serve(max_text_characters=TEXTS)
    for length, status in ((TEXTS - 1, 200), (TEXTS, 200), (TEXTS + 1, 422)):
        answer = client.post("/", data={**ROW, name: "a" * length})
        assert answer.status_code == status
        assert ("must be text of at most 12 characters, not 13" in answer.text) == (status == 422)


@pytest.mark.parametrize("ask", WAYS)
def test_other_values_have_no_text_limit(
    serve: Callable[..., FlaskClient], ask: Callable[..., TestResponse]
) -> None:
    """A date, a category of the contract and a number with many digits are as long as they are."""
    row = {**ROW, "number": 0.1234567890123456}
    assert ask(serve(max_text_characters=1), {**row, "usual": "x"}).status_code == 200


@pytest.mark.parametrize("ask", WAYS)
def test_the_default(serve: Callable[..., FlaskClient], ask: Callable[..., TestResponse]) -> None:
    most = 128 * 1024
    assert ask(serve(), {**ROW, "text": "a" * most}).status_code == 200
    assert ask(serve(), {**ROW, "text": "a" * (most + 1)}).status_code == 422


def test_the_published_schema_says_so(serve: Callable[..., FlaskClient]) -> None:
    document = json.loads(serve(max_text_characters=TEXTS).get("/openapi.json").text)
    row = document["components"]["schemas"]["Row"]["properties"]
    limited = {name for name, schema in row.items() if schema.get("maxLength") == TEXTS}
    assert limited == {"text", "open", "usual"}
    assert "max_characters" not in serve().get("/features").text


@pytest.mark.parametrize(
    ("of", "cell"),
    [("header", "{}"), ("header", '"{}"'), ("row", "{}"), ("row", '"{}"'), ("row", '"\n{}"')],
)
def test_a_row_of_a_csv_too_long_is_refused_by_line(
    serve: Callable[..., FlaskClient], of: str, cell: str
) -> None:
    lines = in_csv({**ROW, "more": ""}).splitlines()
    place = 0 if of == "header" else 1
    lines[place] = f"{lines[place].rpartition(',')[0]},{cell}"
    most = 200  # with the end of the line
    room = most - len(lines[place].format("")) - 1
    client = serve(max_csv_line_characters=most)
    for length, status in ((room - 1, 200), (room, 200), (room + 1, 422)):
        body = "".join(f"{line}\n" for line in lines).format("z" * length)
        answer = client.post("/predict", data=body, content_type="text/csv")
        assert answer.text
        assert answer.status_code == status, answer.text
    assert answer.json is not None
    (error,) = answer.json["errors"]
    assert error["line"] == 1 + place
    assert error["message"] == "is not CSV: a row of more than 200 characters"
