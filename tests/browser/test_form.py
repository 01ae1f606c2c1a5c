"""The form: predictions, errors, what-if, models with many features, and without JavaScript."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from browser.axe import axe
from browser.conftest import Visit
from browser.serving import Served
from playwright.sync_api import Page, Request, Route, expect

from model_service.contract.golden import differences
from model_service.contract.json_values import json_text


def fill(page: Page, row: dict[str, Any]) -> None:
    """Fill in a row with Playwright's actions, which also work without JavaScript in the page."""
    for number, value in enumerate(row.values(), start=1):
        field = page.locator(f"#f{number}")
        text = "" if value is None else json_text(value)
        if field.locator("legend").count():
            field.locator("input").and_(page.locator(f"[value={json.dumps(text)}]")).check()
        elif field.get_attribute("type") == "checkbox":
            field.set_checked(value)
        elif field.locator("option").count():
            field.select_option(text)
        else:
            expect(field).to_be_visible()
            field.fill(text)


def predict(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator(".waiting")).to_have_count(0)


def answer(page: Page) -> Any:
    """Return the prediction on the page, in the shape of /predict."""
    expect(page.locator("#detail[data-answer]")).to_have_count(1)
    return json.loads(page.locator("#detail").get_attribute("data-answer") or "")


def api_answer(served: Served, page: Page, row: dict[str, Any]) -> Any:
    """Return the answer of /predict to the row, without `model`."""
    response = page.request.post(f"{served.url}/predict", data=row)
    assert response.ok, response.text()
    body = response.json()
    del body["model"]
    return body


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize(
    "served",
    ["loan", "iris", "price", "booking", "text", "targets", "class-targets", "hostile"],
    indirect=True,
)
def test_a_filled_form_gets_the_prediction_of_the_api(
    served: Served, javascript: bool, visit: Visit
) -> None:
    page = visit(served, javascript=javascript)
    row = served.model.rows[0]
    fill(page, row)
    predict(page)
    expected = api_answer(served, page, row)
    assert differences(expected, answer(page)) == []
    verdict = page.locator("#verdict")
    expect(verdict).to_be_in_viewport()
    if served.model.name == "loan":
        assert expected["label"] in verdict.inner_text()
        probability = expected["probabilities"][expected["prediction"]]
        assert f"{100 * probability:.1f} %" in verdict.inner_text()
    if javascript:  # axe-core needs it
        assert axe(page) == []


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_without_javascript_errors_link_to_fields_that_keep_their_text(
    served: Served, visit: Visit, watch: Any
) -> None:
    watch.expect("status of 422")
    page = visit(served, javascript=False)
    page.get_by_label("Applicant income", exact=True).fill("")
    page.get_by_label("Loan term").fill("5.5")
    predict(page)
    assert page.title().startswith("Error: ")
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("There are 2 problems")
    assert page.get_by_label("Loan term").input_value() == "5.5"
    summary.get_by_role("link", name="Loan term must be a whole number").click()
    expect(page.get_by_label("Loan term")).to_be_in_viewport()
    expect(page.get_by_label("Loan term")).to_have_accessible_description(
        re.compile("must be a whole number")
    )


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_a_changed_field_updates_the_prediction_or_shows_its_error(
    served: Served, visit: Visit
) -> None:
    page = visit(served)
    expect(page.locator("#verdict")).to_be_empty()  # nobody has entered anything yet
    predict(page)
    before = answer(page)
    income = page.get_by_label("Applicant income", exact=True)
    income.fill("1500")
    expect(page.locator("#detail")).not_to_have_attribute("data-answer", json.dumps(before))
    assert answer(page) != before
    income.fill("")
    expect(page.get_by_text("must not be empty")).to_be_visible()
    expect(income).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#verdict")).to_contain_text("No answer")
    expect(page.get_by_role("alert")).to_have_count(0)  # the form was not submitted
    predict(page)
    expect(page.get_by_role("alert")).to_be_focused()
    assert axe(page) == []
    income.fill("5000")
    expect(page.get_by_text("must not be empty")).to_have_count(0)
    expect(income).not_to_have_attribute("aria-invalid", "true")
    assert answer(page) == before


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_what_if_varies_one_feature_with_one_request_at_a_time(
    served: Served, visit: Visit
) -> None:
    page = visit(served)
    in_flight, max_in_flight, sweeps = 0, 0, []

    def started(request: Request) -> None:
        nonlocal in_flight, max_in_flight
        if request.method == "POST":
            in_flight += 1
            max_in_flight = max(max_in_flight, in_flight)
            if request.url.endswith("/predict"):
                sweeps.append(json.loads(request.post_data or "")["rows"])

    def ended(request: Request) -> None:
        nonlocal in_flight
        in_flight -= request.method == "POST"

    page.on("request", started)
    page.on("requestfinished", ended)
    predict(page)
    before = answer(page)
    movers = page.locator(".mover")
    expect(movers).to_have_count(5)
    # It starts at the feature that moves this answer most.
    most = movers.first.locator("span").first.inner_text()
    expect(page.get_by_role("img", name=re.compile(f"along {most}"))).to_be_visible()
    change = page.get_by_label("Change", exact=True)
    change.select_option("Loan amount")
    expect(page.get_by_role("img", name=re.compile("along Loan amount"))).to_be_visible()
    rows = sweeps[-1]
    amounts = [row.pop("loan_amount") for row in rows]
    assert amounts == sorted(set(amounts))
    assert (amounts[0], amounts[-1]) == (20000, 1000000)
    assert all(row == rows[0] for row in rows)
    count = len(sweeps)
    slider = page.get_by_role("slider")
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(page.get_by_role("spinbutton", name="Loan amount")).to_have_value("210000")
    expect(page.locator("#detail")).not_to_have_attribute("data-answer", json.dumps(before))
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^210,000 → \d+\.\d %$"))
    assert len(sweeps) == count  # only the mark on the line moves
    # A category has bars instead of a line.
    change.select_option("Property area")
    expect(page.locator("#plot dt")).to_have_text(["Rural", "Semiurban", "Urban"])
    assert max_in_flight == 1
    assert axe(page) == []


