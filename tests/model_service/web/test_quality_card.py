"""How well the model predicts, on the model card and in its Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_service.contract.contract import Output
from model_service.model.quality import ClassQuality, NumberQuality, Quality
from model_service.web.app import create_app
from model_service.web.quality_card import quality_entries, quality_plots
from model_service.web.settings import Settings


def test_the_card_shows_what_verify_measured(proven: Path) -> None:
    client = create_app(settings=Settings(model_directory=proven / "model")).test_client()
    page = client.get("/model").text
    assert "<h2>How well it predicts</h2>" in page
    assert "loan_status in 500 rows of the sample, which can be the training data" in page
    assert "<dt>Recall of rejected</dt>" in page
    assert '<th scope="col" class="number">predicted approved</th>' in page
    assert "<h3>Probability of approved</h3>" in page
    assert page.count("<circle") >= 5
    markdown = client.get("/model.md").text
    assert "## How well it predicts" in markdown
    assert "- Accuracy: 83.0 %, 70.6 % if each answer were approved" in markdown


def test_a_model_that_was_not_measured_has_no_such_section(loan: Path) -> None:
    client = create_app(settings=Settings(model_directory=loan / "model")).test_client()
    page = client.get("/model").text
    assert "How well it predicts" not in page
    assert "Truth and prediction" not in page


def test_numbers_have_the_unit_of_the_output() -> None:
    numbers = NumberQuality(28334.3, 198441.0, (-67355.4, -22605.8, 0.0, 19922.9, 60482.6))
    quality, output = Quality("price", 300, "", numbers=numbers), Output(unit="EUR")
    entries = {entry.term: entry.lines for entry in quality_entries(quality, output)}
    assert entries["Mean absolute error"] == (
        "28,334 EUR",
        "198,441 EUR if each answer were the median",
    )
    assert entries["Residuals, prediction less truth"] == (
        "half of the rows: -22,606 to 19,923 EUR, median 0 EUR",
        "nine of ten rows: -67,355 to 60,483 EUR",
    )
    plots = quality_plots(quality, output)
    assert plots is not None
    assert plots.residuals is not None
    assert plots.residuals.places[0] == 0
    assert plots.residuals.places[4] == 100
    assert plots.residuals.zero == pytest.approx(52.7)


def test_many_classes_have_no_table() -> None:
    names = tuple(f"c{number}" for number in range(40))
    confusion = tuple(tuple(int(row == column) for column in range(40)) for row in range(40))
    quality = Quality("kind", 40, "", ClassQuality(names, confusion))
    assert quality_plots(quality, Output()) is None
    entries = quality_entries(quality, Output())
    assert [entry.term for entry in entries[:3]] == ["Compared with", "Accuracy", "Recall of c0"]
    assert len(entries) == 14


def test_a_model_without_errors_has_no_plot_of_them() -> None:
    quality = Quality("y", 30, "", numbers=NumberQuality(0.0, 1.0, (0.0,) * 5))
    plots = quality_plots(quality, Output())
    assert plots is not None
    assert plots.residuals is None
