"""The pages: the form without JavaScript, and what holds for every page."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from werkzeug.test import TestResponse

from model_service.contract.contract import Contract, Feature
from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.form import field_texts

PAGES = ["/", "/?example=1"]
BROWSER_HEADERS = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


def page(response: TestResponse, status: int = 200) -> str:
    """Return the HTML of a response with this status."""
    assert response.status_code == status, response.text
    assert response.mimetype == "text/html"
    return response.text


@pytest.mark.parametrize("route", [*PAGES, "/model"])
def test_a_page_has_no_inline_code_and_loads_nothing_from_another_host(
    client: FlaskClient, route: str
) -> None:
    response = client.get(route)
    elements = Elements(page(response))
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, attributes in elements.found:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        url = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if url:
            assert url.startswith("/")
            with client.get(url) as asset:
                assert asset.status_code == 200


@pytest.mark.parametrize("route", PAGES)
def test_each_feature_has_one_labelled_field_in_contract_order(
    client: FlaskClient, model: Model, route: str
) -> None:
    elements = Elements(page(client.get(route)))
    controls = [
        attributes["name"]
        for attributes in elements.named("input", "select", "textarea")
        if attributes.get("name") and attributes.get("type") != "hidden"
    ]
    names = [feature.name for feature in model.contract.features]
    assert list(dict.fromkeys(controls))[: len(names)] == names
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


def test_a_form_with_many_fields_keeps_its_hints(model: Model) -> None:
    ranged = [Feature(f"f {n}", minimum=0, maximum=9, nullable=True) for n in range(40)]
    described = [Feature(f"d {n}", description=f"About {n}", unit="kg") for n in range(40)]
    manifest = replace(model.manifest, transformers=(), verified=False)
    app = create_app(Model(None, Contract((*ranged, *described)), manifest))
    text = page(app.test_client().get("/"))
    assert text.count('placeholder="0 to 9, empty if unknown"') == 40
    assert all(f"About {n}. In kg." in text for n in range(40))


def test_line_breaks_in_a_field_name_can_be_cr_lf(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    typed = {re.sub("\r\n?|\n", "\r\n", name): text for name, text in field_texts(rows[0]).items()}
    assert "data-answer" in page(client.post("/", data=typed))


def test_a_multipart_form_can_have_a_part_without_a_name(client: FlaskClient) -> None:
    body = b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--"
    page(client.post("/", data=body, content_type="multipart/form-data; boundary=x"), 422)


def test_the_script_gets_only_the_parts_that_it_replaces(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    text = page(client.post("/?part=answer", data=field_texts(rows[0])))
    assert [e.get("id") for e in Elements(text).named("section")] == [
        *("problems", "verdict", "detail")
    ]
    assert "<html" not in text
    assert "There " in page(client.post("/?part=answer", data={}))


def test_problems_are_shown_in_the_summary_and_at_the_field(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    feature = model.contract.features[-1]
    typed = field_texts(rows[0])
    del typed[feature.name]
    text = page(client.post("/", data=typed), 422)
    number = len(model.contract.features)
    assert f"#f{number}" in [link.get("href") for link in Elements(text).named("a")]
    assert f"{escape(feature.name)} is missing</a>" in text
    assert f'id="f{number}-error"' in text
    assert "no such feature unknown feature" in page(
        client.post("/", data={**field_texts(rows[0]), "no such feature": "1"}), 422
    )


def test_a_pasted_row_is_filled_in_and_predicted(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    row, typed = rows[0], field_texts(rows[0])
    texts = [json.dumps(row), json.dumps({"rows": [row]})]
    for delimiter in ",;\t":
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


def test_the_problems_of_an_uploaded_file_are_a_page(client: FlaskClient) -> None:
    form = {"file": (io.BytesIO(b"no such column\n1\n"), "some.csv")}
    text = page(client.post("/file", data=form, headers=BROWSER_HEADERS), 422)
    assert "<li>Line 1: " in text
    assert "is missing" in text
    assert "Choose a CSV file" in page(client.post("/file", headers=BROWSER_HEADERS), 422)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "[1]", "a,b", "a,b\n1", "\ud800", '"', "\0"),
        *("a\rb\n1\r2", f"a\n{'1' * 200_000}"),
    ],
)
def test_a_pasted_text_that_is_not_a_row_is_a_problem(client: FlaskClient, text: str) -> None:
    response = client.post("/row", data={"row": text.encode("utf-8", "surrogatepass")})
    assert response.status_code in (400, 422)
    assert "There " in response.text


def test_a_page_can_show_a_problem_with_a_lone_surrogate(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    for name in ("\ud800", model.contract.features[0].name):
        body = json.dumps({**rows[0], name: "\ud800"})
        assert "There " in page(client.post("/row", data={"row": body}), 422)
        json_type = "application/json"
        page(
            client.post("/predict", data=body, content_type=json_type, headers=BROWSER_HEADERS), 422
        )


def test_a_form_submitted_from_another_site_is_refused(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    typed = field_texts(rows[0])
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://[localhost"},
    ):
        assert client.post("/", data=typed, headers=headers).status_code == 403
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}, {}):
        assert client.post("/", data=typed, headers=headers).status_code == 200


def test_the_example_csv_can_be_predicted(client: FlaskClient, model: Model) -> None:
    response = client.get("/example.csv")
    assert response.mimetype == "text/csv"
    assert f"{model.manifest.name}-example.csv" in response.headers["Content-Disposition"]
    assert "data-answer" in page(client.post("/row", data={"row": response.text}))


def test_an_error_is_a_page_for_browsers_and_problem_json_for_programs(client: FlaskClient) -> None:
    text = page(client.get("/nothing", headers=BROWSER_HEADERS), 404)
    assert re.search(r"<h1>Not Found</h1>", text)
    assert client.get("/nothing").mimetype == "application/problem+json"
