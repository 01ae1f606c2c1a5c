"""Explanations of each kind of model are those of the definition, by brute force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from explaining import explain, explainer, subject
from shapley import shapley
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

RANDOM = np.random.default_rng(1)
ROWS = 200
MIXED = pd.DataFrame(
    {
        "income": RANDOM.gamma(3, 1500, ROWS).round(),
        "gender": RANDOM.choice(["f", "m"], ROWS),
        "used": RANDOM.uniform(0, 100, ROWS).round(1),
        "area": RANDOM.choice(["R", "S", "U"], ROWS),
        "dependents": RANDOM.integers(0, 3, ROWS).astype(float),
    }
)
NUMBERS = MIXED[["income", "used", "dependents"]]
GAPS = NUMBERS.mask(RANDOM.uniform(size=NUMBERS.shape) < 0.15)
SCORE = MIXED["income"] / 9000 + (MIXED["area"] == "U") - MIXED["used"] / 90
SCORE += RANDOM.normal(size=ROWS) * 0.3
YES = (SCORE.median() < SCORE).map({True: "Y", False: "N"})
GRADE = pd.cut(SCORE, 3, labels=False)
AMOUNT = SCORE * 1000 + 5000
TWO_NUMBERS = np.column_stack([AMOUNT, SCORE])
TWO_CLASSES = np.column_stack([YES == "Y", GRADE]).astype(int)
BACKGROUND = slice(0, 7)

LOGISTIC = LogisticRegression(max_iter=1000)
# From a fitted model to the function that is explained.
Response = Callable[[Any], Callable[[pd.DataFrame], Any]]


def columns() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["income", "used"]),
            ("w", OneHotEncoder(handle_unknown="ignore"), ["gender", "area"]),
        ],
        remainder="passthrough",
    )


def dummies_without_first() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("w", OneHotEncoder(drop="first", min_frequency=60), ["area", "gender"]),
            ("o", OrdinalEncoder(), ["gender"]),
            ("u", FeatureUnion([("a", MinMaxScaler()), ("b", StandardScaler())]), ["used"]),
            ("f", FunctionTransformer(np.log1p), ["income"]),
        ],
    )


def forest(cls: Any, **options: Any) -> Any:
    return cls(n_estimators=8, random_state=0, **options)


def boosting(cls: Any, **options: Any) -> Any:
    return cls(n_estimators=15, random_state=0, **options)


def decision(model: Any) -> Any:
    return model.decision_function


def second(model: Any) -> Any:
    return lambda frame: model.predict_proba(frame)[:, 1]


def value(model: Any) -> Any:
    return model.predict


def third_decision(model: Any) -> Any:
    return lambda frame: model.decision_function(frame)[:, 2]


def third(model: Any) -> Any:
    return lambda frame: model.predict_proba(frame)[:, 2]


def of_target(number: int) -> Response:
    return lambda model: lambda frame: model.predict(frame)[:, number]


def of_class_target(number: int, place: int) -> Response:
    return lambda model: lambda frame: model.predict_proba(frame)[number][:, place]


def logarithm(model: Any) -> Any:
    return lambda frame: np.log(model.predict(frame))


PAIR = [("a", LOGISTIC), ("b", forest(RandomForestClassifier))]
FORESTS = [("a", forest(RandomForestClassifier)), ("b", forest(ExtraTreesClassifier))]
# name: model, data, target, what is explained, column of the response, its kind, how
CASES: dict[str, tuple[Any, pd.DataFrame, Any, Response, int, str, str]] = {
    "logistic": (make_pipeline(columns(), LOGISTIC), MIXED, YES, decision, 0, "log-odds", "linear"),
    "dropped dummies": (
        make_pipeline(dummies_without_first(), LOGISTIC),
        MIXED,
        YES,
        decision,
        0,
        "log-odds",
        "linear",
    ),
    "three classes": (
        make_pipeline(columns(), LOGISTIC),
        MIXED,
        GRADE,
        third_decision,
        2,
        "score",
        "linear",
    ),
    "ridge": (make_pipeline(columns(), Ridge()), MIXED, AMOUNT, value, 0, "value", "linear"),
    "discriminant": (LinearDiscriminantAnalysis(), NUMBERS, YES, decision, 0, "log-odds", "linear"),
    "linear svc": (
        make_pipeline(StandardScaler(), LinearSVC()),
        NUMBERS,
        YES,
        decision,
        0,
        "score",
        "linear",
    ),
    "hinge": (
        make_pipeline(StandardScaler(), SGDClassifier(random_state=0)),
        NUMBERS,
        YES,
        decision,
        0,
        "score",
        "linear",
    ),
    "ridge classifier": (RidgeClassifier(), NUMBERS, YES, decision, 0, "score", "linear"),
    "poisson": (
        make_pipeline(StandardScaler(), PoissonRegressor()),
        NUMBERS,
        AMOUNT,
        logarithm,
        0,
        "log",
        "linear",
    ),
    "several numbers": (
        LinearRegression(),
        NUMBERS,
        TWO_NUMBERS,
        of_target(1),
        1,
        "value",
        "linear",
    ),
    "multi output": (
        MultiOutputRegressor(Ridge()),
        NUMBERS,
        TWO_NUMBERS,
        of_target(1),
        1,
        "value",
        "linear linear",
    ),
    "boosting": (
        make_pipeline(columns(), boosting(GradientBoostingClassifier)),
        MIXED,
        YES,
        decision,
        0,
        "log-odds",
        "trees",
    ),
    "boosting, three classes": (
        make_pipeline(columns(), boosting(GradientBoostingClassifier)),
        MIXED,
        GRADE,
        third_decision,
        2,
        "score",
        "trees",
    ),
    "boosting, number": (
        boosting(GradientBoostingRegressor),
        NUMBERS,
        AMOUNT,
        value,
        0,
        "value",
        "trees",
    ),
    "histograms, gaps": (
        HistGradientBoostingClassifier(max_iter=15),
        GAPS,
        YES,
        decision,
        0,
        "log-odds",
        "trees",
    ),
    "histograms, three classes": (
        HistGradientBoostingClassifier(max_iter=5),
        GAPS,
        GRADE,
        third_decision,
        2,
        "score",
        "trees",
    ),
    "histograms, number": (
        HistGradientBoostingRegressor(max_iter=15),
        NUMBERS,
        AMOUNT,
        value,
        0,
        "value",
        "trees",
    ),
    "histograms, poisson": (
        HistGradientBoostingRegressor(max_iter=15, loss="poisson"),
        NUMBERS,
        AMOUNT,
        logarithm,
        0,
        "log",
        "trees",
    ),
    "forest": (
        make_pipeline(columns(), forest(RandomForestClassifier)),
        MIXED,
        YES,
        second,
        0,
        "probability",
        "trees",
    ),
    "forest, gaps": (forest(RandomForestClassifier), GAPS, YES, second, 0, "probability", "trees"),
    "forest, three classes": (
        forest(RandomForestClassifier),
        NUMBERS,
        GRADE,
        third,
        2,
        "probability",
        "trees",
    ),
    "forest, number": (forest(RandomForestRegressor), NUMBERS, AMOUNT, value, 0, "value", "trees"),
    "forest, several numbers": (
        forest(RandomForestRegressor),
        NUMBERS,
        TWO_NUMBERS,
        of_target(1),
        1,
        "value",
        "trees",
    ),
    "forest, several classes": (
        forest(RandomForestClassifier),
        NUMBERS,
        TWO_CLASSES,
        of_class_target(1, 2),
        3,
        "probability",
        "",
    ),
    "extra trees": (forest(ExtraTreesRegressor), NUMBERS, AMOUNT, value, 0, "value", "trees"),
    "tree": (DecisionTreeClassifier(), NUMBERS, YES, second, 0, "probability", "trees"),
    "stump": (DecisionTreeRegressor(max_depth=1), NUMBERS, AMOUNT, value, 0, "value", "trees"),
    "search": (
        GridSearchCV(
            make_pipeline(columns(), forest(RandomForestClassifier)),
            {"randomforestclassifier__max_depth": [2, 3]},
            cv=2,
        ),
        MIXED,
        YES,
        second,
        0,
        "probability",
        "trees",
    ),
    "voting of forests": (
        VotingClassifier(FORESTS, voting="soft", weights=[1, 3]),
        NUMBERS,
        YES,
        second,
        0,
        "probability",
        "trees trees",
    ),
    "voting of others": (
        VotingClassifier(PAIR, voting="soft"),
        NUMBERS,
        YES,
        second,
        0,
        "probability",
        "",
    ),
    "hard voting": (
        VotingClassifier(PAIR),
        NUMBERS,
        YES,
        lambda m: lambda f: m.predict(f) == "Y",
        0,
        "vote",
        "",
    ),
    "voting, number": (
        VotingRegressor([("a", forest(RandomForestRegressor)), ("b", Ridge())]),
        NUMBERS,
        AMOUNT,
        value,
        0,
        "value",
        "trees linear",
    ),
    "several classes": (
        MultiOutputClassifier(LOGISTIC),
        NUMBERS,
        TWO_CLASSES,
        of_class_target(1, 2),
        3,
        "probability",
        "",
    ),
    "calibrated": (
        CalibratedClassifierCV(boosting(GradientBoostingClassifier), cv=2),
        NUMBERS,
        YES,
        second,
        0,
        "probability",
        "",
    ),
    "stacking": (
        StackingClassifier(PAIR, LOGISTIC, cv=2),
        NUMBERS,
        YES,
        second,
        0,
        "probability",
        "",
    ),
    "transformed target": (
        TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
        NUMBERS,
        AMOUNT,
        value,
        0,
        "value",
        "",
    ),
    "svc": (make_pipeline(columns(), SVC()), MIXED, YES, decision, 0, "score", ""),
    "neighbours": (
        make_pipeline(columns(), KNeighborsClassifier()),
        MIXED,
        YES,
        second,
        0,
        "probability",
        "",
    ),
    "network": (
        make_pipeline(columns(), MLPClassifier((8,), max_iter=2000, random_state=0)),
        MIXED,
        YES,
        second,
        0,
        "probability",
        "",
    ),
    "components": (
        make_pipeline(StandardScaler(), PCA(2), LOGISTIC),
        NUMBERS,
        YES,
        decision,
        0,
        "log-odds",
        "",
    ),
    "polynomials": (
        Pipeline([("p", PolynomialFeatures(2)), ("s", StandardScaler()), ("r", Ridge())]),
        NUMBERS,
        AMOUNT,
        value,
        0,
        "value",
        "",
    ),
}


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "native"])
@pytest.mark.parametrize("name", CASES)
def test_contributions_are_those_of_the_definition(name: str, compiled: bool) -> None:
    model, frame, target, response, column, kind, parts = CASES[name]
    model.fit(frame, target)
    targets = ["a", "b"] if np.ndim(target) == 2 else None
    background = frame.iloc[BACKGROUND]
    built = explainer(subject(model, frame, targets=targets, compiled=compiled), background)
    assert (built.about.kind, " ".join(built.about.parts)) == (kind, parts)
    assert built.about.background_count == len(background)
    for number in (30, 45):
        row = frame.iloc[number : number + 1]
        expected = shapley(response(model), row, background, list(frame))
        found = explain(built, row, column)
        scale = max(1.0, abs(found.value))
        assert found.base == pytest.approx(expected.pop(""), abs=1e-12 * scale)
        assert list(found.contributions) == pytest.approx(
            list(expected.values()), abs=1e-12 * scale
        )
        assert found.value == pytest.approx(float(response(model)(row)[0]), abs=1e-12 * scale)
        assert found.error is None
