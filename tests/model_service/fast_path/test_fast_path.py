"""The fast path predicts what scikit-learn predicts: each step, each model, whole pipelines.

test_fast_path_proof.py also runs this file under other versions of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
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
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from model_service.columns.frames import model_input
from model_service.contract.batch import Column
from model_service.fast_path import FastPath, compile_fast_path
from model_service.fast_path.compile import compile_known_model
from model_service.fast_path.data import ColumnTable, RowPredict, to_matrix
from model_service.fast_path.single_row import compile_row_predict
from model_service.fast_path.steps import trees
from model_service.fast_path.steps.registry import (
    CompiledModel,
    CompiledTransformer,
    transformer_entry,
)

VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
FEW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking an example would fit hundreds of models
    suppress_health_check=list(HealthCheck),
)
WORDS = ["a", "Bb", "ccc dd", "é", "0", "1", ""]


@st.composite
def columns(draw: st.DrawFn, kinds: str = "nnntt", *, missing: bool = True) -> list[Column]:
    """Draw columns of numbers (n), whole numbers (i) and texts (t), some of them missing."""
    random = np.random.RandomState(draw(st.integers(0, 1000)))
    rows = draw(st.integers(12, 60))
    share = draw(st.sampled_from([0.0, 0.3])) if missing else 0.0
    scale = draw(st.sampled_from([1e-3, 1.0, 1e6]))
    found = []
    for number, kind in enumerate(kinds):
        gaps = random.rand(rows) < share
        gaps[:10] = False  # no column is empty
        if kind == "t":
            values = random.choice(WORDS[: draw(st.integers(2, 6))], rows).tolist()
        elif kind == "i":
            values, gaps = random.randint(-5, 5, rows).tolist(), np.zeros(rows, bool)
        else:
            values = (random.standard_normal(rows).round(2) * scale).tolist()
        values = [None if gap else value for gap, value in zip(gaps, values, strict=True)]
        name = {"t": "text", "i": "int", "n": "float"}[kind]
        found.append(Column(f"{kind}{number}", name, values))  # type: ignore[arg-type]
    return found


def frame_of(found: list[Column]) -> pd.DataFrame:
    frame: pd.DataFrame = model_input(found, "frame", None)
    return frame


def with_unseen(found: list[Column]) -> list[Column]:
    """Return the columns with a value in the first row that was not seen in the training."""
    changed = []
    for column in found:
        unseen: Any = "never seen" if column.kind == "text" else 10**7
        changed.append(Column(column.name, column.kind, [unseen, *column.values[1:]]))
    return changed


def dense(found: Any) -> Any:
    found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
    return found.astype(np.float64) if found.dtype != object else found


def assert_same(actual: Any, expected: Any) -> None:
    actual, expected = dense(to_matrix(actual)), dense(expected)
    assert actual.shape == expected.shape
    if expected.dtype == object:
        assert pd.DataFrame(actual).equals(pd.DataFrame(expected))
    else:
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def target(found: list[Column], classes: int) -> Any:
    """Return a class for each row, or a number if there are no classes."""
    random = np.random.RandomState(1)
    noise = random.standard_normal(len(found[0].values))
    first = np.array([-1.0 if v is None else v for v in found[0].values])
    score = first / (np.abs(first).max() + 1e-9) + 0.3 * noise
    if not classes:
        return score * 10
    return np.array(["no", "yes", "perhaps"])[pd.qcut(score, classes, labels=False)]


def compiled_transformer(fitted: Any) -> CompiledTransformer:
    """Compile by the registry's entry, without falling back to the transformer's own method."""
    return transformer_entry(fitted)(fitted)


def row_path(model: CompiledModel) -> RowPredict | None:
    return compile_row_predict([], model)


def fast_path_of(fitted: Any, names: tuple[str, ...], probabilities: bool = True) -> FastPath:
    return compile_fast_path(fitted, (), "frame", names, None, probabilities)


def one_by_one(found: list[Column]) -> Iterator[list[Column]]:
    for place in range(min(len(found[0].values), 15)):
        yield [Column(c.name, c.kind, c.values[place : place + 1]) for c in found]


def check_rows_of_step(step: CompiledTransformer, found: list[Column]) -> None:
    """Compare a step's single-row path with its matrix path, bit for bit."""
    if step.row is None:
        return
    for row in one_by_one(found):
        expected = to_matrix(step.matrix(ColumnTable(row, "frame")))
        actual = step.row([column.values[0] for column in row])
        if expected.dtype == object:
            assert actual == expected[0].tolist()
        else:
            assert np.array([actual], dtype=np.float64).tobytes() == expected.tobytes()


