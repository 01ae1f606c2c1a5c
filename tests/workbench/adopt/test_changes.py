"""What an adoption changes: each difference of two contracts, and whether it has to be accepted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from model_service.contract.schema import parse_contract
from model_service.model.manifest import Manifest, TransformerFile
from workbench.adopt.changes import Change, find_changes

FEATURES: dict[str, dict[str, Any]] = {
    "income": {"minimum": 0, "maximum": 9000, "unit": "USD", "nullable": True},
    "area": {"categories": ["Rural", "Urban"], "nullable": True},
    "island": {"categories": ["Biscoe", "Dream"], "strict": False},
    "married": {"categories": ["no", "yes"], "encode": {"no": 0, "yes": 1}},
    "age": {"minimum": 18, "maximum": 99, "strict": True},
}
OUTPUT = {"labels": {"N": "rejected"}, "positive": "Y", "threshold": 0.4, "unit": "USD"}


def document(
    features: Mapping[str, dict[str, Any] | None], output: Mapping[str, Any]
) -> dict[str, Any]:
    entries = {**FEATURES, **{n: {**FEATURES.get(n, {}), **(f or {})} for n, f in features.items()}}
    kept = [{"name": n, **f} for n, f in entries.items() if features.get(n, {}) is not None]
    return {"features": kept, "output": {**OUTPUT, **output}}


@pytest.fixture(scope="module")
def manifest(loan: Path) -> Manifest:
    return Manifest.read(loan / "model" / "manifest.json")


def changes(
    manifest: Manifest,
    features: Mapping[str, dict[str, Any] | None],
    output: Mapping[str, Any],
    derived: Mapping[str, Any] | None = None,
) -> list[Change]:
    new = dataclasses.replace(manifest, derived=derived or {})
    before, after = parse_contract(document({}, {})), parse_contract(document(features, output))
    return list(find_changes(before, after, manifest, new))


@pytest.mark.parametrize(
    ("features", "output", "effect", "sentence"),
    [
        ({"income": None}, {}, "breaking", "feature income is gone"),
        ({"year": {}}, {}, "breaking", "feature year is new, and every row must have it: callers"),
        ({"income": {"type": "integer"}}, {}, "breaking", "feature income was a number and is a"),
        ({"income": {"nullable": False}}, {}, "breaking", "feature income can no longer be null"),
        ({"area": {"categories": ["Urban"]}}, {}, "breaking", "area has lost the categories Rural"),
        ({"area": {"categories": ["Rural", "Sea", "Urban"]}}, {}, "none", "new categories Sea"),
        ({"area": {"strict": False}}, {}, "none", "feature area takes other categories, too"),
        ({"island": {"strict": True}}, {}, "breaking", "takes no other categories than Biscoe, D"),
        ({"island": {"categories": ["Dream"]}}, {}, "none", "island has lost the categories Bi"),
        ({"married": {"encode": {"no": 1, "yes": 0}}}, {}, "answers", "encoded in another way"),
        ({"income": {"strict": True}}, {}, "breaking", "feature income takes 0 to 9000 only"),
        ({"age": {"maximum": 90}}, {}, "breaking", "feature age takes 18 to 90 only"),
        ({"age": {"maximum": 120}}, {}, "none", "feature age takes 18 to 120 only"),
        ({"age": {"strict": False}}, {}, "none", "feature age takes any number"),
        (
            {"income": {"maximum": 5000}},
            {},
            "none",
            "the usual range of feature income was 0 to 9000, now 0 to 5000",
        ),
        (
            {"income": {"unit": "EUR"}},
            {},
            "none",
            '"unit" of feature income was USD, now EUR',
        ),
        ({"income": {"warn": False}}, {}, "none", '"warn" of feature income was none, now False'),
        ({}, {"threshold": 0.7}, "answers", "the threshold was 0.4 for Y and is 0.7 for Y"),
        ({}, {"threshold": None}, "answers", "the threshold was 0.4 for Y and is none"),
        ({}, {"transform": "expm1"}, "answers", "the transform was none and is expm1"),
        ({}, {"labels": {"N": "no"}}, "answers", "the label of N was rejected and is no"),
        ({}, {"labels": {}}, "answers", "the label of N was rejected and is none"),
        ({}, {"targets": ["a", "b"]}, "breaking", "the list of targets was none and is a, b"),
        ({}, {"unit": "EUR"}, "none", "the unit of the prediction was USD and is EUR"),
        ({}, {"name": "Status"}, "none", "the name of the prediction was Prediction and is Status"),
    ],
)
def test_each_difference_of_the_contract_is_said(
    manifest: Manifest,
    features: dict[str, dict[str, Any] | None],
    output: dict[str, Any],
    effect: str,
    sentence: str,
) -> None:
    found = changes(manifest, features, output)
    assert any(change.effect == effect and sentence in change.sentence for change in found), found
    assert {change.effect for change in found} <= {effect, "none"}


def test_an_unchanged_contract_has_no_differences(manifest: Manifest) -> None:
    assert changes(manifest, {}, {}) == []


def test_a_feature_that_the_model_drops_now_is_still_accepted(manifest: Manifest) -> None:
    was = parse_contract({"features": [{"name": "a"}, {"name": "b"}], "unused": ["c"]})
    now = parse_contract({"features": [{"name": "a"}], "unused": ["b"]})
    assert list(find_changes(was, now, manifest, manifest)) == [
        Change("none", "feature b changes nothing any more; callers may go on to send it"),
        Change("breaking", "c, which changed nothing, is no longer accepted"),
    ]


def test_what_verify_finds_out_is_not_said_before(manifest: Manifest) -> None:
    derived = {name: {"nullable": False, "strict": None} for name in ("income", "island")}
    found = changes(
        manifest, {"income": {"nullable": False}, "island": {"strict": None}}, {}, derived
    )
    assert found == []


def test_ranges_of_many_features_are_one_sentence(manifest: Manifest) -> None:
    def contract(end: int) -> Any:
        features = [{"name": f"x{n}", "minimum": 0, "maximum": end} for n in range(2630)]
        return parse_contract({"features": features})

    (change,) = find_changes(contract(1), contract(2), manifest, manifest)
    assert change.sentence.startswith("the usual range of 2,630 features: x0, x1, ")


def test_transformers_change_the_answers_of_the_same_model_only(manifest: Manifest) -> None:
    contract = parse_contract(document({}, {}))
    scaler = {"loader": "joblib", "sha256": "0" * 64, "size": 1, "source": "scaler.pkl"}
    with_scaler = dataclasses.replace(
        manifest,
        transformers=(
            TransformerFile(
                file="transformers/01-scaler.pkl", member=None, estimator="StandardScaler", **scaler
            ),
        ),
    )
    (change,) = find_changes(contract, contract, manifest, with_scaler)
    assert change == Change("answers", "the transformer scaler.pkl is new: StandardScaler")
    other = dataclasses.replace(manifest.model, sha256="1" * 64)
    (change,) = find_changes(
        contract, contract, manifest, dataclasses.replace(with_scaler, model=other)
    )
    assert change.effect == "none"
