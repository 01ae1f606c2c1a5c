"""First tries with a CSV as people have it: beside the model, never prepared for a service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from first_try.runner import again, assert_native, first_try, trained

pytestmark = [pytest.mark.slow, pytest.mark.heavy]
PINS = ("scikit-learn==1.6.1", "pandas==2.2.3")


@dataclass(frozen=True)
class Case:
    """A training script, the answers, and words that the first try prints."""

    sample: str
    says: tuple[str, ...] = ()
    refuses: bool = False  # the last line of the refusal is the command that works
    answers: dict[str, str] = field(default_factory=dict)
    pins: tuple[str, ...] = PINS


CASES = {
    "dummies_of_names": Case(
        "train.csv",
        ("are made of surname", "are made of country; all of them are 0 for DE"),
        pins=("scikit-learn==1.5.2", "xgboost==2.1.1", "pandas==2.2.3"),
    ),
    "churn_blanks": Case("telco.csv", ("3 of its 400 cells are none (' ')",)),
    "names_of_the_service": Case("train.csv", answers={"model_path": "model.joblib"}),
    "spam_csv": Case(
        "spam.csv",
        ("3 columns of spam.csv without a name", "The texts are the column v2 of spam.csv."),
        answers={"transformers": "vectorizer.pkl"},
    ),
    "titanic_dummies": Case("train.csv", ("male is made of Sex; all of them are 0 for female",)),
    "car_prices": Case("cars.csv", ("$45,273 is read as 45273",)),
    "heart_arrays": Case("heart.csv", ("target of heart.csv is what the model predicts",)),
    "insurance": Case("insurance.csv", ("sex of insurance.csv is text",), refuses=True),
    "german_report": Case("miete.csv", ("The first 2 lines of miete.csv", "is read as 4252.64")),
    "reviews": Case("reviews.csv", ("The texts are the column review",)),
    "cells_of_tumours": Case("wdbc.csv", ("counts its rows: left out", "cells are none ('?')")),
    "excel_unicode": Case("kunden.txt", ("No is 0 and Yes is 1",)),
    "columns_list": Case("homes.csv", answers={"features": "columns.json"}),
    "sonar_without_names": Case(
        "sonar.csv",
        ("6 of sonar.csv is what the model predicts, so it is no feature.",),
        answers={"model_path": "finalized_model.sav"},
    ),
    "fires_and_places": Case(
        "Forest_fire.csv", ("3 of them are numbers: if these are the model's",), refuses=True
    ),
    "renamed_columns": Case("cars.csv", ("mileage_km is Mileage (km), year is Year",)),
    "log_price_unsaid": Case("homes.csv", ('With "transform": "expm1" they are off by',)),
    "locations_dropped": Case("homes.csv", ("all 0 for Whitefield",), refuses=True),
    "chosen_columns": Case("kc.csv", ("Left out: id, sqft_lot, zipcode.",), refuses=True),
    "locations_listed": Case(
        "homes.csv",
        ("all are 0 for Layout 1",),
        refuses=True,
        answers={"model_path": "model.pickle"},
    ),
    "loan_id_encoded": Case(
        "train.csv", ("600 different texts", "Gender: Female is 0, Male is 1"), refuses=True
    ),
    "name_frequencies": Case(
        "cars.csv", ("the share of the rows that have the same text",), refuses=True
    ),
    "interest_rates": Case("loans.csv", ("int_rate", "has percentages such as"), refuses=True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_csv_as_it_is(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    folder = trained(tmp_path, f"{name}.py", case.pins)
    answers = {"model_path": "model.pkl", "sample_data": case.sample, **case.answers}
    tried = first_try(folder, **answers)
    assert tried.refused is case.refuses, tried.output
    for words in case.says:
        assert words in tried.output
    if case.refuses:
        tried = again(tried)
    assert_native(tried.project, folder)


def test_an_index_without_a_name_is_left_out(tmp_path: Path) -> None:
    folder = trained(tmp_path, "spam_csv.py", PINS)
    tried = first_try(folder, model_path="fare.pkl", sample_data="fare.csv")
    assert "2 features" in tried.last_line
