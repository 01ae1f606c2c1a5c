"""CSV in, CSV out: the same answers as JSON, for any model."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from model_service.contract.golden import RELATIVE_TOLERANCE, differences
from model_service.contract.json_values import json_text
from model_service.csv.writer import answer_columns, escape_formula, free_name
from model_service.model.model import Model
from workbench.selftest.responses import problem

Row = dict[str, Any]


def cell(value: Any) -> str:
    return "" if value is None else json_text(value)


def as_csv(header: Sequence[str], records: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([header, *records])
    return text.getvalue()


def of_rows(rows: Sequence[Row], delimiter: str = ",") -> str:
    return as_csv([*rows[0]], [[*map(cell, row.values())] for row in rows], delimiter)


def table(response: TestResponse, delimiter: str = ",") -> list[list[str]]:
    assert response.status_code == 200, response.text
    assert response.content_type == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(response.text, newline=""), delimiter=delimiter))


def send(client: FlaskClient, text: str | bytes, query: str = "") -> TestResponse:
    return client.post(f"/predict{query}", data=text, content_type="text/csv")


@pytest.fixture
def bad(model: Model) -> tuple[str, str]:
    """A feature and a cell that it does not take."""
    for feature in model.contract.features:
        if feature.closed or feature.type not in ("text", "category"):
            return feature.name, "no such value"
    pytest.skip("every feature of the model takes any text")


def test_csv_and_json_agree(client: FlaskClient, model: Model, rows: list[Row]) -> None:
    answer = client.post("/predict", json={"rows": rows}).json
    assert answer is not None
    header, *records = table(send(client, of_rows(rows)))
    columns = answer_columns(model.contract.output, answer["predictions"][0], rows[0])
    appended = [*columns]
    if any("warnings" in prediction for prediction in answer["predictions"]):
        appended.append(free_name("warnings", {*rows[0], *columns}))
    assert header == [*map(escape_formula, rows[0]), *map(escape_formula, appended)]
    tolerance = model.golden.tolerance if model.golden else RELATIVE_TOLERANCE
    for row, prediction, record in zip(rows, answer["predictions"], records, strict=True):
        assert record[: len(row)] == [escape_formula(cell(value)) for value in row.values()]
        cells = record[len(row) : len(row) + len(columns)]
        for path, text in zip(columns.values(), cells, strict=True):
            value: Any = prediction
            for key in path:
                value = value.get(key) if value is not None else None
            if isinstance(value, float):  # of many rows the last digits may be others
                assert differences(value, float(text), tolerance) == []
            else:
                assert text == escape_formula(cell(value))


def test_the_answer_is_a_file_to_save(client: FlaskClient, rows: list[Row]) -> None:
    response = send(client, of_rows(rows))
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_order_other_columns_and_any_delimiter(
    client: FlaskClient, rows: list[Row], delimiter: str
) -> None:
    plain = [record[len(rows[0]) :] for record in table(send(client, of_rows(rows)))]
    others = [{"no such feature": "x, y; z", **dict(reversed(row.items()))} for row in rows]
    given = table(send(client, of_rows(others, delimiter), ""), delimiter)
    assert [record[len(others[0]) :] for record in given] == plain
    assert [record[0] for record in given] == ["no such feature", *["x, y; z"] * len(rows)]


def test_a_byte_order_mark_comes_back(client: FlaskClient, rows: list[Row]) -> None:
    plain = send(client, of_rows(rows))
    marked = send(client, codecs.BOM_UTF8 + of_rows(rows).encode())
    assert marked.data == codecs.BOM_UTF8 + plain.data


@pytest.mark.parametrize("kind", ["text/csv; charset=utf-8", 'text/csv; charset="UTF-8"'])
def test_the_charset_utf_8_can_be_named(client: FlaskClient, rows: list[Row], kind: str) -> None:
    assert client.post("/predict", data=of_rows(rows), content_type=kind).status_code == 200


def test_blank_lines_are_no_rows(client: FlaskClient, rows: list[Row]) -> None:
    spaced = "\r\n" + of_rows(rows[:1]) + "\r\n\r\n"
    assert len(table(send(client, spaced))) == 2


def test_bad_rows_are_refused_with_their_lines(
    client: FlaskClient, rows: list[Row], bad: tuple[str, str]
) -> None:
    feature, wrong = bad
    text = (
        of_rows([rows[0], {**rows[0], feature: wrong}, rows[0]])
        + "\r\n"
        + "x"
        + ",x" * len(rows[0])
    )
    errors = problem(send(client, text), 422)["errors"]
    found = [(error["row"], error["line"], error["feature"]) for error in errors]
    # A name or a text may have several lines.
    header, one = as_csv([*rows[0]], []).count("\n"), of_rows(rows[:1]).count("\n")
    each = one - header
    assert found == [
        (2, header + each + 1, feature),
        (4, header + 3 * each + 2, None),
    ]


def test_on_error_keep_keeps_bad_rows(
    client: FlaskClient, rows: list[Row], bad: tuple[str, str]
) -> None:
    feature, wrong = bad
    text = of_rows([rows[0], {**rows[0], feature: wrong}, rows[0]])
    header, good, refused, other = table(send(client, text, "?on_error=keep"))
    assert header[-1].startswith("error")
    names, plain = table(send(client, of_rows(rows[:1])))
    assert header[:-1] == names
    assert good[: len(rows[0])] == other[: len(rows[0])] == plain[: len(rows[0])]
    assert good[-1] == other[-1] == ""
    assert good[len(rows[0])] != ""
    assert refused[-1].startswith(escape_formula(feature))
    assert set(refused[len(rows[0]) : -1]) == {""}


@pytest.mark.parametrize("on_error", ["refuse", "keep"])
def test_a_bad_header_is_refused_always(
    client: FlaskClient, rows: list[Row], on_error: str
) -> None:
    first = next(iter(rows[0]))
    records = [[*map(cell, rows[0].values())]]
    header = [f"{first}_x", *list(rows[0])[1:]]
    errors = problem(send(client, as_csv(header, records), f"?on_error={on_error}"), 422)["errors"]
    assert {error["row"] for error in errors} == {None}
    assert (errors[0]["line"], errors[0]["feature"]) == (1, first)
    assert errors[0]["message"].startswith("is missing")


def test_on_error_is_one_of_two(client: FlaskClient, rows: list[Row]) -> None:
    problem(send(client, of_rows(rows), "?on_error=ignore"), 400)


NO_CSV = [b"", b"\r\n\r\n", b'"', b'"a"b,c\r\n', "a,é\r\n".encode("latin-1"), "a".encode("utf-16")]


@pytest.mark.parametrize("body", NO_CSV)
def test_a_file_that_is_no_csv_is_refused(
    client: FlaskClient, rows: list[Row], body: bytes
) -> None:
    problem(send(client, body), 422)
    assert send(client, of_rows(rows)).status_code == 200


def test_a_header_alone_has_no_rows(client: FlaskClient, rows: list[Row]) -> None:
    problem(send(client, as_csv([*rows[0]], [])), 422)


def test_another_encoding_is_refused_with_advice(client: FlaskClient, rows: list[Row]) -> None:
    kind = "text/csv; charset=iso-8859-1"
    response = client.post("/predict", data=of_rows(rows), content_type=kind)
    assert "UTF-8" in problem(response, 400)["detail"]
