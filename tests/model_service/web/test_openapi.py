"""The OpenAPI document: valid for any model, and the responses to its examples match it."""

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
from strategies import features

from model_service.contract.contract import Contract, Feature
from model_service.contract.schema import parse_contract
from model_service.model.loading import load_model
from model_service.model.manifest import Manifest
from model_service.web.app import create_app
from model_service.web.openapi import document

NAMES = ["class", "a b", 'a"b', "a<b>", "{{x}}", "=1+1", "日本", "$ref", "__proto__", "a/b~c", "%"]
FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(40, len(NAMES))), columns=NAMES)
IS_POSITIVE = FRAME["class"] > 0
TARGETS = pd.DataFrame({"$ref": IS_POSITIVE.astype(int), "b": (FRAME["%"] > 0).astype(int)})
TEXTS = ["good", "bad", "good wine", "bad wine"]


@pytest.fixture(scope="module")
def manifest(loan: Path) -> Manifest:
    return Manifest.read(loan / "model" / "manifest.json")


def test_the_schemas_of_the_loan_example(loan: Path, manifest: Manifest) -> None:
    contract = parse_contract(json.loads((loan / "model" / "features.json").read_text()))
    api = document(contract, manifest)
    openapi_spec_validator.validate(api)
    row = api["components"]["schemas"]["Row"]["properties"]
    assert row["property_area"]["enum"] == ["Rural", "Semiurban", "Urban"]
    assert row["loan_term"]["type"] == ["integer", "null"]
    answer = api["components"]["schemas"]["Answer"]["properties"]
    assert answer["prediction"]["enum"] == ["N", "Y"]
    assert answer["label"]["enum"] == ["rejected", "approved"]
    assert answer["probabilities"]["required"] == ["N", "Y"]


@given(features)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_document_is_valid_for_any_feature(manifest: Manifest, feature: Feature) -> None:
    example = {feature.name: feature.default}
    api = document(Contract((feature,)), dataclasses.replace(manifest, examples=[example]))
    openapi_spec_validator.validate(api)


@pytest.mark.parametrize(
    ("model", "output"),
    [
        (
            LogisticRegression().fit(FRAME, IS_POSITIVE),
            {"labels": {"true": "=1+1", "false": "a<b>"}},
        ),
        (LogisticRegression().fit(FRAME, FRAME["class"].round()), {}),
        (LinearRegression().fit(FRAME, FRAME["class"]), {"transform": "exp"}),
        (LinearRegression().fit(FRAME, FRAME[NAMES[:2]]), {"targets": ["日本", "a b"]}),
        (DecisionTreeClassifier().fit(FRAME, TARGETS), {"targets": ["$ref", "{{x}}"]}),
        (KMeans(n_clusters=2, n_init=1).fit(FRAME), {}),
        (IsolationForest(n_estimators=10).fit(FRAME), {}),
        (make_pipeline(CountVectorizer(), MultinomialNB()).fit(TEXTS, [1, 0, 1, 0]), {}),
    ],
    ids="classes numbers regression targets trees clusters outliers text".split(),
)
def test_the_response_of_each_route_matches_its_schema(
    model: Any, output: dict[str, Any], tmp_path: Path
) -> None:
    """Requests are the examples of the document."""
    joblib.dump(model, tmp_path / "model.joblib")
    names = NAMES if hasattr(model, "feature_names_in_") else ["<b>text</b>"]
    contract = {"features": [{"name": name} for name in names], "output": output}
    (tmp_path / "features.json").write_text(json.dumps(contract))
    answers = {"features": str(tmp_path / "features.json")}
    project = adopted(tmp_path, tmp_path / "model.joblib", **answers)
    client = create_app(load_model(project / "model")).test_client()
    api = client.get("/openapi.json").get_json()
    openapi_spec_validator.validate(api)
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            for content_type, body in bodies(operation):
                request = {"method": method, "data": body, "content_type": content_type}
                response = client.open(path, buffered=True, **request)
                assert response.status_code == 200, response.text
                content = operation["responses"]["200"]["content"][response.mimetype]
                schema = {**content["schema"], "components": api["components"]}
                value = response.get_json() if response.is_json else response.text
                jsonschema.Draft202012Validator(schema).validate(value)


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str | None, str | None]]:
    """Yield the content type and body of each example, or None twice if there is no body."""
    if "requestBody" not in operation:
        yield None, None
        return
    content = operation["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        yield "application/json", json.dumps(example["value"])
    if "text/csv" in content:
        yield "text/csv", content["text/csv"]["example"]
