"""The pages: the form without a script, and what is true of every page."""

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
from model_service.web.form import texts_of

PAGES = ["/", "/?example=1"]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


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
    assert response.status_code == status, response.text
    assert response.mimetype == "text/html"
    return response.text


@pytest.mark.parametrize("route", [*PAGES, "/model"])
def test_a_page_needs_nothing_inline_and_no_other_host(client: FlaskClient, route: str) -> None:
    response = client.get(route)
    elements = Elements(page(response))
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, attributes in elements.found:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        address = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if address:
            assert address.startswith("/")
            with client.get(address) as asset:
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


def test_the_form_gives_the_answer_of_predict_and_keeps_what_was_typed(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    for row in rows[:5]:
        native = client.post("/predict", json=row).json
        assert native is not None
        del native["model"]
        text = page(client.post("/", data=texts_of(row)))
        (detail,) = [e for e in Elements(text).named("section") if e.get("id") == "detail"]
        assert json.loads(detail["data-answer"] or "") == native
        assert json.loads(detail["data-row"] or "") == row
        assert "There is a problem" not in text


def test_a_wide_model_keeps_its_hints(model: Model) -> None:
    known = [Feature(f"f {n}", minimum=0, maximum=9, nullable=True) for n in range(40)]
    described = [Feature(f"d {n}", description=f"About {n}", unit="kg") for n in range(40)]
    manifest = replace(model.manifest, transformers=(), verified=False)
    app = create_app(Model(None, Contract((*known, *described)), manifest))
    text = page(app.test_client().get("/"))
    assert text.count('placeholder="0 to 9, empty if unknown"') == 40
    assert all(f"About {n}. In kg." in text for n in range(40))


def test_a_browser_may_change_the_line_breaks_of_a_name(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    typed = {re.sub("\r\n?|\n", "\r\n", name): text for name, text in texts_of(rows[0]).items()}
    assert "data-answer" in page(client.post("/", data=typed))


def test_a_part_of_a_form_may_have_no_name(client: FlaskClient) -> None:
    body = b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--"
    page(client.post("/", data=body, content_type="multipart/form-data; boundary=x"), 422)


def test_a_script_gets_only_what_changes(client: FlaskClient, rows: list[dict[str, Any]]) -> None:
    text = page(client.post("/?part=answer", data=texts_of(rows[0])))
    assert [e.get("id") for e in Elements(text).named("section")] == [
        *("problems", "verdict", "detail")
    ]
    assert "<html" not in text
    assert "There " in page(client.post("/?part=answer", data={}))


def test_what_is_wrong_is_said_on_top_and_beside_the_field(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    feature = model.contract.features[-1]
    typed = texts_of(rows[0])
    del typed[feature.name]
    text = page(client.post("/", data=typed), 422)
    number = len(model.contract.features)
    assert f"#f{number}" in [link.get("href") for link in Elements(text).named("a")]
    assert f"{escape(feature.name)} is missing</a>" in text
    assert f'id="f{number}-error"' in text
    assert "no such feature unknown feature" in page(
        client.post("/", data={**texts_of(rows[0]), "no such feature": "1"}), 422
    )


def test_a_pasted_row_is_filled_in_and_answered(
    client: FlaskClient, rows: list[dict[str, Any]]
) -> None:
    row, typed = rows[0], texts_of(rows[0])
    texts = [json.dumps(row), json.dumps({"rows": [row]})]
    for delimiter in ",;\t":
        pasted = io.StringIO(newline="")
        csv.writer(pasted, delimiter=delimiter).writerows([typed, typed.values()])
        texts.append(pasted.getvalue())
    for text in texts:
        answered = page(client.post("/row", data={"row": text}))
        (detail,) = [e for e in Elements(answered).named("section") if e.get("id") == "detail"]
        assert json.loads(detail["data-row"] or "") == row


@pytest.mark.parametrize("on_error", ["refuse", "keep"])
def test_without_a_script_a_file_comes_back_with_predictions(
    client: FlaskClient, on_error: str
) -> None:
    content = client.get("/example.csv").data
    form = {"file": (io.BytesIO(content), "some.csv"), "on_error": on_error}
    response = client.post("/file", data=form, buffered=True)
    assert response.status_code == 200, response.text
    sent = client.post(f"/predict?on_error={on_error}", data=content, content_type="text/csv")
    assert response.data == sent.data
    assert "attachment" in response.headers["Content-Disposition"]


def test_a_file_that_does_not_fit_is_a_page_of_what_is_wrong(client: FlaskClient) -> None:
    form = {"file": (io.BytesIO(b"no such column\n1\n"), "some.csv")}
    text = page(client.post("/file", data=form, headers=BROWSER), 422)
    assert "<li>Line 1: " in text
    assert "is missing" in text
    assert "Choose a CSV file" in page(client.post("/file", headers=BROWSER), 422)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "[1]", "a,b", "a,b\n1", "\ud800", '"', "\0"),
        *("a\rb\n1\r2", f"a\n{'1' * 200_000}"),
    ],
)
def test_what_is_no_row_is_said_and_kept(client: FlaskClient, text: str) -> None:
    response = client.post("/row", data={"row": text.encode("utf-8", "surrogatepass")})
    assert response.status_code in (400, 422)
    assert "There " in response.text


def test_half_a_character_is_a_problem_that_a_page_can_show(
    client: FlaskClient, model: Model, rows: list[dict[str, Any]]
) -> None:
    for name in ("\ud800", model.contract.features[0].name):
        body = json.dumps({**rows[0], name: "\ud800"})
        assert "There " in page(client.post("/row", data={"row": body}), 422)
        json_type = "application/json"
        page(client.post("/predict", data=body, content_type=json_type, headers=BROWSER), 422)


def test_a_form_of_another_site_is_refused(client: FlaskClient, rows: list[dict[str, Any]]) -> None:
    typed = texts_of(rows[0])
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


def test_the_example_file_has_rows_that_the_model_takes(client: FlaskClient, model: Model) -> None:
    response = client.get("/example.csv")
    assert response.mimetype == "text/csv"
    assert f"{model.manifest.about.name}-example.csv" in response.headers["Content-Disposition"]
    answered = page(client.post("/row", data={"row": response.text}))
    assert "data-answer" in answered


def test_a_browser_gets_errors_as_pages_and_a_program_as_problems(client: FlaskClient) -> None:
    text = page(client.get("/nothing", headers=BROWSER), 404)
    assert re.search(r"<h1>Not Found</h1>", text)
    assert client.get("/nothing").mimetype == "application/problem+json"
