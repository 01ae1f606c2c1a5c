"""Which models predict one row in less time than handing it to another thread takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from model_service.fast_path.compile import compile_model
from model_service.fast_path.steps.trees import tree_count

NUMBERS = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]] * 5)
CLASSES = [0, 1, 2] * 5
TEXTS = ["good day", "bad day", "night"] * 5


def behind(step: Any) -> Pipeline:
    """Return a model behind a ColumnTransformer that contains this step."""
    columns = ColumnTransformer([("one", step, [0]), ("rest", "passthrough", [1])])
    return make_pipeline(columns, LogisticRegression())


def split(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize(
    ("estimator", "inline"),
    [
        (LogisticRegression(), True),
        (make_pipeline(StandardScaler(), RandomForestRegressor(3)), True),
        (RandomForestRegressor(501), False),
        (HistGradientBoostingClassifier(max_iter=3), True),
        (GradientBoostingClassifier(n_estimators=166), True),
        (GradientBoostingClassifier(n_estimators=167), False),
        (GradientBoostingClassifier(n_estimators=3, init=LogisticRegression()), False),
        (
            make_pipeline(GradientBoostingClassifier(n_estimators=3, init=LogisticRegression())),
            False,
        ),
        (KNeighborsClassifier(), False),
        (VotingClassifier([("a", LogisticRegression())]), False),
        (make_pipeline(PCA(), LogisticRegression()), False),
        (make_pipeline(FunctionTransformer(np.abs), LogisticRegression()), True),
        (make_pipeline(FunctionTransformer(abs), LogisticRegression()), False),
        (behind(StandardScaler()), True),
        (behind(make_pipeline(SimpleImputer(), PCA(1))), False),
        (GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2), True),
        (GridSearchCV(SVC(), {"C": [1, 2]}, cv=2), False),
    ],
)
def test_which_models_are_predicted_inline(estimator: Any, inline: bool) -> None:
    fitted = clone(estimator).fit(NUMBERS, CLASSES)
    assert compile_model(fitted, False).inline is inline


@pytest.mark.parametrize(
    ("estimator", "same"),
    [
        (RandomForestRegressor(3), True),
        (make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=3)), True),
        (LogisticRegression(), False),
        (make_pipeline(PCA(), LogisticRegression()), False),
        (VotingClassifier([("a", LogisticRegression())], voting="soft"), False),
    ],
)
def test_which_models_predict_a_row_among_others_as_alone(estimator: Any, same: bool) -> None:
    fitted = clone(estimator).fit(NUMBERS, CLASSES)
    assert compile_model(fitted, False).is_bitwise_batch_invariant is same


@pytest.mark.parametrize(("tokenizer", "inline"), [(None, True), (split, False)])
def test_a_vectorizer_with_a_user_defined_tokenizer_is_not_inline(
    tokenizer: Any, inline: bool
) -> None:
    vectorizer = TfidfVectorizer(tokenizer=tokenizer, token_pattern=None if tokenizer else r"\w+")
    fitted = make_pipeline(vectorizer, LogisticRegression()).fit(TEXTS, CLASSES)
    assert compile_model(fitted, True).inline is inline


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("XGBClassifier", {"n_estimators": None}, 100),
        ("XGBClassifier", {"n_estimators": 10, "classes_": [0, 1, 2]}, 30),
        ("XGBClassifier", {"n_estimators": 10, "num_parallel_tree": 7}, 70),
        ("LGBMClassifier", {"n_estimators": 10, "classes_": [0, 1]}, 10),
        ("CatBoostClassifier", {}, 0),
    ],
)
def test_the_trees_of_boosters_are_counted(
    name: str, parameters: dict[str, Any], expected: int
) -> None:
    assert tree_count(type(name, (), parameters)(), per_class=True) == expected