NUMBERS: dict[str, Any] = {
    "imputer": SimpleImputer(),
    "imputer, flags": SimpleImputer(strategy="median", add_indicator=True),
    "imputer, constant": SimpleImputer(strategy="constant", fill_value=-1),
    "standard": StandardScaler(),
    "standard, no mean": StandardScaler(with_mean=False),
    "standard, no scale": StandardScaler(with_std=False),
    "robust": RobustScaler(),
    "min-max": MinMaxScaler((-1, 2)),
    "min-max, clipped": MinMaxScaler(clip=True),
    "max-abs": MaxAbsScaler(),
    "logarithm": FunctionTransformer(np.cbrt),
    "nothing": FunctionTransformer(),
}
WHOLE: dict[str, Any] = {
    "polynomial": PolynomialFeatures(3),
    "interactions": PolynomialFeatures(2, interaction_only=True, include_bias=False),
    "standard, whole": StandardScaler(),
    "ordinal, whole": OrdinalEncoder(),
    "one-hot, whole": OneHotEncoder(handle_unknown="ignore"),
}
TEXTS: dict[str, Any] = {
    "most frequent": SimpleImputer(strategy="most_frequent"),
    "constant": SimpleImputer(strategy="constant", fill_value="none"),
    "one-hot": OneHotEncoder(handle_unknown="ignore"),
    "one-hot, dropped": OneHotEncoder(drop="first", sparse_output=False),
    "one-hot, dropped if two": OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
    "one-hot, infrequent": OneHotEncoder(min_frequency=6, handle_unknown="infrequent_if_exist"),
    "one-hot, at most": OneHotEncoder(max_categories=2, handle_unknown="ignore", dtype=np.float32),
    "one-hot, infrequent dropped": OneHotEncoder(
        min_frequency=6, drop="first", handle_unknown="infrequent_if_exist"
    ),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "ordinal, missing": OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=-2
    ),
}
if VERSION >= (1, 3):
    TEXTS["ordinal, infrequent"] = OrdinalEncoder(
        min_frequency=6, handle_unknown="use_encoded_value", unknown_value=-1
    )
STEPS = [
    *(
        (kinds, name, step)
        for kinds, named in (("nnn", NUMBERS), ("iii", WHOLE), ("tt", TEXTS))
        for name, step in named.items()
    ),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kinds", "step"), [(kinds, step) for kinds, _, step in STEPS], ids=[n for _, n, _ in STEPS]
)
@given(data=st.data())
@FEW
def test_a_transformer_returns_what_scikit_learn_returns(
    kinds: str, step: Any, data: st.DataObject
) -> None:
    found = data.draw(columns(kinds))
    fitted = sklearn.base.clone(step).fit(frame_of(found))
    compiled = compiled_transformer(fitted)
    for rows in (found, with_unseen(found)):
        try:
            expected = fitted.transform(frame_of(rows))
        except ValueError:  # an unknown category
            with pytest.raises(ValueError, match="unknown category"):
                compiled.matrix(ColumnTable(rows, "frame"))
            continue
        assert_same(compiled.matrix(ColumnTable(rows, "frame")), expected)
        first_row = [Column(c.name, c.kind, c.values[:1]) for c in rows]
        assert_same(compiled.matrix(ColumnTable(first_row, "frame")), dense(expected)[:1])
        check_rows_of_step(compiled, rows)


