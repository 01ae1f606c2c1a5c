"""Uploading a CSV: the predictions, the summary and the errors."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from browser.axe import axe
from browser.conftest import Visit
from browser.serving import Served
from browser.watch import Watch
from playwright.sync_api import Page, expect


def upload(page: Page, path: Path, *, keep: bool = False) -> None:
    page.get_by_label("CSV file").set_input_files(path)
    if keep:
        page.get_by_label("predict the others").check()
    page.get_by_role("button", name="Predict the file").click()


def downloaded(page: Page) -> pd.DataFrame:
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the predictions").click()
    assert download.value.suggested_filename == "rows-predictions.csv"
    return pd.read_csv(download.value.path(), keep_default_na=False, dtype=str)


def api_csv(served: Served, page: Page, path: Path, query: str = "") -> pd.DataFrame:
    """Return the answer of /predict to the file."""
    headers = {"Content-Type": "text/csv"}
    url = f"{served.url}/predict{query}"
    response = page.request.post(url, headers=headers, data=path.read_bytes())
    assert response.ok, response.text()
    return pd.read_csv(io.StringIO(response.text()), keep_default_na=False, dtype=str)


@pytest.mark.parametrize(
    "served", ["loan", "price", "booking", "wide-200", "class-targets", "hostile"], indirect=True
)
def test_the_download_has_the_predictions_of_the_api(
    served: Served, tmp_path: Path, visit: Visit
) -> None:
    path = tmp_path / "rows.csv"
    served.model.frame.head(20).to_csv(path, index=False)
    page = visit(served)
    upload(page, path)
    rows = min(20, len(served.model.frame))
    expect(page.get_by_role("heading", name=f"{rows} rows")).to_be_visible()
    pd.testing.assert_frame_equal(downloaded(page), api_csv(served, page, path))
    first = page.locator("#batch-result th").first
    assert first.inner_text().startswith("prediction")
    assert axe(page) == []


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_the_summary_counts_the_classes(served: Served, tmp_path: Path, visit: Visit) -> None:
    path = tmp_path / "rows.csv"
    frame = pd.concat([served.model.frame] * 10)
    frame.to_csv(path, index=False)
    page = visit(served, width=390)
    upload(page, path)
    expect(page.get_by_role("heading", name=f"{len(frame):,} rows")).to_be_visible()
    counts = api_csv(served, page, path)["label"].value_counts()
    for label, count in counts.items():
        expect(page.locator("#batch-result dt", has_text=f"{label} ({count:,})")).to_be_visible()


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_invalid_rows_are_listed_by_line_or_kept_with_their_errors(
    served: Served, tmp_path: Path, visit: Visit, watch: Watch
) -> None:
    path = tmp_path / "rows.csv"
    frame = served.model.frame.head(10).astype(object).reset_index(drop=True)
    frame.loc[3, "applicant_income"] = "lots"
    frame.loc[7, "property_area"] = "urban"
    frame.to_csv(path, index=False)
    page = visit(served)
    watch.expect("status of 422")
    upload(page, path)
    expect(
        page.get_by_text('Line 5: applicant_income must be a number, not "lots"')
    ).to_be_visible()
    expect(page.get_by_text("did you mean Urban?")).to_be_visible()
    expect(page.get_by_role("link", name="Download the predictions")).to_have_count(0)
    upload(page, path, keep=True)
    expect(page.get_by_text("2 of them do not fit")).to_be_visible()
    found = downloaded(page)
    assert list(found.index[found["error"] != ""]) == [3, 7]
    assert (found["prediction"] == "").tolist() == (found["error"] != "").tolist()


DROP = """([name, text]) => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([text], name, { type: "text/csv" }));
  const event = { bubbles: true, cancelable: true, dataTransfer: dropped };
  document.querySelector("#batch h2").dispatchEvent(new DragEvent("drop", event));
}"""


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_a_dropped_file_is_predicted_and_its_problems_are_brought_into_view(
    served: Served, visit: Visit, watch: Watch
) -> None:
    page = visit(served)
    page.evaluate(DROP, ["good.csv", served.model.frame.head(3).to_csv(index=False)])
    expect(page.get_by_role("heading", name="3 rows")).to_be_visible()
    expect(page.get_by_role("columnheader", name="probability of approved")).to_be_visible()
    watch.expect("status of 422")
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(DROP, ["bad.csv", "a\n1\n"])
    heading = page.get_by_role("heading", name="bad.csv: ")
    expect(heading).to_be_in_viewport()
    assert axe(page) == []


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_the_example_csv_can_be_uploaded(served: Served, tmp_path: Path, visit: Visit) -> None:
    page = visit(served)
    with page.expect_download() as download:
        page.get_by_role("link", name="Start from an example.").click()
    path = tmp_path / "rows.csv"
    download.value.save_as(path)
    upload(page, path)
    expect(page.get_by_role("heading", name="5 rows")).to_be_visible()


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_without_javascript_the_answer_is_a_download_or_an_error_page(
    served: Served, tmp_path: Path, visit: Visit, watch: Watch
) -> None:
    path = tmp_path / "rows.csv"
    served.model.frame.head(5).to_csv(path, index=False)
    page = visit(served, javascript=False)
    with page.expect_download() as download:
        upload(page, path)
    assert download.value.suggested_filename.endswith("-predictions.csv")
    path.write_text("a\n1\n")
    watch.expect("status of 422")
    upload(page, path)
    expect(page.get_by_text("Line 1: applicant_income is missing")).to_be_visible()


@pytest.mark.parametrize("served", ["loan"], indirect=True)
def test_an_error_page_of_the_router_is_no_answer(
    served: Served, tmp_path: Path, visit: Visit, watch: Watch
) -> None:
    watch.expect("status of 503")
    path = tmp_path / "rows.csv"
    served.model.frame.to_csv(path, index=False)
    page = visit(served)
    page.route("**/predict?*", lambda route: route.fulfill(status=503, body="<h1>Sorry</h1>"))
    upload(page, path)
    expect(page.locator("#batch-result")).to_have_text("The service did not answer. Try again.")
