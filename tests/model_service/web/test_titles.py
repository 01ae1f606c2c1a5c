"""Titles of features for people, and the accent colour of the owner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service.contract.contract import Contract, Feature
from model_service.web.accent import DARK_PAPER, LIGHT_PAPER, contrast, readable, stylesheet
from model_service.web.titles import feature_title, feature_titles


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("bill_length_mm", "Bill length (mm)"),
        ("applicant_income", "Applicant income"),
        ("MonthlyCharges", "Monthly charges"),
        ("MedInc", "Med inc"),
        ("LSTAT", "LSTAT"),
        ("thal", "Thal"),
        ("PM2.5", "PM2.5"),
        ("hours-per-week", "Hours per week"),
        ("loan_percent", "Loan (%)"),
        ("percent", "Percent"),
        ("Avg. Area Income", "Avg. area income"),
        ("No. rooms", "No. rooms"),
        ("a._b", "A b"),
        ("sepal length (cm)", "sepal length (cm)"),
        ("日本", "日本"),
        ("__proto__", "__proto__"),
    ],
)
def test_a_title_is_made_from_the_name(name: str, title: str) -> None:
    assert feature_title(Feature(name)) == title


@given(st.text("aB1_.- ", min_size=1))
def test_every_name_has_a_title(name: str) -> None:
    assert feature_title(Feature(name))


def test_the_title_of_the_contract_wins_and_its_unit_is_not_repeated() -> None:
    assert feature_title(Feature("bill_length_mm", title="Bill")) == "Bill"
    assert feature_title(Feature("bill_length_mm", unit="mm")) == "Bill length"


def test_two_features_with_one_title_keep_their_names() -> None:
    contract = Contract((Feature("a_b"), Feature("a.b"), Feature("c")))
    assert feature_titles(contract) == {"a_b": "a_b", "a.b": "a.b", "c": "C"}


colours = st.tuples(*[st.integers(0, 255)] * 3)


@given(colours)
def test_every_accent_is_made_readable(colour: tuple[int, int, int]) -> None:
    for paper in (LIGHT_PAPER, DARK_PAPER):
        assert contrast(readable(colour, paper), paper) >= 4.5


def test_a_readable_accent_stays_as_it_is() -> None:
    assert "--accent: #1b5aa0; --on-accent: #ffffff;" in stylesheet("#1b5aa0")
