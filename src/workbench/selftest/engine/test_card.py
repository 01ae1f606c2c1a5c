"""The model card: its texts and charts, and that any model has one."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape

from model_service.contract.golden import Golden
from model_service.contract.profile import read_profiles
from model_service.contract.schema import parse_contract
from model_service.model.manifest import Manifest
from model_service.model.model import Model
from model_service.web.app import create_app
from model_service.web.model_card import (
    MAX_FEATURES_WITH_CHARTS,
    FeatureCard,
    ModelCard,
    build_model_card,
)
from model_service.web.titles import feature_titles

AREA = {"type": "category", "categories": ["Rural", "Urban"]}
FIVES = [f"c{number}" for number in range(25)]


def card_with_profiles(
    features: list[dict[str, Any]], profiles: list[dict[str, Any]], manifest: Manifest
) -> ModelCard:
    manifest = dataclasses.replace(manifest, profiles=read_profiles(profiles))
    return build_model_card(parse_contract({"features": features}), manifest, 0, None, True)


def feature_card(
    model: Model, entry: dict[str, Any], profile: dict[str, Any] | None
) -> FeatureCard:
    feature_type = entry.get("type", "number")
    profiles = [{"name": "x", "type": feature_type, **profile}] if profile is not None else []
    (card,) = card_with_profiles([{"name": "x", **entry}], profiles, model.manifest).features
    return card


@pytest.mark.parametrize(
    ("entry", "profile", "lines"),
    [
        ({}, None, ["number", "must be given"]),
        (
            {"unit": "USD", "minimum": 0, "maximum": 81000, "nullable": True},
            {"missing": 0.031},
            ["number, USD", "usually 0 to 81,000", "may be unknown", "3.1 % missing"],
        ),
        (
            {"type": "integer", "minimum": 1872.0, "strict": True},
            {"missing": 0},
            ["integer", "at least 1872", "must be given", "none missing"],
        ),
        ({"maximum": -0.123456789}, None, ["number", "usually at most -0.1235", "must be given"]),
        ({"type": "boolean"}, None, ["true or false", "must be given"]),
        ({"type": "text"}, {"missing": 1}, ["free text", "must be given", "100.0 % missing"]),
        (AREA, None, ["category", "Rural, Urban", "must be given"]),
        (AREA, {"missing": 0}, ["category", "Rural, Urban", "must be given", "none missing"]),
        (
            {"type": "category", "categories": FIVES, "strict": False},
            {"missing": 0, "values": FIVES[:20], "shares": [0.05] * 20},
            [
                "category",
                ", ".join(f"{c} (5.0 %)" for c in FIVES[:20]) + ", and 5 more",
                "other categories are taken, too",
                "must be given",
                "none missing",
            ],
        ),
        # The categories were edited, so the profile no longer fits the feature.
        (
            {"type": "category", "categories": ["Rural"]},
            {"missing": 0, "values": ["Rural", "Urban"], "shares": [0.5, 0.5]},
            ["category", "Rural", "must be given"],
        ),
    ],
)
def test_a_feature_is_described_in_lines(
    model: Model, entry: dict[str, Any], profile: dict[str, Any] | None, lines: list[str]
) -> None:
    card = feature_card(model, entry, profile)
    assert list(card.lines) == lines
    assert not card.bars
    assert card.histogram is None


@pytest.mark.parametrize(
    ("entry", "values", "labels"),
    [
        (AREA, ["Rural", "Urban"], ["Rural", "Urban"]),
        ({"type": "category", "categories": [10115, 80331]}, [10115, 80331], ["10115", "80331"]),
        ({"type": "boolean"}, [False, True], ["false", "true"]),
        ({}, [10000, 10001], ["10,000", "10,001"]),
        ({"type": "date"}, ["2024-01", "2024-02"], ["2024-01", "2024-02"]),
    ],
)
def test_each_of_a_few_values_has_a_bar(
    model: Model, entry: dict[str, Any], values: list[Any], labels: list[str]
) -> None:
    card = feature_card(model, entry, {"missing": 0, "values": values, "shares": [0.25, 0.75]})
    assert [(bar.label, bar.share, bar.text) for bar in card.bars] == [
        *((labels[0], 0.25, "25.0 %"), (labels[1], 0.75, "75.0 %"))
    ]


@pytest.mark.parametrize(
    ("entry", "profile", "text"),
    [
        ({}, {"start": -0.2, "step": 0.1}, "-0.2 to 0.2, most often 0 to 0.1 (60.0 %)"),
        (
            {},
            {"start": 8000, "step": 1000},
            "8,000 to 12,000, most often 10,000 to 11,000 (60.0 %)",
        ),
        ({}, {"start": -1e300, "step": 1e300}, "-1e+300 to 3e+300, most often 1e+300 to 2e+300"),
        ({"type": "date"}, {"start": 1990, "step": 5}, "1990 to 2010, most often 2000 to 2005"),
    ],
)
def test_many_values_are_a_histogram_with_a_text_alternative(
    model: Model, entry: dict[str, Any], profile: dict[str, Any], text: str
) -> None:
    card = feature_card(model, entry, {"missing": 0, "shares": [0.1, 0, 0.6, 0.3], **profile})
    assert card.histogram is not None
    assert text in card.histogram.text
    assert card.histogram.path == "M0.5 40v-7M2.5 40v-40M3.5 40v-20"


def test_a_model_with_many_features_has_no_charts_and_a_small_page(model: Model) -> None:
    names = [f"measurement_{number}" for number in range(1000)]
    spread = {"start": -20000, "step": 5000, "shares": [0.05] * 20}
    profiles = [{"name": n, "type": "number", "missing": 0.031, **spread} for n in names]
    manifest = dataclasses.replace(
        model.manifest, profiles=read_profiles(profiles), transformers=(), verified=False
    )
    for count in (MAX_FEATURES_WITH_CHARTS, 1000):
        features = [{"name": n, "minimum": -12345, "maximum": 71234} for n in names[:count]]
        app = create_app(Model(None, parse_contract({"features": features}), manifest))
        text = app.test_client().get("/model").text
        assert text.count("<h3>") == count
        assert text.count("<svg") == (count if count <= MAX_FEATURES_WITH_CHARTS else 0)
        with app.test_client().get("/static/style.css") as style:
            assert len(text.encode()) + len(style.data) < 150_000


def card_entries(
    model: Model, output: dict[str, Any], reproduced: datetime | None = None, **task: Any
) -> dict[str, tuple[str, ...]]:
    """Return the lines by term, with changes of the task in a verified manifest."""
    contract = parse_contract({"features": [{"name": "x"}], "output": output})
    manifest = dataclasses.replace(
        model.manifest, task=dataclasses.replace(model.manifest.task, **task), verified=True
    )
    card = build_model_card(contract, manifest, 29, reproduced, is_ready=False)
    return {entry.term: entry.lines for section in card.sections for entry in section.entries}


def test_entries_of_a_classification(model: Model) -> None:
    output = {"name": "Loan", "labels": {"1": "paid"}, "positive": 1, "threshold": 0.4}
    entries = card_entries(model, output, kind="classification", classes=(0, 1), probabilities=True)
    assert entries["Output"] == ("Loan",)
    assert entries["Task"] == ("Classification",)
    assert entries["Classes"] == ("0", "1: paid")
    assert entries["Threshold"] == ("1 where its probability is at least 0.4",)
    assert "Unit" not in entries


def test_entries_of_a_regression(model: Model) -> None:
    output = {"name": "Price", "unit": "EUR", "transform": "exp"}
    entries = card_entries(model, output, kind="regression", classes=None)
    assert entries["Unit"] == ("EUR",)
    assert "logarithm" in entries["Transform"][0]
    assert "Classes" not in entries


def test_entries_of_the_verification(model: Model) -> None:
    entries = card_entries(model, {}, datetime(2026, 7, 1, 12, 30, tzinfo=timezone.utc))
    assert entries["Verified"] == ("yes",)
    assert entries["Recorded predictions"] == ("29",)
    assert entries["Last reproduced"] == ("2026-07-01 12:30:00 UTC, when this process began",)
    assert entries["Predictions"] == ("none now: this service is being updated",)


def test_the_golden_predictions_are_reproduced_once_and_the_time_is_kept(model: Model) -> None:
    readiness = create_app(model).service.predictor.readiness
    assert readiness.reproduced_at is None
    before = datetime.now(timezone.utc)
    assert readiness.reason() is None
    first = readiness.reproduced_at
    assert (first is None) == (model.golden is None)
    assert first is None or before <= first <= datetime.now(timezone.utc)
    readiness.reason()
    assert readiness.reproduced_at is first


def test_markup_in_names_is_escaped(model: Model) -> None:
    names = ["class", "a b", 'a"b', "a<b>", "{" + "{x}}", "=1+1", "日本", "</script>", "&amp;"]
    profiles = [
        {"name": name, "type": "category", "missing": 0, "values": ["<i>"], "shares": [1]}
        for name in names
    ]
    contract = parse_contract({"features": [{"name": n, "categories": ["<i>"]} for n in names]})
    manifest = dataclasses.replace(model.manifest, profiles=read_profiles(profiles), verified=False)
    app = create_app(Model(None, contract, manifest))
    text = app.test_client().get("/model").text
    titles = feature_titles(contract).values()
    assert [title for title in titles if f"<h3>{escape(title)}</h3>" not in text] == []
    assert "<i>" not in text
    assert text.count("<span>&lt;i&gt;</span>") == len(names)


def test_a_model_that_is_not_ready_still_has_a_model_card(model: Model, rows: list[Any]) -> None:
    broken = Model(None, model.contract, model.manifest, Golden(rows, [{"prediction": None}]))
    response = create_app(broken).test_client().get("/model")
    assert response.status_code == 200
    assert "this service is being updated" in response.text
    assert "reproduce" not in response.text


def test_the_model_card_only_allows_get(client: FlaskClient) -> None:
    response = client.post("/model")
    assert response.status_code == 405
    assert response.mimetype == "application/problem+json"
    assert "GET" in response.headers["Allow"]
