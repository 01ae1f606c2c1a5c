"""The facts read from a file equal the attributes of the loaded object."""

from __future__ import annotations

import inspect as python_inspect
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.base import (
    BaseEstimator,
    RegressorMixin,
    is_classifier,
    is_clusterer,
    is_outlier_detector,
    is_regressor,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE, SelectKBest, chi2
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import all_estimators

from workbench.inspect import ModelFacts, RefusedFile, Step

# Forty rows make scikit-learn warn of everything that more rows would mend.
pytestmark = pytest.mark.filterwarnings("ignore")

FactsOf = Callable[[object], ModelFacts]
TASKS = (
    (is_classifier, "classification"),
    (is_regressor, "regression"),
    (is_outlier_detector, "outlier"),
    (is_clusterer, "clustering"),
)


def make(estimator_class: type) -> BaseEstimator:
    """Create an estimator, with the inner estimators that it requires."""
    member = Ridge() if issubclass(estimator_class, RegressorMixin) else LogisticRegression()
    parameters = python_inspect.signature(estimator_class).parameters
    if "estimators" in parameters:
        return estimator_class([("one", member), ("two", member)])
    if "transformer_list" in parameters:
        return estimator_class([("one", StandardScaler())])
    if "transformers" in parameters:
        return estimator_class([("one", StandardScaler(), ["income"])])
    if "steps" in parameters:
        return estimator_class([("model", member)])
    if "dictionary" in parameters:
        return estimator_class(np.eye(3))
    if "param_grid" in parameters or "param_distributions" in parameters:
        return estimator_class(member, {"fit_intercept": [True]})
    return estimator_class(member) if "estimator" in parameters else estimator_class()


def fit(estimator: BaseEstimator, frame: pd.DataFrame) -> BaseEstimator:
    """Fit an estimator to the first target that it accepts."""
    label = (frame["income"] > frame["age"]).astype(int).to_numpy()
    number = frame["age"].to_numpy()
    targets = [number, np.c_[number, number], label, np.c_[label, 1 - label]]
    for target in targets if isinstance(estimator, RegressorMixin) else reversed(targets):
        if target.ndim == 2 and not isinstance(estimator, RegressorMixin):
            continue
        try:
            return estimator.fit(frame, target)
        except (TypeError, ValueError, AttributeError, IndexError):
            continue
    pytest.skip("takes other data than numbers")


def assert_facts_equal(facts: ModelFacts, model: BaseEstimator) -> None:
    """Compare the facts with the attributes of the fitted object."""
    assert facts.class_name == f"{type(model).__module__}.{type(model).__name__}"
    assert facts.task == next((name for test, name in TASKS if test(model)), None)
    classes = getattr(model, "classes_", None) if facts.task == "classification" else None
    if isinstance(classes, list):
        assert (facts.classes, facts.n_outputs) == (None, len(classes))
    elif classes is not None:
        assert [(type(c), c) for c in facts.classes] == [(type(c), c) for c in classes.tolist()]
    else:
        assert facts.classes is None
    # A pipeline that begins with "passthrough" has names that scikit-learn does not find.
    names = getattr(model, "feature_names_in_", facts.feature_names)
    assert facts.feature_names == (None if names is None else tuple(names))
    assert facts.n_features == getattr(model, "n_features_in_", facts.n_features)
    assert facts.has_probabilities == hasattr(model, "predict_proba")
    assert (facts.unknown_names, facts.custom_names) == ((), ())


@pytest.mark.parametrize(("name", "estimator_class"), all_estimators())
def test_every_estimator(
    name: str, estimator_class: type, frame: pd.DataFrame, facts_of: FactsOf
) -> None:
    model = fit(make(estimator_class), frame)
    if hasattr(model, "predict"):
        assert_facts_equal(facts_of(model), model)
    else:
        with pytest.raises(RefusedFile, match="predict"):
            facts_of(model)


@pytest.mark.parametrize(("name", "estimator_class"), all_estimators())
def test_every_estimator_unfitted_is_refused(
    name: str, estimator_class: type, facts_of: FactsOf
) -> None:
    with pytest.raises(RefusedFile) as refusal:
        facts_of(make(estimator_class))
    assert refusal.value.code in ("unfitted", "not_a_model")


TREES = RandomForestClassifier(n_estimators=3)
COLUMNS = ColumnTransformer([("scale", StandardScaler(), ["income"])], remainder="passthrough")
GRID = {"logisticregression__C": [0.1, 1.0]}
COMPOSITES = [
    # model, its final estimator
    (make_pipeline(COLUMNS, TREES), "RandomForestClassifier"),
    (make_pipeline(make_pipeline(StandardScaler()), make_pipeline(TREES)), TREES),
    (make_pipeline(FeatureUnion([("scale", MinMaxScaler())]), TREES), TREES),
    (make_pipeline(MinMaxScaler(), SelectKBest(chi2, k=2), LinearSVC()), LinearSVC()),
    (make_pipeline(FunctionTransformer(np.log1p), SVC(probability=True)), SVC()),
    (make_pipeline("passthrough", StandardScaler(), SVC()), SVC()),
    (
        GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), GRID, cv=2),
        LogisticRegression(),
    ),
    (GridSearchCV(TREES, {"max_depth": [2, 3]}, cv=2, scoring=make_scorer(accuracy_score)), TREES),
    (make_pipeline(StandardScaler(), GridSearchCV(TREES, {"max_depth": [2]}, cv=2)), TREES),
    (CalibratedClassifierCV(LinearSVC(), cv=2), CalibratedClassifierCV()),
    (TunedThresholdClassifierCV(LogisticRegression(), cv=2), LogisticRegression()),
    (RFE(LogisticRegression(), n_features_to_select=2), LogisticRegression()),
    (HistGradientBoostingClassifier(max_iter=5), HistGradientBoostingClassifier()),
    (
        VotingClassifier([("a", TREES), ("b", LogisticRegression())], voting="soft"),
        VotingClassifier([]),
    ),
    (VotingClassifier([("a", TREES), ("b", LinearSVC())]), VotingClassifier([])),
    (
        StackingClassifier([("a", TREES)], final_estimator=RidgeClassifier(), cv=2),
        StackingClassifier([]),
    ),
    (OneVsRestClassifier(LinearSVC()), OneVsRestClassifier(None)),
    (SGDClassifier(loss="log_loss"), SGDClassifier()),
    (SGDClassifier(loss="hinge"), SGDClassifier()),
    (KNeighborsClassifier(algorithm="kd_tree"), KNeighborsClassifier()),
    (DummyClassifier(), DummyClassifier()),
]


