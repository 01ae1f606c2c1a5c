"""The registry's entries are complete, and one entry is all that a new step needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # adds classes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, StandardScaler
from sklearn.utils import all_estimators

from model_service.contract.batch import Column
from model_service.fast_path import compile_fast_path
from model_service.fast_path.data import (
    ColumnTable,
    Data,
    RowValues,
    row_to_floats,
    to_floats,
    to_matrix,
)
from model_service.fast_path.single_row import compile_row_predict
from model_service.fast_path.steps import registry
from model_service.fast_path.steps.registry import CompiledTransformer, register_transformer

RANDOM = np.random.RandomState(0)
ROWS = 60
NUMBERS = RANDOM.standard_normal((ROWS, 3)).round(2) ** 2
CLASSES = (NUMBERS[:, 0] > 0.5).astype(int)
TEXTS = ["the loan is paid", "no loan, no money", "paid money money"] * (ROWS // 3)
SKLEARN = dict(all_estimators())

CLASSIFIER = ("a", LogisticRegression())
PARAMETERS: dict[str, dict[str, Any]] = {
    "CalibratedClassifierCV": {"estimator": LogisticRegression(), "cv": 2},
    "ColumnTransformer": {"transformers": [("a", StandardScaler(), [0, 1])]},
    "FeatureUnion": {"transformer_list": [("a", StandardScaler())]},
    "GenericUnivariateSelect": {"mode": "k_best", "param": 1},
    "Pipeline": {"steps": [("a", StandardScaler()), ("b", LogisticRegression())]},
    "RFE": {"estimator": LogisticRegression()},
    "RFECV": {"estimator": LogisticRegression(), "cv": 2},
    "RandomizedSearchCV": {
        "estimator": LogisticRegression(),
        "param_distributions": {"C": [1, 2]},
        "n_iter": 2,
    },
    "SGDClassifier": {"loss": "log_loss"},
    "SelectFdr": {"alpha": 0.9},
    "SelectFpr": {"alpha": 0.9},
    "SelectFromModel": {"estimator": LogisticRegression()},
    "SelectFwe": {"alpha": 0.9},
    "SelectKBest": {"k": 1},
    "SequentialFeatureSelector": {"estimator": LogisticRegression(), "cv": 2},
    "StackingClassifier": {"estimators": [CLASSIFIER], "cv": 2},
    "StackingRegressor": {"estimators": [("a", Ridge())], "cv": 2},
    "VotingClassifier": {"estimators": [CLASSIFIER], "voting": "soft"},
    "VotingRegressor": {"estimators": [("a", Ridge())]},
    **{
        name: {"estimator": LogisticRegression(), "param_grid": {"C": [1, 2]}, "cv": 2}
        for name in ("GridSearchCV", "HalvingGridSearchCV")
    },
    "HalvingRandomSearchCV": {
        "estimator": LogisticRegression(),
        "param_distributions": {"C": [1, 2]},
        "cv": 2,
    },
}


IDENTITY = CompiledTransformer(lambda data: data, list)


def registered(entries: dict[registry.Key, Any]) -> list[str]:
    """Return the registered classes that this version of scikit-learn has."""
    return sorted(name for library, name in entries if library == "sklearn" and name in SKLEARN)


def training_input(name: str) -> tuple[Any, Data]:
    """Return what the class is fitted on, and the same as the fast path gets it."""
    if name in ("CountVectorizer", "TfidfVectorizer"):
        return TEXTS, ColumnTable([Column("text", "text", list(TEXTS))], "texts")
    if name == "TfidfTransformer":
        return csr_matrix(NUMBERS), csr_matrix(NUMBERS)
    if name == "LabelEncoder":
        return CLASSES, CLASSES.reshape(-1, 1)
    columns = [Column(f"n{n}", "float", c.tolist()) for n, c in enumerate(NUMBERS.T)]
    return NUMBERS, ColumnTable(columns, "array")


def dense(matrix: Any) -> Any:
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)


def fitted(name: str) -> Any:
    data, _ = training_input(name)
    estimator = SKLEARN[name](**PARAMETERS.get(name, {}))
    return estimator.fit(data) if name == "LabelEncoder" else estimator.fit(data, CLASSES)


def test_registered_classes_of_scikit_learn_exist() -> None:
    names = {n for library, n in (*registry.TRANSFORMERS, *registry.MODELS) if library == "sklearn"}
    assert names - set(SKLEARN) <= {"TargetEncoder"}  # which came with scikit-learn 1.3


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_registered_classes_of_boosters_exist(library: str) -> None:
    module = pytest.importorskip(library)
    names = [name for other, name in registry.MODELS if other == library]
    assert names
    assert all(hasattr(module, name) for name in names)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", registered(registry.TRANSFORMERS))
def test_a_transformer_has_a_matrix_path_and_a_row_path_or_a_reason(name: str) -> None:
    transformer = fitted("Pipeline")[:1] if name == "Pipeline" else fitted(name)
    compiled = registry.transformer_entry(transformer)(transformer)
    data, columns = training_input(name)
    native = transformer.transform(data)
    expected = native.reshape(-1, 1) if name == "LabelEncoder" else native
    matrix = dense(to_matrix(compiled.matrix(columns)))
    np.testing.assert_allclose(matrix, dense(expected), rtol=1e-12, atol=1e-12)
    assert (compiled.row is None) == bool(compiled.no_row)
    if compiled.row is not None:
        assert compiled.row(NUMBERS[7].tolist()) == matrix[7].tolist()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", registered(registry.MODELS))
def test_a_model_has_a_matrix_path_and_if_it_is_inline_a_row_path(name: str) -> None:
    model = fitted(name)
    probabilities = hasattr(model, "predict_proba")
    compiled = registry.model_entry(model)(model, probabilities)
    data, columns = training_input(name)
    predicted, shares = compiled.matrix(columns)
    np.testing.assert_allclose(predicted, model.predict(data), rtol=1e-12, atol=1e-12)
    if probabilities:
        np.testing.assert_allclose(shares, model.predict_proba(data), rtol=1e-12, atol=1e-12)
    # A row that is predicted inline never takes the long way through a ColumnTable.
    assert not compiled.inline or compiled.single_rows != "never"
    if (predict_row := compile_row_predict([IDENTITY], compiled)) is not None:
        value, row_shares = predict_row(NUMBERS[7].tolist())
        values, shares = compiled.matrix(NUMBERS[7:8])
        # The order of a sum can change its last bit, as the processor does.
        assert value == pytest.approx(np.ravel(values).tolist()[0], rel=1e-12, abs=1e-12)
        assert (row_shares is None) == (shares is None)
        if shares is not None:
            np.testing.assert_allclose(row_shares, shares[0], rtol=1e-12, atol=1e-12)


def test_a_new_step_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("n0", "n1", "n2")
    columns = [Column(name, "float", c.tolist()) for name, c in zip(names, NUMBERS.T, strict=True)]
    model = make_pipeline(Binarizer(threshold=0.5), LogisticRegression()).fit(NUMBERS, CLASSES)

    def compiled() -> Any:
        return compile_fast_path(model, (), "array", names, None, True)

    before = compiled()
    assert not before.inline
    assert before.predict_row is None

    monkeypatch.setattr(registry, "TRANSFORMERS", dict(registry.TRANSFORMERS))

    @register_transformer("sklearn", "Binarizer")
    def _binarizer(binarizer: Any) -> CompiledTransformer:
        threshold = binarizer.threshold

        def binarize(data: Data) -> Any:
            return (to_floats(data) > threshold).astype(np.float64)

        def binarize_row(values: RowValues) -> RowValues:
            return [float(value > threshold) for value in row_to_floats(values)]

        return CompiledTransformer(binarize, binarize_row)

    after = compiled()
    assert after.inline
    _, shares = after.predict_columns(columns)
    assert shares.tolist() == model.predict_proba(NUMBERS).tolist()
    assert after.predict_row is not None
    for row, expected in zip(NUMBERS.tolist(), shares.tolist(), strict=True):
        assert after.predict_row(row)[1] == expected