@pytest.mark.skipif(VERSION < (1, 3), reason="TargetEncoder came with scikit-learn 1.3")
@given(found=columns("tt"), classes=st.sampled_from([0, 2]))
@FEW
def test_a_target_encoder_returns_what_scikit_learn_returns(
    found: list[Column], classes: int
) -> None:
    from sklearn.preprocessing import TargetEncoder  # noqa: PLC0415

    size = len(found[0].values)
    y = np.arange(size) % classes if classes else np.linspace(0, 1, size)
    fitted = TargetEncoder(cv=2).fit(frame_of(found), y)
    compiled = compiled_transformer(fitted)
    for rows in (found, with_unseen(found)):
        assert_same(compiled.matrix(ColumnTable(rows, "frame")), fitted.transform(frame_of(rows)))
        check_rows_of_step(compiled, rows)


CLASSIFIERS: dict[str, Any] = {
    "logistic": LogisticRegression(),
    "SGD": make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss")),
    "discriminant": LinearDiscriminantAnalysis(),
    "tree": DecisionTreeClassifier(max_depth=5),
    "forest": RandomForestClassifier(7),
    "extra trees": ExtraTreesClassifier(7, class_weight="balanced"),
    "gradient boosting": GradientBoostingClassifier(n_estimators=7),
    "histograms": HistGradientBoostingClassifier(max_iter=7, min_samples_leaf=3),
    "search": GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
    "calibrated": CalibratedClassifierCV(LinearSVC(), cv=2),
    "isotonic": CalibratedClassifierCV(DecisionTreeClassifier(), cv=2, method="isotonic"),
    "voting": VotingClassifier(
        [("a", LogisticRegression()), ("b", GaussianNB())], voting="soft", weights=[1, 2]
    ),
    "stacking": StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], cv=2),
    "pipeline": make_pipeline(StandardScaler(), SelectKBest(k=2), LogisticRegression()),
}
CLASSES_ONLY: dict[str, Any] = {
    "linear SVC": LinearSVC(),
    "ridge": RidgeClassifier(),
    "logistic": LogisticRegression(),
    "forest": RandomForestClassifier(7),
    "gradient boosting": GradientBoostingClassifier(n_estimators=7),
    "histograms": HistGradientBoostingClassifier(max_iter=7, min_samples_leaf=3),
}
REGRESSORS: dict[str, Any] = {
    "linear": LinearRegression(),
    "ridge": Ridge(),
    "lasso": Lasso(alpha=0.01),
    "tree": DecisionTreeRegressor(max_depth=5),
    "forest": RandomForestRegressor(7),
    "extra trees": ExtraTreesRegressor(7),
    "gradient boosting": GradientBoostingRegressor(n_estimators=7),
    "histograms": HistGradientBoostingRegressor(max_iter=7, min_samples_leaf=3),
    "counts": HistGradientBoostingRegressor(loss="poisson", max_iter=7, min_samples_leaf=3),
    "voting": VotingRegressor([("a", Ridge()), ("b", LinearRegression())]),
    "stacking": StackingRegressor([("a", Ridge()), ("b", LinearRegression())], cv=2),
    "logarithm of the target": TransformedTargetRegressor(
        Ridge(), func=np.log1p, inverse_func=np.expm1
    ),
}


def check_model(model: Any, found: list[Column], *, probabilities: bool, kind: Any) -> None:
    """Compare a compiled model with its own methods: all rows together, and the first one."""
    compiled = compile_known_model(model, probabilities)
    for rows in (found, [Column(c.name, c.kind, c.values[:1]) for c in found]):
        values, shares = compiled.matrix(ColumnTable(rows, kind))
        native = model_input(rows, kind, None)
        expected = model.predict(native)
        if expected.dtype.kind == "f":
            assert_same(values, expected)
        else:
            assert values.tolist() == expected.tolist()
        if probabilities:
            assert_same(shares, model.predict_proba(native))
    check_rows_of_model(compiled, found, kind)
    check_rows_among_others(compiled, found, kind)