@pytest.mark.parametrize("served", ["clusters"], indirect=True)
def test_clusters_are_bands_and_not_a_line(served: Served, visit: Visit) -> None:
    page = visit(served, "/?example=1")
    expect(page.locator("#plot .band").first).to_be_visible()
    expect(page.locator("#plot .line")).to_have_count(0)
    assert axe(page) == []


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("served", ["penguins"], indirect=True)
def test_open_categories_are_choices_with_another_one(
    served: Served, javascript: bool, visit: Visit
) -> None:
    page = visit(served, "/?example=1", javascript=javascript)
    island = page.get_by_role("group", name="Island")
    for name in ("Biscoe", "Dream", "Torgersen"):
        expect(island.get_by_label(name)).to_be_visible()
    typed = island.get_by_role("textbox")
    if javascript:
        expect(typed).to_be_hidden()
        island.get_by_label("other …").check()
        expect(typed).to_be_focused()
    typed.fill("Atlantis")
    predict(page)
    assert json.loads(page.locator("#detail").get_attribute("data-row") or "")["island"] == (
        "Atlantis"
    )
    if javascript:
        island.get_by_label("Dream").check()
        expect(typed).to_be_hidden()
        expect(page.locator("#detail")).to_have_attribute("data-row", re.compile("Dream"))
        assert axe(page) == []


