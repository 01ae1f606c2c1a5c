"""The profile: what is published of the sample, and that it is never wrong and never a person's."""

from __future__ import annotations

import datetime
import json
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLE, PYTHON
from hypothesis import given
from hypothesis import strategies as st

from model_service.contract.profile import Profile, read_profiles
from model_service.contract.schema import parse_contract
from model_service.model.manifest import Manifest
from workbench.adopt.answers import Answers
from workbench.adopt.csv.profiles import of_dates, of_numbers, profiles
from workbench.adopt.csv.sample import MAX_ROWS, read_sample
from workbench.adopt.decide import decide

RANDOM = random.Random(0)
NORMAL = [str(round(RANDOM.gauss(50, 10), 1)) for _ in range(1000)]
PARITY = ["even", "odd"]


def entries(found: Mapping[str, Profile]) -> list[dict[str, Any]]:
    """Return profiles as the manifest has them."""
    return [one.to_json() for one in found.values()]


def profile(folder: Path, cells: list[Any], **feature: Any) -> dict[str, Any]:
    """Return the profile of one column without its name and type."""
    path = folder / "sample.csv"
    path.write_text("\n".join(["x,y", *(f"{cell},1" for cell in cells)]))
    contract = parse_contract({"features": [{"name": "x", **feature}]})
    (found,) = entries(profiles(contract, read_sample(path), {}))
    assert (found.pop("name"), found.pop("type")) == ("x", contract.features[0].type)
    return found


NUMBER, INTEGER, BOOLEAN, DATE = ({"type": t} for t in ("number", "integer", "boolean", "date"))
PARTS = {"type": "category", "categories": ["a", "b"]}
CODES = {**PARTS, "encode": {"a": 0, "b": 1}}