def check_rows_among_others(compiled: CompiledModel, found: list[Column], kind: Any) -> None:
    """Compare each row alone with the same row among others, bit for bit, if that is promised."""
    if not compiled.is_bitwise_batch_invariant:
        return
    values, shares = compiled.matrix(ColumnTable(found, kind))
    for place, row in enumerate(one_by_one(found)):
        value, share = compiled.matrix(ColumnTable(row, kind))
        assert value.tolist() == values[place : place + 1].tolist()
        if shares is not None:
            assert share.tobytes() == np.ascontiguousarray(shares[place : place + 1]).tobytes()


def check_rows_of_model(compiled: CompiledModel, found: list[Column], kind: Any) -> None:
    """Compare a model's single-row path, if it has one, with its matrix path, bit for bit."""
    if (predict_row := row_path(compiled)) is None:
        return
    for row in one_by_one(found):
        values, shares = compiled.matrix(ColumnTable(row, kind))
        actual = predict_row([column.values[0] for column in row])
        expected = np.ravel(values).tolist()[0], None if shares is None else shares[0].tolist()
        assert repr(actual) == repr(expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", CLASSIFIERS.values(), ids=CLASSIFIERS)
@given(found=columns("nni", missing=False), kind=st.sampled_from(["frame", "array"]))
@FEW
def test_a_classifier_predicts_what_scikit_learn_predicts(
    model: Any, found: list[Column], classes: int, kind: Any
) -> None:
    fitted = sklearn.base.clone(model).fit(model_input(found, kind, None), target(found, classes))
    check_model(fitted, found, probabilities=True, kind=kind)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", CLASSES_ONLY.values(), ids=CLASSES_ONLY)
@given(found=columns("nni", missing=False))
@FEW
def test_classes_are_predicted_without_probabilities(
    model: Any, found: list[Column], classes: int
) -> None:
    fitted = sklearn.base.clone(model).fit(frame_of(found), target(found, classes))
    check_model(fitted, found, probabilities=False, kind="frame")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", REGRESSORS.values(), ids=REGRESSORS)
@given(found=columns("nni", missing=False), kind=st.sampled_from(["frame", "array"]))
@FEW
def test_a_regressor_predicts_what_scikit_learn_predicts(
    model: Any, found: list[Column], kind: Any
) -> None:
    fitted = sklearn.base.clone(model).fit(model_input(found, kind, None), np.abs(target(found, 0)))
    check_model(fitted, found, probabilities=False, kind=kind)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("classes", [0, 2, 3])
@given(found=columns("nnn"))
@FEW
def test_hist_gradient_boosting_takes_missing_numbers(found: list[Column], classes: int) -> None:
    model = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    fitted = model(max_iter=5, min_samples_leaf=3).fit(frame_of(found), target(found, classes))
    check_model(fitted, found, probabilities=bool(classes), kind="frame")


@pytest.mark.skipif(VERSION < (1, 4), reason="forests take missing numbers since scikit-learn 1.4")
@pytest.mark.parametrize(
    "model", [DecisionTreeClassifier(), RandomForestClassifier(5), RandomForestRegressor(5)]
)
@given(found=columns("nnn"))
@FEW
def test_trees_take_missing_numbers(model: Any, found: list[Column]) -> None:
    y = target(found, 0 if isinstance(model, RandomForestRegressor) else 2)
    fitted = sklearn.base.clone(model).fit(frame_of(found), y)
    probabilities = hasattr(fitted, "predict_proba")
    check_model(fitted, found, probabilities=probabilities, kind="frame")


@pytest.mark.filterwarnings("ignore")
@given(found=columns("iin", missing=False))
@FEW
def test_hist_gradient_boosting_takes_categorical_features(found: list[Column]) -> None:
    codes = [Column(c.name, "float", [abs(float(v)) for v in c.values]) for c in found]  # type: ignore[arg-type]
    model = HistGradientBoostingRegressor(
        max_iter=5, min_samples_leaf=2, categorical_features=[0, 1]
    )
    fitted = model.fit(frame_of(codes), target(codes, 0))
    check_model(fitted, codes, probabilities=False, kind="frame")


def test_many_rows_and_large_forests_are_traversed_tree_by_tree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.RandomState(0)
    values = random.standard_normal((300, 3))
    y = (values[:, 0] > 0).astype(int)
    found = [Column(f"n{n}", "float", column.tolist()) for n, column in enumerate(values.T)]
    monkeypatch.setattr(trees, "MAX_COPIED_NODES", 0)
    monkeypatch.setattr(trees, "MAX_JOINT_TRAVERSALS", 0)
    for model in (RandomForestClassifier(5), HistGradientBoostingClassifier(max_iter=5)):
        check_model(model.fit(frame_of(found), y), found, probabilities=True, kind="frame")


@pytest.mark.parametrize("classes", [2, 3])
def test_a_forest_adds_few_and_many_rows_in_the_same_order(classes: int) -> None:
    random = np.random.RandomState(0)
    matrix = random.standard_normal((trees.MAX_JOINT_ROWS + 1, 3))
    model = RandomForestClassifier(30, max_depth=4, random_state=0)
    model.fit(matrix, np.digitize(matrix[:, 0], [-0.5, 0.5][: classes - 1]))
    predict = compile_known_model(model, True).matrix
    _, together = predict(matrix)
    parts = np.array_split(matrix, 5)
    np.testing.assert_array_equal(together, np.concatenate([predict(p)[1] for p in parts]))
    np.testing.assert_array_equal(together, model.predict_proba(matrix))


TEXT = ["the loan is paid", "", "no loan, no money", "Paid money money", "ünïcode loan"] * 4
VECTORIZERS: dict[str, Any] = {
    "counts": CountVectorizer(ngram_range=(1, 2)),
    "there or not": CountVectorizer(binary=True, analyzer="char_wb", ngram_range=(2, 3)),
    "weights": TfidfVectorizer(sublinear_tf=True),
    "weights, l1": TfidfVectorizer(norm="l1", smooth_idf=False, stop_words="english"),
    "weights, no norm": TfidfVectorizer(norm=None, use_idf=False),
    "two steps": make_pipeline(CountVectorizer(), TfidfTransformer()),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("vectorizer", VECTORIZERS.values(), ids=VECTORIZERS)
@pytest.mark.parametrize("last", [LogisticRegression(), MultinomialNB(), LinearSVC()])
def test_texts_are_vectorized_as_scikit_learn_does(vectorizer: Any, last: Any) -> None:
    y = np.arange(len(TEXT)) % 3
    model = make_pipeline(sklearn.base.clone(vectorizer), sklearn.base.clone(last)).fit(TEXT, y)
    asked = [Column("text", "text", [*TEXT, "words that nobody knows", None])]
    probabilities = not isinstance(last, LinearSVC)
    check_model(model, asked, probabilities=probabilities, kind="texts")


def test_all_vectorizers_are_registered() -> None:
    for vectorizer in VECTORIZERS.values():
        for _, step in getattr(vectorizer, "steps", [("", vectorizer)]):
            assert transformer_entry(step) is not None


class Doubler(sklearn.base.TransformerMixin, sklearn.base.BaseEstimator):  # type: ignore[misc]
    """A user-defined transformer that takes and returns frames."""

    def fit(self, frame: pd.DataFrame, y: Any = None) -> Doubler:
        self.names_ = list(frame.columns)
        self.feature_names_in_ = np.array(self.names_, dtype=object)  # as scikit-learn sets it
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        assert list(frame.columns) == self.names_
        return frame.assign(**{frame.columns[0]: frame[frame.columns[0]] * 2})


NUMERIC, TEXTUAL = ["n0", "n1", "i2"], ["t3", "t4"]
ONE_HOT = OneHotEncoder(handle_unknown="ignore")


def filled(scaler: Any) -> Any:
    return make_pipeline(SimpleImputer(), scaler)


COMPOSED: dict[str, Any] = {
    "by name": ColumnTransformer(
        [
            ("numbers", filled(StandardScaler()), NUMERIC),
            ("texts", make_pipeline(SimpleImputer(strategy="most_frequent"), ONE_HOT), TEXTUAL),
        ]
    ),
    "by position": ColumnTransformer(
        [("numbers", filled(MinMaxScaler()), [2, 0]), ("texts", ONE_HOT, [4])]
    ),
    "by slice and mask": ColumnTransformer(
        [
            ("numbers", filled(RobustScaler()), slice("n0", "i2")),
            ("texts", ONE_HOT, [False, False, False, True, True]),
        ]
    ),
    "by selector": ColumnTransformer(
        [
            ("numbers", filled(StandardScaler()), make_column_selector(dtype_include="number")),
            ("texts", ONE_HOT, make_column_selector(dtype_exclude="number")),
        ],
        transformer_weights={"numbers": 0.5},
    ),
    "the rest as it is": ColumnTransformer(
        [
            ("texts", ONE_HOT, TEXTUAL),
            ("none", "drop", ["n0"]),
            ("number", filled(StandardScaler()), ["n1"]),  # so that no two neighbours tie
        ],
        remainder="passthrough",
    ),
    "the rest scaled": ColumnTransformer(
        [("texts", ONE_HOT, TEXTUAL)], remainder=filled(StandardScaler())
    ),
    "sparse": ColumnTransformer(
        [("texts", ONE_HOT, TEXTUAL), ("numbers", filled(MaxAbsScaler()), NUMERIC)],
        sparse_threshold=1.0,
    ),
    "one text": ColumnTransformer(
        [("words", TfidfVectorizer(analyzer="char"), "t3"), ("number", "passthrough", ["i2"])]
    ),
    "a step of one's own": make_pipeline(
        Doubler(),
        ColumnTransformer([("n", filled(StandardScaler()), ["n0"]), ("t", ONE_HOT, TEXTUAL)]),
    ),
    "an unknown step inside": ColumnTransformer(
        [("numbers", filled(PCA(2)), NUMERIC), ("own", Doubler(), ["i2"])]
    ),
    "frames between the steps": make_pipeline(
        ColumnTransformer([("numbers", filled(StandardScaler()), NUMERIC)]), PCA(2)
    ).set_output(transform="pandas"),
    "frames of filled texts": ColumnTransformer(
        [
            ("numbers", filled(StandardScaler()), NUMERIC),  # so that no two neighbours tie
            (
                "texts",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent").set_output(transform="pandas"),
                    Doubler(),
                    ONE_HOT,
                ),
                TEXTUAL,
            ),
        ]
    ),
    "a union": make_pipeline(
        ColumnTransformer([("numbers", SimpleImputer(), NUMERIC)]),
        FeatureUnion([("scaled", StandardScaler()), ("pca", PCA(1)), ("as is", "passthrough")]),
    ),
}
LAST: dict[str, Any] = {
    "logistic": LogisticRegression(),
    "forest": RandomForestClassifier(3),
    "SVC": SVC(),
    "neighbours": KNeighborsClassifier(3),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("composed", COMPOSED.values(), ids=COMPOSED)
@given(found=columns("nnitt"))
@settings(FEW, max_examples=3)
def test_a_pipeline_predicts_what_scikit_learn_predicts(
    composed: Any, last: str, found: list[Column]
) -> None:
    # A vectorizer takes no missing texts; before scikit-learn 1.3 an encoder takes none either.
    found = [
        Column(c.name, c.kind, ["a" if v is None else v for v in c.values])
        if c.name == "t3" or (c.kind == "text" and VERSION < (1, 3))
        else c
        for c in found
    ]
    model = make_pipeline(sklearn.base.clone(composed), sklearn.base.clone(LAST[last]))
    fitted = model.fit(frame_of(found), target(found, 2))
    probabilities = hasattr(fitted, "predict_proba")
    for rows in (found, [*with_unseen(found[:3]), *found[3:]]):
        check_model(fitted, rows, probabilities=probabilities, kind="frame")


WITH_ROW_PATH = {
    "by name",
    "by position",
    "by slice and mask",
    "by selector",
    "the rest as it is",
    "the rest scaled",
    "sparse",
}
STEPS_WITHOUT_ROW_PATH = {"logarithm", "polynomial", "interactions", "one-hot, at most"}


@pytest.mark.filterwarnings("ignore")
def test_a_single_row_has_a_path_of_its_own_if_all_steps_have_one() -> None:
    random = np.random.RandomState(0)
    found = [
        *(Column(f"n{n}", "float", random.standard_normal(30).tolist()) for n in range(2)),
        Column("i2", "int", random.randint(0, 9, 30).tolist()),
        *(Column(f"t{n}", "text", random.choice(WORDS[:3], 30).tolist()) for n in (3, 4)),
    ]
    frame, names = frame_of(found), tuple(c.name for c in found)
    having = set()
    for name, composed in COMPOSED.items():
        model = make_pipeline(sklearn.base.clone(composed), LogisticRegression())
        if fast_path_of(model.fit(frame, target(found, 2)), names).predict_row is not None:
            having.add(name)
    assert having == WITH_ROW_PATH
    having = set()
    for kinds, name, step in STEPS:
        fitted = sklearn.base.clone(step).fit(frame.iloc[:, :3] if kinds != "tt" else frame[["t3"]])
        if compiled_transformer(fitted).row is not None:
            having.add(name)
    assert having == {name for _, name, _ in STEPS} - STEPS_WITHOUT_ROW_PATH


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("before", [(), (MinMaxScaler(),)], ids=["no step", "a step"])
@pytest.mark.parametrize(
    ("last", "single_rows"),
    [
        (LogisticRegression(), "always"),
        (RandomForestClassifier(3), "always"),
        (VotingClassifier([("a", GaussianNB())], voting="soft"), "after steps"),
        (SVC(), "never"),
    ],
)
def test_which_models_have_a_path_for_single_rows(
    last: Any, single_rows: str, before: tuple[Any, ...]
) -> None:
    values = np.random.RandomState(0).standard_normal((30, 2))
    found = [Column(f"n{n}", "float", column.tolist()) for n, column in enumerate(values.T)]
    model = make_pipeline(*before, last).fit(frame_of(found), target(found, 2))
    probabilities = hasattr(model, "predict_proba")
    compiled = fast_path_of(model, ("n0", "n1"), probabilities)
    assert (compiled.predict_row is not None) == (
        single_rows == "always" or (single_rows == "after steps" and before != ())
    )
    without = compile_fast_path(
        model, (), "frame", ("n0", "n1"), None, probabilities, single_rows=False
    )
    assert without.predict_row is None
    check_model(model, found, probabilities=probabilities, kind="frame")


@pytest.mark.parametrize(
    "scaler", [StandardScaler(), RobustScaler(), MinMaxScaler(), SimpleImputer()]
)
def test_the_row_path_refuses_what_the_matrix_path_refuses(scaler: Any) -> None:
    found = [Column(f"n{n}", "float", [1.0, 2.0, 3.0, 5.0 - n]) for n in range(2)]
    steps = make_pipeline(scaler, StandardScaler(), LogisticRegression())
    fitted = steps.fit(frame_of(found), [0, 1, 0, 1])
    compiled = compile_known_model(fitted, True)
    predict_row = row_path(compiled)
    assert predict_row is not None
    for value in (np.inf, -np.inf, 1.7e308, "1", "text", np.nan, None):
        row = [Column("n0", "float", [value]), Column("n1", "float", [-1.7e308])]
        try:
            values, shares = compiled.matrix(ColumnTable(row, "frame"))
        except ValueError:
            with pytest.raises((TypeError, ValueError)):
                predict_row([value, -1.7e308])
            continue
        expected = values.tolist()[0], shares[0].tolist()
        with suppress(TypeError):  # NumPy reads this text as a number
            assert repr(predict_row([value, -1.7e308])) == repr(expected)
    with pytest.raises(ValueError, match="zip"):
        predict_row([1.0])


@pytest.mark.filterwarnings("ignore")
def test_text_that_looks_like_a_number_stays_text() -> None:
    """NumPy would turn them into numbers, which the encoder inside the model does not know."""
    inner = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    voting = VotingClassifier([("a", inner)], voting="soft")
    model = make_pipeline(SimpleImputer(strategy="most_frequent"), voting)
    found = [Column("t0", "text", ["1", "2", "3"] * 5)]
    fitted = model.fit(frame_of(found), [0, 1, 1] * 5)
    fast_path = fast_path_of(fitted, ("t0",))
    _, shares = fast_path.predict_columns([Column("t0", "text", ["1"])])
    assert shares.tolist()[0] == fitted.predict_proba(frame_of(found))[0].tolist()
    assert fast_path.predict_row is not None
    with pytest.raises(TypeError, match="text"):
        fast_path.predict_row(["1"])


def test_more_rows_than_a_chunk_are_predicted_alike() -> None:
    values = np.random.RandomState(0).standard_normal((3000, 2))
    found = [Column(f"n{n}", "float", column.tolist()) for n, column in enumerate(values.T)]
    model = LogisticRegression().fit(frame_of(found), values[:, 0] > 0)
    labels, shares = fast_path_of(model, ("n0", "n1")).predict_columns(found[::-1])
    assert labels.tolist() == model.predict(frame_of(found)).tolist()
    assert_same(shares, model.predict_proba(frame_of(found)))


def test_the_fast_path_refuses_what_the_model_refuses() -> None:
    found = [Column("n0", "float", [1.0, 2.0, 3.0, 4.0]), Column("n1", "float", [0.0, 1, 0, 1])]
    y = [0, 1, 0, 1]
    missing = [Column("n0", "float", [None, 1, 1, 1]), found[1]]
    huge = [Column("n0", "float", [1e39, 1, 1, 1]), found[1]]
    narrow = found[:1]
    for model, refused in (
        (LogisticRegression(), (missing, narrow)),
        (RandomForestClassifier(2), (huge, narrow)),
        (GradientBoostingClassifier(), (missing, huge, narrow)),
    ):
        predict = compile_known_model(model.fit(frame_of(found), y), True).matrix
        for rows in refused:
            with pytest.raises(ValueError, match=r"columns|number|size"):
                predict(ColumnTable(rows, "frame"))


def test_a_missing_attribute_costs_only_speed() -> None:
    class Scaler(StandardScaler):  # type: ignore[misc]
        """A scaler of a version in which the attribute has another name."""

        def transform(self, frame: pd.DataFrame) -> Any:
            return (frame.to_numpy() - self.center_) / self.scale_

    Scaler.__name__, Scaler.__module__ = "StandardScaler", "sklearn.preprocessing"
    found = [Column("n0", "float", [1.0, 2.0, 3.0, 4.0])]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    fitted = model.fit(frame_of(found), [0, 1, 0, 1])
    expected = fitted.predict_proba(frame_of(found))
    fitted[0].__class__ = Scaler
    fitted[0].center_ = fitted[0].__dict__.pop("mean_")
    with pytest.raises(AttributeError):
        compiled_transformer(fitted[0])
    assert_same(fast_path_of(fitted, ("n0",)).predict_columns(found)[1], expected)


BOOSTERS = {
    "xgboost": ("XGBClassifier", "XGBRegressor", {"n_estimators": 7}),
    "lightgbm": ("LGBMClassifier", "LGBMRegressor", {"n_estimators": 7, "verbose": -1}),
    "catboost": (
        "CatBoostClassifier",
        "CatBoostRegressor",
        {"n_estimators": 7, "verbose": False, "allow_writing_files": False},
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["frame", "array"])
@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("library", BOOSTERS)
@given(found=columns("nnni"))
@settings(FEW, max_examples=4)
def test_a_booster_predicts_what_its_library_predicts(
    library: str, found: list[Column], classes: int, kind: Any
) -> None:
    module = pytest.importorskip(library)
    classifier, regressor, options = BOOSTERS[library]
    y = target(found, classes)
    if library == "xgboost" and classes:
        y = np.unique(y, return_inverse=True)[1]
    model = getattr(module, classifier if classes else regressor)(**options)
    fitted = model.fit(model_input(found, kind, None), y)
    check_model(fitted, found, probabilities=bool(classes), kind=kind)