@pytest.mark.parametrize(("model", "final"), COMPOSITES)
def test_composites(
    model: BaseEstimator,
    final: BaseEstimator | str,
    frame: pd.DataFrame,
    decisions: np.ndarray,
    facts_of: FactsOf,
) -> None:
    model.fit(frame, decisions)
    facts = facts_of(model)
    assert_facts_equal(facts, model)
    assert facts.estimator == (final if isinstance(final, str) else type(final).__name__)
    assert facts.classes == ("approved", "rejected")
    assert facts.feature_names == tuple(frame)


def test_a_frozen_model_inside_a_calibrated_one(
    frame: pd.DataFrame, decisions: np.ndarray, facts_of: FactsOf
) -> None:
    frozen = FrozenEstimator(make_pipeline(StandardScaler(), SVC()).fit(frame, decisions))
    assert facts_of(frozen).estimator == "SVC"
    model = CalibratedClassifierCV(frozen).fit(frame, decisions)
    assert_facts_equal(facts_of(model), model)


@pytest.mark.parametrize(
    "labels", [["no", "yes"], [0, 1], [True, False], [1.0, 2.0], np.array(["a", "b"], object)]
)
def test_classes_keep_their_type(labels: list[object], facts_of: FactsOf) -> None:
    model = LogisticRegression().fit([[0.0], [1.0]] * 5, np.array([*labels] * 5))
    expected = sorted(labels)
    assert facts_of(model).classes == tuple(expected)
    assert [type(c) for c in facts_of(model).classes] == [type(c) for c in expected]