@pytest.mark.parametrize(
    ("feature", "cells", "expected"),
    [
        pytest.param(
            NUMBER,
            [*(n + 0.5 for n in range(40)), *[""] * 10],
            {"missing": 0.2, "start": 0, "step": 2, "shares": [0.05] * 20},
            id="numbers",
        ),
        pytest.param(
            NUMBER,
            [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
            {"missing": 0, "start": 0.1, "step": 0.05, "shares": [0.1, 0] * 8 + [0.1, 0.1]},
            id="on the limits of the bins",
        ),
        pytest.param(
            INTEGER,
            [*[0] * 6, *[1] * 3, 3],
            {"missing": 0, "values": [0, 1, 2, 3], "shares": [0.6, 0.3, 0, 0.1]},
            id="few whole numbers",
        ),
        pytest.param(
            INTEGER,
            range(100),
            {"missing": 0, "start": 0, "step": 5, "shares": [0.05] * 20},
            id="many whole numbers",
        ),
        pytest.param(
            PARTS,
            [*["b"] * 8, *["a"] * 4, "c", *["NA"] * 2],
            {"missing": 0.133, "values": ["a", "b"], "shares": [0.33, 0.67]},
            id="categories, and one that the contract does not have",
        ),
        pytest.param(
            {**PARTS, "strict": False},
            [*["b"] * 6, *["a"] * 3, "a name"],
            {"missing": 0, "values": ["a", "b"], "shares": [0.3, 0.6]},
            id="categories, and one more that the model takes",
        ),
        pytest.param(
            CODES,
            [*[0] * 5, *[1] * 15],
            {"missing": 0, "values": ["a", "b"], "shares": [0.25, 0.75]},
            id="codes of categories",
        ),
        pytest.param(
            {"type": "category", "categories": [1, 2.5]},
            [*["1"] * 5, *["1.0"] * 5, *["2.50"] * 10],
            {"missing": 0, "values": [1, 2.5], "shares": [0.5, 0.5]},
            id="numbers that are categories",
        ),
        pytest.param(
            BOOLEAN,
            [*["True"] * 3, *["false"] * 7, *["null"] * 10],
            {"missing": 0.5, "values": [False, True], "shares": [0.7, 0.3]},
            id="booleans",
        ),
        pytest.param(
            DATE,
            [f"{year}-0{month}-15 00:00:00" for year in (2023, 2024) for month in range(1, 6)],
            {
                "missing": 0,
                "values": [f"2023-{month:02}" for month in range(1, 13)]
                + [f"2024-{month:02}" for month in range(1, 6)],
                "shares": [0.1] * 5 + [0] * 7 + [0.1] * 5,
            },
            id="dates",
        ),
        pytest.param(NUMBER, [0.5] * 10, {"missing": 0, "values": [0.5], "shares": [1]}, id="same"),
        pytest.param(NUMBER, [""] * 10, {"missing": 1}, id="all missing"),
        pytest.param(NUMBER, [5], {"missing": 0}, id="one row"),
        pytest.param(NUMBER, [*[""] * 90, *range(9)], {"missing": 0.909}, id="nine people"),
        pytest.param(NUMBER, ["tall"] * 10, {"missing": 0}, id="no numbers"),
        pytest.param(
            NUMBER,
            ["1e308", "-1e308"] * 5,
            {"missing": 0, "start": -1e308, "step": 1e307, "shares": [0.5, *[0] * 18, 0.5]},
            id="huge",
        ),
        pytest.param(NUMBER, ["1.7e308", "-1.7e308"] * 5, {"missing": 0}, id="at the end"),
        pytest.param(NUMBER, ["0", "5e-324"] * 5, {"missing": 0}, id="at the other end"),
        pytest.param(NUMBER, ["1e999"] * 10, {"missing": 0}, id="infinite"),
        pytest.param({"type": "text"}, ["Ada", ""] * 10, {"missing": 0.5}, id="text"),
        pytest.param({"type": "category"}, ["Ada", "Bob"] * 10, {"missing": 0}, id="any text"),
    ],
)
def test_a_column(
    feature: dict[str, Any], cells: list[Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    assert profile(tmp_path, cells, **feature, nullable=True) == expected


def test_dummy_columns_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("\n".join(["n,u,v", *["1,1,0"] * 4, *["1,0,1"] * 6, *["1,0,0"] * 9, "1,,"]))
    one_hot = {"urban": "u", "village": "v"}
    entry = {"name": "Area", "categories": ["farm", *one_hot], "one_hot": one_hot}
    found = entries(profiles(parse_contract({"features": [entry]}), read_sample(path), {}))
    shares = {"values": ["farm", "urban", "village"], "shares": [0.47, 0.21, 0.32]}
    assert found == [{"name": "Area", "type": "category", "missing": 0.05, **shares}]


def test_the_rows_of_a_json_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "sample.json"
    path.write_text(json.dumps([{"a": n, "b": "NA"} for n in range(10)] + [{"b": None}] * 10))
    features = [{"name": "a"}, {"name": "b", "categories": ["NA"]}]
    contract = parse_contract({"features": features})
    numbers, texts = entries(profiles(contract, read_sample(path), {}))
    assert (numbers["missing"], numbers["values"]) == (0.5, list(range(10)))
    assert (texts["missing"], texts["shares"]) == (0.5, [1])


def test_only_the_most_frequent_of_many_categories_are_shown(tmp_path: Path) -> None:
    categories = [f"c{n}" for n in range(40)]
    cells = [*categories, *categories[30:] * 9]
    found = profile(tmp_path, cells, type="category", categories=categories)
    assert found["values"] == [*categories[:10], *categories[30:]]


def test_a_periodic_file_keeps_its_shares(tmp_path: Path) -> None:
    """Every 2nd, 4th, … 64th row of it is the same."""
    found = profile(tmp_path, PARITY * 2 * MAX_ROWS, type="category", categories=PARITY)
    assert found["shares"] == [0.5, 0.5]


def test_an_outlier_does_not_squeeze_the_rest_into_one_bar(tmp_path: Path) -> None:
    found = profile(tmp_path, [*NORMAL, 1e9])
    assert max(found["shares"]) < 0.3
    assert found["start"] + found["step"] * len(found["shares"]) < 100


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=10, max_size=300))
def test_any_numbers_have_few_bins_with_round_limits(values: list[float]) -> None:
    found = Profile("x", "number", 0, **of_numbers(values))
    assert read_profiles(json.loads(json.dumps([found.to_json()]))) == {"x": found}
    assert len(found.shares) <= 22
    assert sum(found.shares) <= 1 + 0.005 * len(found.shares)
    if found.step is not None and found.start is not None:
        assert f"{found.step:.0e}"[0] in "125"
        assert math.isclose(found.step, float(f"{found.step:.0e}"))
        assert found.start <= sorted(values)[len(values) // 2] + 1e-8 * found.step


@given(st.lists(st.dates(), min_size=10))
def test_any_dates_have_few_shares(dates: list[datetime.date]) -> None:
    assert 0 < len(of_dates(dates)["shares"]) <= 22


def manifest_of(
    folder: Path, previous: dict[str, Any] | None = None, **answers: str
) -> dict[str, Any]:
    options: dict[str, Any] = {"features": str(EXAMPLE / "features.json"), **answers}
    model = str(EXAMPLE / "model.joblib")
    answered = Answers("Loan", "loan", "Approval.", model, folder, python_version=PYTHON, **options)
    replaced = Manifest.from_json(previous) if previous is not None else None
    return decide(answered, replaced).manifest.to_json()


def test_the_profile_of_the_example_is_not_in_metadata(loan: Path) -> None:
    manifest = Manifest.read(loan / "model" / "manifest.json")
    features = json.loads((loan / "model" / "features.json").read_text())["features"]
    assert list(manifest.profiles) == [feature["name"] for feature in features]
    assert all(profile.shares for profile in manifest.profiles.values())
    assert "profile" not in manifest.public()


def test_a_profile_is_deterministic(tmp_path: Path) -> None:
    sample = str(EXAMPLE / "sample.csv")
    first, second = (manifest_of(tmp_path, sample_data=sample)["profile"] for _ in range(2))
    assert first == second is not None


def test_there_is_no_profile_without_a_sample(tmp_path: Path) -> None:
    assert manifest_of(tmp_path)["profile"] is None


def test_a_manifest_without_a_profile_is_still_read(loan_copy: Path, tmp_path: Path) -> None:
    path = loan_copy / "model" / "manifest.json"
    document = json.loads(path.read_text())
    del document["profile"]
    path.write_text(json.dumps(document))
    assert Manifest.read(path).profiles == {}
    assert manifest_of(tmp_path, document)["profile"] is None


def test_a_retrained_model_keeps_the_profile_of_its_remaining_features(
    loan_copy: Path, tmp_path: Path
) -> None:
    path = loan_copy / "model" / "features.json"
    before = json.loads((loan_copy / "model" / "manifest.json").read_text())
    contract = json.loads(path.read_text())
    by_name = {feature["name"]: feature for feature in contract["features"]}
    by_name["loan_term"]["type"] = "number"  # it was an integer
    by_name["dependents"]["categories"].append("many")
    by_name["education"]["categories"] = ["Graduate"]
    path.write_text(json.dumps(contract))
    kept = manifest_of(tmp_path, before, features=str(path))["profile"]
    gone = {"loan_term", "education"}
    assert kept == [entry for entry in before["profile"] if entry["name"] not in gone]
