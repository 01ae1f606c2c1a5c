"""Fixtures of the tests of static inspection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench.inspect import ModelFacts, inspect


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """Forty rows of three positive numbers."""
    values = np.random.default_rng(0).uniform(0.1, 1.0, size=(40, 3))
    return pd.DataFrame(values, columns=["income", "age", "credit_limit_used(%)"])


@pytest.fixture(scope="session")
def decisions(frame: pd.DataFrame) -> np.ndarray:
    return np.where(frame["income"] > frame["age"], "approved", "rejected")


@pytest.fixture(scope="session")
def pipeline(frame: pd.DataFrame, decisions: np.ndarray) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, decisions)


@pytest.fixture
def facts_of(tmp_path: Path) -> Callable[[object], ModelFacts]:
    """Save a model with joblib and inspect the file."""

    def save_and_inspect(model: object) -> ModelFacts:
        path = tmp_path / "model.joblib"
        joblib.dump(model, path)
        return inspect(path)

    return save_and_inspect