MULTI_OUTPUT = [
    # model, the number of outputs when fitted on three targets
    (LinearRegression(), 3),
    (Ridge(), 3),
    (make_pipeline(StandardScaler(), KNeighborsRegressor()), 3),
    (RandomForestRegressor(n_estimators=2), 3),
    (MLPRegressor(max_iter=5), 3),
    (KernelRidge(), 3),
    (PLSRegression(), 3),
    (GaussianProcessRegressor(), 3),
    (MultiOutputRegressor(Ridge()), 3),
    (RegressorChain(Ridge()), 3),
    (TransformedTargetRegressor(Ridge(), transformer=StandardScaler()), 3),
    (GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2), 3),
]


@pytest.mark.parametrize(("model", "n_outputs"), MULTI_OUTPUT)
def test_regression_on_several_targets(
    model: BaseEstimator, n_outputs: int, frame: pd.DataFrame, facts_of: FactsOf
) -> None:
    facts = facts_of(model.fit(frame, frame.to_numpy()))
    assert (facts.task, facts.n_outputs) == ("regression", n_outputs)
    facts = facts_of(model.fit(frame, frame[["age"]].to_numpy()))
    assert facts.n_outputs == 1


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(n_estimators=2),
        KNeighborsClassifier(),
        MLPClassifier(max_iter=5),
        RidgeClassifier(),
        OneVsRestClassifier(LogisticRegression()),
        MultiOutputClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression()),
        DummyClassifier(),
    ],
)
def test_classification_on_several_targets(
    model: BaseEstimator, frame: pd.DataFrame, facts_of: FactsOf
) -> None:
    facts = facts_of(model.fit(frame, (frame > 0.5).astype(int).to_numpy()))
    assert (facts.task, facts.classes, facts.n_outputs) == ("classification", None, 3)


def test_a_text_pipeline(facts_of: FactsOf) -> None:
    texts, labels = ["good film", "bad film", "good book", "bad book"], ["+", "-", "+", "-"]
    facts = facts_of(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels))
    assert facts.estimator == "LogisticRegression"
    assert facts.classes == ("+", "-")
    assert (facts.feature_names, facts.n_features) == (None, None)
    assert facts.unknown_names == ()


def test_the_steps_of_a_pipeline(pipeline: Pipeline, facts_of: FactsOf) -> None:
    assert facts_of(pipeline).steps == (
        Step("standardscaler", "sklearn.preprocessing._data.StandardScaler"),
        Step("logisticregression", "sklearn.linear_model._logistic.LogisticRegression"),
    )
    assert facts_of(KMeans(2).fit([[0.0], [1.0]])).steps == ()


def test_categories_of_an_encoder_are_no_classes(facts_of: FactsOf) -> None:
    frame = pd.DataFrame({"area": ["urban", "rural"] * 10, "income": range(20)})
    columns = ColumnTransformer([("areas", OneHotEncoder(), ["area"])], remainder="passthrough")
    facts = facts_of(make_pipeline(columns, Ridge()).fit(frame, frame["income"]))
    assert (facts.task, facts.classes) == ("regression", None)
    assert facts.feature_names == ("area", "income")


def scale(frame: pd.DataFrame) -> pd.DataFrame:
    """A function that is in no known library."""
    return frame


def test_names_that_need_trust_or_code(
    frame: pd.DataFrame, decisions: np.ndarray, facts_of: FactsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_pipeline(FunctionTransformer(scale), LogisticRegression()).fit(frame, decisions)
    facts = facts_of(model)
    assert (facts.unknown_names, facts.custom_names) == ((f"{__name__}.scale",), ())
    monkeypatch.setattr(scale, "__module__", "__main__")
    monkeypatch.setattr("__main__.scale", scale, raising=False)
    facts = facts_of(model)
    assert (facts.unknown_names, facts.custom_names) == ((), ("__main__.scale",))
