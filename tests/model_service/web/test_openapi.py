"""The OpenAPI document: valid whatever the model, its examples are answered as it says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import jsonschema
import numpy as np
import openapi_spec_validator
import pandas as pd
import pytest
from conftest import adopted
from hypothesis import HealthCheck, given, settings
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from tests.model_service.contract.test_contract import features

from model_service.contract.contract import Contract, Feature
from model_service.contract.schema import parse_contract
from model_service.model.loading import load_model
from model_service.model.manifest import Manifest
from model_service.web.app import create_app
from model_service.web.openapi import document

NAMES = ["class", "a b", 'a"b', "a<b>", "{{x}}", "=1+1", "日本", "$ref", "__proto__", "a/b~c", "%"]
FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(40, len(NAMES))), columns=NAMES)
LARGE = FRAME["class"] > 0
BOTH = pd.DataFrame({"$ref": LARGE.astype(int), "b": (FRAME["%"] > 0).astype(int)})
TEXTS = ["good", "bad", "good wine", "bad wine"]


@pytest.fixture(scope="module")
def manifest(loan: Path) -> Manifest:
    return Manifest.read(loan / "model" / "manifest.json")


def test_the_document_of_the_loan_example(loan: Path, manifest: Manifest) -> None:
    contract = parse_contract(json.loads((loan / "model" / "features.json").read_text()))
    made = document(contract, manifest)
    openapi_spec_validator.validate(made)
    row = made["components"]["schemas"]["Row"]["properties"]
    assert row["property_area"]["enum"] == ["Rural", "Semiurban", "Urban"]
    assert row["loan_term"]["type"] == ["integer", "null"]
    answer = made["components"]["schemas"]["Answer"]["properties"]
    assert answer["prediction"]["enum"] == ["N", "Y"]
    assert answer["label"]["enum"] == ["rejected", "approved"]
    assert answer["probabilities"]["required"] == ["N", "Y"]


@given(features)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_document_of_any_feature_is_valid(manifest: Manifest, feature: Feature) -> None:
    example = {feature.name: feature.default}
    made = document(Contract((feature,)), dataclasses.replace(manifest, examples=[example]))
    openapi_spec_validator.validate(made)


@pytest.mark.parametrize(
    ("model", "output"),
    [
        (LogisticRegression().fit(FRAME, LARGE), {"labels": {"true": "=1+1", "false": "a<b>"}}),
        (LogisticRegression().fit(FRAME, FRAME["class"].round()), {}),
        (LinearRegression().fit(FRAME, FRAME["class"]), {"transform": "exp"}),
        (LinearRegression().fit(FRAME, FRAME[NAMES[:2]]), {"targets": ["日本", "a b"]}),
        (DecisionTreeClassifier().fit(FRAME, BOTH), {"targets": ["$ref", "{{x}}"]}),
        (KMeans(n_clusters=2, n_init=1).fit(FRAME), {}),
        (IsolationForest(n_estimators=10).fit(FRAME), {}),
        (make_pipeline(CountVectorizer(), MultinomialNB()).fit(TEXTS, [1, 0, 1, 0]), {}),
    ],
    ids="classes numbers regression targets trees clusters outliers text".split(),
)
def test_each_route_answers_as_the_document_says(
    model: Any, output: dict[str, Any], tmp_path: Path
) -> None:
    """The examples are sent as they stand there."""
    joblib.dump(model, tmp_path / "model.joblib")
    names = NAMES if hasattr(model, "feature_names_in_") else ["<b>text</b>"]
    contract = {"features": [{"name": name} for name in names], "output": output}
    (tmp_path / "features.json").write_text(json.dumps(contract))
    given = {"features": str(tmp_path / "features.json")}
    project = adopted(tmp_path, tmp_path / "model.joblib", **given)
    client = create_app(load_model(project / "model")).test_client()
    made = client.get("/openapi.json").get_json()
    openapi_spec_validator.validate(made)
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            for kind, body in bodies(operation):
                sent = {"method": method, "data": body, "content_type": kind}
                response = client.open(path, buffered=True, **sent)
                assert response.status_code == 200, response.text
                answer = operation["responses"]["200"]["content"][response.mimetype]
                schema = {**answer["schema"], "components": made["components"]}
                value = response.get_json() if response.is_json else response.text
                jsonschema.Draft202012Validator(schema).validate(value)


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str | None, str | None]]:
    """Yield the type and the body of each example, or nothing once where no body is sent."""
    if "requestBody" not in operation:
        yield None, None
        return
    content = operation["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        yield "application/json", json.dumps(example["value"])
    yield "text/csv", content["text/csv"]["example"]
