"""The pictures of the documentation: what each shows, and where it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from browser.models import Adopted
from conftest import ROOT
from playwright.sync_api import Page, expect

FOLDER = "docs/images"
MAX_BYTES = 150_000
CSV_ROWS = 5000

Prepare = Callable[[Page, Adopted, Path], None]


def picture_path(name: str) -> Path:
    """Return where the picture of a name is kept."""
    return ROOT / FOLDER / f"{name}.png"


def show_top(page: Page) -> None:
    """Scroll to the beginning, with no ring around what has the focus."""
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")


def predict(page: Page, model: Adopted, folder: Path) -> None:
    """Ask for the answer to the example that the form is filled in with."""
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#verdict p")).not_to_have_count(0)
    expect(page.locator("#plot svg")).to_be_visible()
    show_top(page)


def ask_why(page: Page, model: Adopted, folder: Path) -> None:
    """Ask for the answer, and open its explanation."""
    predict(page, model, folder)
    page.get_by_text("Why?", exact=True).click()
    show_top(page)


def mistype(page: Page, model: Adopted, folder: Path) -> None:
    """Type a number that the sample does not know."""
    page.get_by_role("spinbutton", name="Bill length (mm)").fill("391")
    predict(page, model, folder)


def upload(page: Page, model: Adopted, folder: Path) -> None:
    """Predict a file of many rows."""
    rows = model.frame.sample(CSV_ROWS, replace=True, random_state=0)
    rows.to_csv(folder / "flats.csv", index=False)
    page.get_by_label("CSV file").set_input_files(folder / "flats.csv")
    page.get_by_role("button", name="Predict the file").click()
    expect(page.get_by_role("link", name="Download the predictions")).to_be_visible()
    page.locator("#batch-result").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#batch h2').scrollIntoView()")


def show_quality(page: Page, model: Adopted, folder: Path) -> None:
    """Scroll the model card to the truth beside the predictions."""
    page.get_by_role("heading", name="Truth and prediction").evaluate("h => h.scrollIntoView()")


def nothing(page: Page, model: Adopted, folder: Path) -> None:
    """Show the page as it opens."""


@dataclass(frozen=True)
class Picture:
    """A page of a model in a window of a size, after something was done in it."""

    model: str
    path: str
    prepare: Prepare
    width: int = 1280
    height: int = 860
    dark: bool = False


PICTURES: Mapping[str, Picture] = {
    "form": Picture("loan", "/?example=1", ask_why, width=1120, height=740),
    "phone": Picture("price", "/?example=1", predict, width=390, height=844, dark=True),
    "warning": Picture("penguins", "/?example=1", mistype, height=700),
    "csv": Picture("price", "/", upload, height=900),
    "model-card": Picture("loan", "/model", show_quality, height=1000),
    "api": Picture("loan", "/docs", nothing, height=1000),
}
