"""The pages: the form without JavaScript, and what holds for every page."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from model_service.contract.contract import Contract, Feature
from model_service.contract.golden import Golden
from model_service.contract.snippets import csv_text
from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.form import field_texts
from workbench.selftest.responses import Elements, page

BROWSER_HEADERS = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("route", ["/", "/?example=1", "/model"])
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


def test_a_form_with_many_fields_keeps_its_hints(model: Model) -> None:
    ranged = [Feature(f"f {n}", minimum=0, maximum=9, nullable=True) for n in range(40)]
    described = [Feature(f"d {n}", description=f"About {n}", unit="kg") for n in range(40)]
    manifest = replace(model.manifest, transformers=(), verified=False)
    app = create_app(Model(None, Contract((*ranged, *described)), manifest))
    text = page(app.test_client().get("/"))
    assert text.count('placeholder="0 to 9"') == 40
    assert text.count('<span class="optional">') == 40
    assert all(f"About {n}. In kg." in text for n in range(40))


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


def test_an_error_is_a_page_for_browsers_and_problem_json_for_programs(client: FlaskClient) -> None:
    text = page(client.get("/nothing", headers=BROWSER_HEADERS), 404)
    assert "<h1>There is no such page</h1>" in text
    response = client.get("/nothing")
    assert response.mimetype == "application/problem+json"
    assert json.loads(response.text)["title"] == "Not Found"


def test_a_defect_is_reported_with_the_number_of_its_traceback(
    model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(model)
    monkeypatch.setitem(app.view_functions, "pages.card", lambda: 1 // 0)
    response = app.test_client().get("/model", headers=BROWSER_HEADERS)
    text = page(response, 500)
    assert "<h1>Something went wrong</h1>" in text
    assert "Zero" not in text
    assert response.headers["X-Request-ID"] in text
    assert response.headers["X-Request-ID"] in caplog.text


NOT_READY = "The model does not reproduce its recorded predictions"


@pytest.fixture
def updating(model: Model, rows: list[dict[str, Any]]) -> FlaskClient:
    """A client of a service whose model gives other predictions than the recorded ones."""
    golden = Golden(rows[:1], [{"prediction": "something else"}])
    return create_app(
        Model(model.estimator, model.contract, model.manifest, golden, model.prepare, model.stages)
    ).test_client()


@pytest.mark.parametrize("headers", [BROWSER_HEADERS, {}], ids=["browser", "script"])
@pytest.mark.parametrize(
    ("method", "route"),
    [("GET", "/"), ("GET", "/?example=1"), ("POST", "/"), ("POST", "/row"), ("POST", "/file")],
)
def test_people_read_that_a_service_is_being_updated_and_not_why(
    updating: FlaskClient,
    rows: list[dict[str, Any]],
    method: str,
    route: str,
    headers: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    forms: dict[str, dict[str, Any]] = {
        "/row": {"row": json.dumps(rows[0])},
        "/file": {"file": (io.BytesIO(csv_text(rows[:1]).encode()), "rows.csv")},
    }
    form = forms.get(route, field_texts(rows[0])) if method == "POST" else None
    response = updating.open(route, method=method, data=form, headers=headers)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "60"
    assert "This service is being updated" in response.text
    assert NOT_READY not in response.text
    assert NOT_READY in caplog.text


def test_the_owner_reads_why_a_service_is_not_ready_in_a_browser_too(updating: FlaskClient) -> None:
    for headers in (BROWSER_HEADERS, {}):
        response = updating.get("/ready", headers=headers)
        assert response.status_code == 503
        assert NOT_READY in response.text
