"""schemathesis looks for requests that the OpenAPI document does not describe: all its checks."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import pytest
import schemathesis
from conftest import adopted
from flask import Flask
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from model_service.contract.snippets import csv_text
from model_service.model.loading import load_model
from model_service.web.app import create_app

pytestmark = pytest.mark.slow

NUMBERS = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
TEXTS = ["good", "bad", "good wine", "bad wine"]
# The trees hold no number beyond 32 bits, which only a strict contract says.
STRICT = [{"name": name, "minimum": -9, "maximum": 9, "strict": True} for name in ("a b", "$ref")]
MODELS = {
    "targets": (DecisionTreeClassifier().fit(NUMBERS, [[0, 1], [1, 0], [1, 1], [0, 0]]), STRICT),
    "text": (make_pipeline(CountVectorizer(), MultinomialNB()).fit(TEXTS, [1, 0, 1, 0]), ["text"]),
}
CONFIG: dict[str, Any] = {
    "seed": 0,
    "generation": {"max-examples": 30, "deterministic": True},
    "checks": {"max_response_time": 10},
}


@dataclass(frozen=True)
class Outcome:
    checks: Counter[str]
    failures: list[str]


def attack(app: Flask) -> Outcome:
    """Run the engine of schemathesis, which is what its command runs."""
    config = SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)

    @schema.hook
    def map_case(_: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
        """Send examples as CSV: what else must be refused no JSON Schema can say."""
        if case.media_type == "text/csv" and isinstance(case.body, str):
            case.body = csv_text(app.service.model.manifest.examples)
        return case

    outcome = Outcome(Counter(), [])
    for event in from_schema(schema).execute():
        match event:
            case events.ScenarioFinished():
                for node in (node for nodes in event.recorder.checks.values() for node in nodes):
                    outcome.checks[node.name] += 1
                    if (info := node.failure_info) is not None:
                        outcome.failures.append(f"{info.failure}\n{info.code_sample}")
            case events.NonFatalError():
                outcome.failures.append(str(event.value))
            case events.FatalError():
                outcome.failures.append(str(event.exception))
    return outcome


def test_the_loan_example(loan: Path) -> None:
    outcome = attack(create_app(load_model(loan / "model")))
    assert outcome.failures == []
    assert set(outcome.checks) == {*CHECKS.get_all_names(), "max_response_time"}


@pytest.mark.parametrize("name", MODELS)
def test_other_models(name: str, tmp_path: Path) -> None:
    model, features = MODELS[name]
    joblib.dump(model, tmp_path / "model.joblib")
    (tmp_path / "features.json").write_text(json.dumps(features))
    given = {"features": str(tmp_path / "features.json")}
    project = adopted(tmp_path, tmp_path / "model.joblib", **given)
    assert attack(create_app(load_model(project / "model"))).failures == []
