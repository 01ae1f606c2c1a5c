"""The owner's part of the model card, and the card as Hugging Face takes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import TEMPLATE
from first_try.runner import training_environment
from flask.testing import FlaskClient

from model_service.web.app import create_app
from model_service.web.card_text import CardText, parse_card
from model_service.web.settings import Settings

CHECK = """\
import sys
from huggingface_hub import ModelCard
card = ModelCard(sys.stdin.read())
print(card.data.library_name, card.data.pipeline_tag)
"""


def loan_client(project: Path) -> FlaskClient:
    return create_app(settings=Settings(model_directory=project / "model")).test_client()


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("", []),
        ("One line\nof text.", [CardText("", ("One line of text.",))]),
        ("## Limits\n\n<!-- say\nwhere -->\n", []),
        (
            "## Data\nFrom 2024.\n\n- 614 rows\n- one region,\n  the north\n\nNo licence.",
            [
                CardText(
                    "Data", ("From 2024.", ("614 rows", "one region, the north"), "No licence.")
                )
            ],
        ),
        ("# <script>\n* <b>", [CardText("<script>", (("<b>",),))]),
    ],
)
def test_headings_paragraphs_and_lists_are_read(text: str, sections: list[CardText]) -> None:
    assert parse_card(text) == sections


def test_the_template_of_a_project_shows_nothing_before_it_is_filled_in() -> None:
    text = (TEMPLATE / "model" / "card.md").read_text(encoding="utf-8")
    assert "## Limits" in text
    assert parse_card(text) == []


def test_the_page_and_the_file_hold_the_text_of_the_owner(loan_copy: Path) -> None:
    card = loan_copy / "model" / "card.md"
    card.write_text("## Limits\n\nNot for <businesses>.\n", encoding="utf-8")
    client = loan_client(loan_copy)
    assert "<h2>Limits</h2>" in client.get("/model").text
    assert "Not for &lt;businesses&gt;." in client.get("/model").text
    text = client.get("/model.md").text
    assert text.startswith('---\nmodel_name: "Loan approval"\nlibrary_name: "sklearn"\n')
    assert "## Limits\n\nNot for <businesses>.\n" in text


@pytest.mark.slow
@pytest.mark.heavy
def test_hugging_face_reads_the_front_matter(loan_copy: Path) -> None:
    python = training_environment(["huggingface_hub==2.4.0"], "3.11")
    text = loan_client(loan_copy).get("/model.md").text
    output = subprocess.check_output([python, "-c", CHECK], input=text, text=True)
    assert output.split() == ["sklearn", "tabular-classification"]