@pytest.mark.parametrize("served", ["wide-200", "wide-1000"], indirect=True)
def test_a_feature_among_hundreds_is_found_by_name(served: Served, visit: Visit) -> None:
    page = visit(served, "/?example=1")
    names = [name.capitalize() for name in served.model.frame.columns]
    page.get_by_label("Find a feature").fill(names[-1].upper())
    expect(page.get_by_label(names[-1], exact=True)).to_be_visible()
    expect(page.get_by_label(names[0], exact=True)).to_be_hidden()
    expect(page.get_by_text(f"1 of {len(names)} features.")).to_be_visible()
    page.get_by_label(names[-1], exact=True).fill("no number")
    expect(page.locator("#verdict")).to_contain_text("No answer")
    page.get_by_label(names[-1], exact=True).fill("1")
    answer(page)


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("served", ["loan", "wide-1000", "hostile"], indirect=True)
def test_a_pasted_row_fills_the_form(served: Served, javascript: bool, visit: Visit) -> None:
    page = visit(served, javascript=javascript)
    row = served.model.rows[1]
    page.get_by_text("Paste a row").click()
    page.get_by_label("The row").fill(json.dumps(row))
    page.get_by_role("button", name="Fill in and predict").click()
    assert differences(api_answer(served, page, row), answer(page)) == []


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_the_form_works_with_the_keyboard(served: Served, visit: Visit) -> None:
    page = visit(served)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Applicant income", exact=True)).to_be_focused()
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    expect(page.locator(".waiting")).to_have_count(0)
    expect(page.locator("#verdict p")).to_be_visible()


@pytest.mark.parametrize("served", ["loan"], indirect=True)
@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("text/html", "<h1>Application error</h1>", "The service did not answer"),
        ("application/problem+json", '{"title": "Not ready", "detail": "It lies"}', "Not ready"),
    ],
)
def test_a_failed_request_removes_the_prediction(
    served: Served, content_type: str, body: str, message: str, visit: Visit, watch: Any
) -> None:
    watch.expect("status of 503")
    page = visit(served, "/?example=1")
    expect(page.get_by_role("heading", name="What if")).to_be_visible()
    failure = {"status": 503, "content_type": content_type, "body": body}
    page.route("**/?part=answer", lambda route: route.fulfill(**failure))
    income = page.get_by_label("Applicant income", exact=True)
    income.fill("1500")
    expect(page.get_by_role("alert")).to_contain_text(message)
    expect(income).to_be_focused()
    expect(page.locator("#verdict")).to_be_empty()
    expect(page.get_by_role("heading", name="What if")).to_be_hidden()
    page.unroute("**/?part=answer")
    income.fill("1600")
    answer(page)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_the_problems_of_a_pasted_row_stay_on_the_page(
    served: Served, visit: Visit, watch: Any
) -> None:
    watch.expect("status of 422")
    page = visit(served)
    page.get_by_text("Paste a row").click()
    page.get_by_label("The row").fill(json.dumps({**served.model.rows[0], "loan_term": 5.5}))
    with page.expect_navigation():
        page.get_by_role("button", name="Fill in and predict").click()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("alert")).to_contain_text("Loan term must be a whole number")
    expect(page.get_by_label("Loan term")).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_what_if_waits_for_its_last_request(served: Served, visit: Visit) -> None:
    page = visit(served, "/?example=1")
    plot = page.locator("#plot")
    expect(plot.get_by_role("img")).to_be_visible()
    sweeps: list[Route] = []

    def hold_first_request(route: Route) -> None:
        sweeps.append(route)
        if len(sweeps) > 1:
            route.continue_()

    page.route("**/predict", hold_first_request)
    along = page.get_by_label("Change", exact=True)
    with page.expect_request("**/predict"):
        along.select_option("Self employed")
    along.select_option("Coapplicant income")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert len(sweeps) == 1
    sweeps[0].continue_()
    expect(plot.get_by_role("img", name=re.compile("along Coapplicant income"))).to_be_visible()


@pytest.mark.parametrize("served", ["wide-200"], indirect=True)
def test_a_search_hides_groups_without_a_match(served: Served, visit: Visit, watch: Any) -> None:
    watch.expect("status of 422")
    page = visit(served)
    names = [name.capitalize() for name in served.model.frame.columns]
    page.get_by_text("Paste a row").click()
    page.get_by_label("The row").fill(json.dumps({served.model.frame.columns[1]: 1}))
    with page.expect_navigation():
        page.get_by_role("button", name="Fill in and predict").click()
    page.get_by_label("Find a feature").fill(names[-1])
    expect(page.get_by_text("Features 1 to 50")).to_be_hidden()
    expect(page.get_by_label(names[-1], exact=True)).to_be_visible()
