"""Train and save the models of the zoo, inside an environment with the libraries of one year.

    python train_models.py FOLDER [WORD ...]

With words, only the models that have one of them in their name are trained.
Each model gets a folder with its files and `case.json`: the answers to cookiecutter's questions,
and either rows with the model's own predictions, or words of the refusal. Models that the
environment cannot train (a library is missing or too old) are left out.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import importlib
import json
import lzma
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelEncoder,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.utils import all_estimators

Case = dict[str, Any]
Make = Callable[[Path], Case]

ROWS, ROWS_ASKED = 120, 12
RANDOM = np.random.RandomState(7)
LOANS = pd.DataFrame(
    {
        "Income": RANDOM.gamma(3, 1500, ROWS).round(),
        "Gender": RANDOM.choice(["Female", "Male"], ROWS),
        "credit_limit_used(%)": RANDOM.uniform(0, 100, ROWS).round(1),
        "Area": RANDOM.choice(["Rural", "Semiurban", "Urban"], ROWS),
        "Dependents_3+": RANDOM.randint(0, 2, ROWS),
    }
)
NUMBERS = LOANS[["Income", "credit_limit_used(%)", "Dependents_3+"]].astype(float)
POSITIVE = (NUMBERS - NUMBERS.min()) / (NUMBERS.max() - NUMBERS.min()) + 0.1
SCORE = LOANS["Income"] / 9000 + (LOANS["Area"] == "Urban") - NUMBERS["credit_limit_used(%)"] / 90
LOAN = SCORE.gt(SCORE.median()).map({True: "Y", False: "N"})
YES = (LOAN == "Y").astype(int)
GRADE = pd.cut(SCORE, 3, labels=False)
AMOUNT = (SCORE * 1000 + 3000).round(2)
TEXTS = ["win free money now", "see you at lunch", "claim free prize", "the report is due"] * 10
SPAM = ["spam", "ham"] * 20
WITH_GAPS = NUMBERS.mask(RANDOM.uniform(size=NUMBERS.shape) < 0.1)


# Ways to save a model.


def by_pickle(protocol: int) -> Callable[[Any, Path], None]:
    def save(value: Any, path: Path) -> None:
        path.write_bytes(pickle.dumps(value, protocol=protocol))

    return save


def by_joblib(**options: Any) -> Callable[[Any, Path], None]:
    def save(value: Any, path: Path) -> None:
        joblib.dump(value, path, **options)

    return save


def packed(compress: Callable[[bytes], bytes]) -> Callable[[Any, Path], None]:
    def save(value: Any, path: Path) -> None:
        path.write_bytes(compress(pickle.dumps(value)))

    return save


WAYS: Mapping[str, Callable[[Any, Path], None]] = {
    **{f"pickle {protocol}": by_pickle(protocol) for protocol in range(6)},
    "joblib": by_joblib(),
    **{f"joblib {name}": by_joblib(compress=(name, 3)) for name in "zlib gzip bz2 xz lzma".split()},
    "gzip": packed(gzip.compress),
    "bz2": packed(bz2.compress),
    "xz": packed(lzma.compress),
}


# The rows to predict, and the model's own predictions.


def native(value: Any) -> Any:
    """Return a prediction as JSON values, with null for a missing one."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        return [native(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def served(
    folder: Path,
    files: Mapping[str, Any],
    data: pd.DataFrame,
    predict: Callable[[pd.DataFrame], Any],
    predict_proba: Callable[[pd.DataFrame], Any] | None = None,
    **answers: Any,
) -> Case:
    """Save files and a sample; return rows with the native predictions."""
    for name, value in files.items():
        if callable(value) and not isinstance(value, type):
            value(folder / name)
        else:
            joblib.dump(value, folder / name)
    data.to_csv(folder / "sample.csv", index=False)
    frame = pd.read_csv(folder / "sample.csv").head(ROWS_ASKED)
    rows = [
        {name: native(value) for name, value in zip(frame, row, strict=True)}
        for row in frame.astype(object).itertuples(index=False)
    ]
    case: Case = {
        "answers": {"model_path": "model.pkl", "sample_data": "sample.csv", **answers},
        "rows": rows,
        "predictions": native(np.asarray(predict(frame))),
    }
    if predict_proba is not None:
        case["probabilities"] = native(np.asarray(predict_proba(frame)))
    return case


def plain(model: Any, data: pd.DataFrame, target: Any, *, named: bool = True) -> Make:
    """Return a function that trains a model on a frame, or on an array."""

    def make(folder: Path) -> Case:
        data_of = (lambda frame: frame) if named else (lambda frame: frame.to_numpy())
        model.fit(data_of(data), target)
        proba = None
        if hasattr(model, "predict_proba") and np.ndim(target) == 1:
            proba = lambda frame: model.predict_proba(data_of(frame))  # noqa: E731
        return served(
            folder, {"model.pkl": model}, data, lambda frame: model.predict(data_of(frame)), proba
        )

    return make


def refused(words: str, files: Mapping[str, Any], **answers: str) -> Make:
    """Return a function that writes files that must be refused in these words."""

    def make(folder: Path) -> Case:
        for name, value in files.items():
            if isinstance(value, bytes):
                (folder / name).write_bytes(value)
            else:
                joblib.dump(value, folder / name)
        return {"answers": {"model_path": "model.pkl", **answers}, "refused": words}

    return make


# The models.


def columns() -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer(
        [
            ("numbers", numbers, ["Income", "credit_limit_used(%)"]),
            ("words", words, ["Gender", "Area"]),
        ],
        remainder="passthrough",
    )


def logged(frame: Any) -> Any:
    return np.log1p(frame)


class Ratio(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer defined in a notebook."""

    def fit(self, frame: pd.DataFrame, target: Any = None) -> Ratio:
        self.income_ = frame["Income"].mean()
        return self

    def transform(self, frame: pd.DataFrame) -> Any:
        return np.column_stack([frame["Income"] / self.income_, frame["credit_limit_used(%)"]])


CODE = '''"""Code of a notebook."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


def logged(frame):
    return np.log1p(frame)


class Ratio(TransformerMixin, BaseEstimator):
    def fit(self, frame, target=None):
        self.income_ = frame["Income"].mean()
        return self

    def transform(self, frame):
        return np.column_stack([frame["Income"] / self.income_, frame["credit_limit_used(%)"]])
'''


def with_code(model: Any) -> Make:
    def make(folder: Path) -> Case:
        (folder / "code.py").write_text(CODE)
        case = plain(model, NUMBERS, LOAN)(folder)
        case["answers"] |= {"model_code": "code.py", "features": ",".join(NUMBERS)}
        return case

    return make


def pipelines() -> Iterator[tuple[str, Make]]:
    logistic = LogisticRegression(max_iter=2000)
    forest = RandomForestClassifier(10, random_state=0)
    yield "pipeline of columns", plain(make_pipeline(columns(), logistic), LOANS, LOAN)
    yield (
        "pipeline of columns, forest",
        plain(Pipeline([("c", columns()), ("m", forest)]), LOANS, YES),
    )
    some = ColumnTransformer([("n", StandardScaler(), ["Income"]), ("no", "drop", ["Gender"])])
    yield "dropped columns", plain(make_pipeline(some, logistic), LOANS, LOAN)
    union = FeatureUnion([("scaled", StandardScaler()), ("reduced", PCA(2))])
    yield "feature union", plain(make_pipeline(union, logistic), NUMBERS, YES)
    yield "array", plain(make_pipeline(StandardScaler(), logistic), NUMBERS, LOAN, named=False)
    yield "gaps", plain(make_pipeline(SimpleImputer(), forest), WITH_GAPS, YES)
    yield "gaps, boosting", plain(HistGradientBoostingClassifier(max_iter=10), WITH_GAPS, LOAN)
    yield "numpy function", numpy_function
    search = GridSearchCV(logistic, {"C": [0.1, 1.0]}, cv=3)
    yield "search", plain(search, NUMBERS, LOAN)
    yield (
        "search of a pipeline",
        plain(
            GridSearchCV(
                make_pipeline(columns(), forest),
                {"randomforestclassifier__max_depth": [2, 3]},
                cv=3,
            ),
            LOANS,
            LOAN,
        ),
    )
    pair = [("a", logistic), ("b", forest)]
    yield "stacking", plain(StackingClassifier(pair, logistic, cv=3), NUMBERS, GRADE)
    yield "soft voting", plain(VotingClassifier(pair, voting="soft"), NUMBERS, LOAN)
    yield "hard voting", plain(VotingClassifier(pair), NUMBERS, LOAN)
    transformed = TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1)
    yield "transformed target", plain(transformed, NUMBERS, AMOUNT)
    yield "svc without probabilities", plain(make_pipeline(StandardScaler(), SVC()), NUMBERS, LOAN)
    yield (
        "hinge",
        plain(make_pipeline(StandardScaler(), SGDClassifier(random_state=0)), NUMBERS, YES),
    )
    yield "several numbers", several(MultiOutputRegressor(Ridge()), NUMBERS, [AMOUNT, SCORE])
    yield (
        "several numbers, forest",
        several(RandomForestRegressor(5, random_state=0), NUMBERS, [AMOUNT, SCORE]),
    )
    yield "several classes", several(MultiOutputClassifier(forest), NUMBERS, [YES, GRADE])
    yield "outliers", plain(IsolationForest(n_estimators=10, random_state=0), NUMBERS, None)
    yield "function of a notebook", with_code(make_pipeline(FunctionTransformer(logged), logistic))
    yield "class of a notebook", with_code(make_pipeline(Ratio(), forest))
    yield "text", of_texts(make_pipeline(TfidfVectorizer(), MultinomialNB()))
    yield (
        "text, two vectorizers",
        of_texts(
            make_pipeline(
                FeatureUnion([("w", CountVectorizer()), ("c", TfidfVectorizer(analyzer="char"))]),
                logistic,
            )
        ),
    )


def numpy_function(folder: Path) -> Case:
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(max_iter=2000))
    case = plain(model, NUMBERS, YES)(folder)
    case["answers"]["features"] = ",".join(NUMBERS)
    return case


def several(model: Any, data: pd.DataFrame, targets: list[Any]) -> Make:
    return plain(model, data, np.column_stack(targets))


def of_texts(model: Any) -> Make:
    def make(folder: Path) -> Case:
        model.fit(TEXTS, SPAM)
        frame = pd.DataFrame({"text": TEXTS})
        return served(
            folder,
            {"model.pkl": model},
            frame,
            lambda frame: model.predict(frame["text"]),
            lambda frame: model.predict_proba(frame["text"]),
        )

    return make


def ways() -> Iterator[tuple[str, Make]]:
    for name, save in WAYS.items():
        yield f"saved by {name}", saved(save)


def saved(save: Callable[[Any, Path], None]) -> Make:
    def make(folder: Path) -> Case:
        model = make_pipeline(columns(), RandomForestClassifier(10, random_state=0))
        model.fit(LOANS, LOAN)
        files = {"model.pkl": lambda path: save(model, path)}
        return served(folder, files, LOANS, model.predict, model.predict_proba)

    return make


QUIET = {"iterations": 10, "verbose": False, "allow_writing_files": False}
# Some releases of these do not say how many features they take.
UNCOUNTED = ("DummyClassifier", "DummyRegressor", "IsotonicRegression")
SLOW_OR_SPECIAL = frozenset(
    """
    ClassifierChain FixedThresholdClassifier GridSearchCV HalvingGridSearchCV
    HalvingRandomSearchCV MultiOutputClassifier MultiOutputRegressor OneVsOneClassifier
    OneVsRestClassifier OutputCodeClassifier RandomizedSearchCV RegressorChain
    SelfTrainingClassifier StackingClassifier StackingRegressor TunedThresholdClassifierCV
    VotingClassifier VotingRegressor FrozenEstimator
    """.split()
)


def estimators() -> Iterator[tuple[str, Make]]:
    """Yield each estimator of scikit-learn that predicts for a frame of numbers."""
    kinds = {"classifier": LOAN, "regressor": AMOUNT, "cluster": None}
    for kind, target in kinds.items():
        for name, cls in all_estimators(type_filter=kind):
            if name not in SLOW_OR_SPECIAL and hasattr(cls, "predict"):
                yield name, of_class(cls, name, target)


def of_class(cls: Any, name: str, target: Any) -> Make:
    def make(folder: Path) -> Case:
        options = {"novelty": True} if name == "LocalOutlierFactor" else {}
        model = cls(**options)
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        data = POSITIVE[["Income"]] if name == "IsotonicRegression" else POSITIVE
        if name.startswith("MultiTask") or name in ("CCA", "PLSCanonical"):
            return several(model, data, [AMOUNT, SCORE])(folder)
        case = plain(model, data, target)(folder)
        if name in UNCOUNTED:
            case["answers"]["features"] = ",".join(data)
        return case

    return make


def boosters() -> Iterator[tuple[str, Make]]:
    numbers = NUMBERS.rename(columns=lambda name: name.replace("(%)", "").replace("+", ""))
    for module, classifier, regressor, options in (
        ("xgboost", "XGBClassifier", "XGBRegressor", {"n_estimators": 10}),
        ("lightgbm", "LGBMClassifier", "LGBMRegressor", {"n_estimators": 10, "verbose": -1}),
        (
            "catboost",
            "CatBoostClassifier",
            "CatBoostRegressor",
            {"iterations": 10, "verbose": False, "allow_writing_files": False},
        ),
    ):
        try:
            library = importlib.import_module(module)
        except ImportError:
            continue
        make_c, make_r = getattr(library, classifier), getattr(library, regressor)
        yield f"{module} two classes", plain(make_c(**options), numbers, YES)
        yield f"{module} three classes", plain(make_c(**options), numbers, GRADE)
        yield f"{module} numbers", plain(make_r(**options), numbers, AMOUNT)
        yield f"{module} array", plain(make_r(**options), numbers, AMOUNT, named=False)
        gaps = WITH_GAPS.set_axis(numbers.columns, axis=1)
        yield f"{module} gaps", plain(make_c(**options), gaps, YES)
        yield f"{module} pipeline", plain(make_pipeline(columns(), make_c(**options)), LOANS, YES)
        yield (
            f"{module} search",
            plain(GridSearchCV(make_c(**options), {"max_depth": [2, 3]}, cv=3), numbers, YES),
        )


OBJECTIVES: Mapping[str, tuple[str, str, str]] = {
    # of numbers, of two classes, of three
    "xgboost": ("reg:squarederror", "binary:logistic", "multi:softprob"),
    "lightgbm": ("regression", "binary", "multiclass"),
    "catboost": ("RMSE", "Logloss", "MultiClass"),
}
OWN_FILES: Mapping[str, Sequence[str]] = {
    "xgboost": ("model.ubj", "model.json"),
    "lightgbm": ("model.txt",),
    "catboost": ("model.cbm",),
}


def raw_boosters() -> Iterator[tuple[str, Make]]:
    for module, objectives in OBJECTIVES.items():
        try:
            library = importlib.import_module(module)
        except ImportError:
            continue
        for objective, target in zip(objectives, (AMOUNT, YES, GRADE), strict=True):
            for file in ("model.pkl", *OWN_FILES[module]):
                yield f"{module} {objective} {file}", raw(library, objective, target, file)


def raw(library: Any, objective: str, target: Any, file: str) -> Make:
    """Return a function that trains a booster without a scikit-learn class and saves it."""

    def make(folder: Path) -> Case:
        data = WITH_GAPS.rename(columns=lambda name: name.replace("(%)", "").replace("+", ""))
        settings: dict[str, Any] = {"objective": objective, "verbosity": 0}
        if target is GRADE and hasattr(library, "train"):
            settings["num_class"] = 3
        data_of: Callable[[pd.DataFrame], Any] = lambda frame: frame  # noqa: E731
        if library.__name__ == "xgboost":
            data_of = library.DMatrix
            model = library.train(settings, library.DMatrix(data, target), 10)
        elif library.__name__ == "lightgbm":
            model = library.train({**settings, "verbosity": -1}, library.Dataset(data, target), 10)
        else:
            options = {"iterations": 10, "verbose": False, "allow_writing_files": False}
            options["loss_function"] = objective
            if file == "model.cbm" and target is not AMOUNT:  # as it answers for classes
                model = library.CatBoostClassifier(**options)
            else:
                model = library.CatBoost(options)
            model.fit(data, target)
        proba = None
        predict = lambda frame: model.predict(data_of(frame))  # noqa: E731
        if hasattr(model, "predict_proba"):
            proba = model.predict_proba
        elif target is GRADE:
            shares: dict[str, str] = {}
            if library.__name__ == "catboost":
                shares["prediction_type"] = "Probability"
            proba = lambda frame: model.predict(data_of(frame), **shares)  # noqa: E731
            predict = lambda frame: proba(frame).argmax(axis=1)  # noqa: E731
        save = model if file == "model.pkl" else lambda path: model.save_model(str(path))
        return served(folder, {file: save}, data, predict, proba, model_path=file)

    return make


def separate_files() -> Iterator[tuple[str, Make]]:
    yield "scaler beside", scaler_beside
    yield "encoders beside", encoders_beside
    yield "dummies beside", dummies_beside
    yield "vectorizer beside", vectorizer_beside
    yield "bundle", bundle


def scaler_beside(folder: Path) -> Case:
    scaler = StandardScaler().fit(NUMBERS)
    model = LogisticRegression().fit(scaler.transform(NUMBERS), LOAN)
    return served(
        folder,
        {"model.pkl": model, "scaler.pkl": scaler},
        NUMBERS,
        lambda frame: model.predict(scaler.transform(frame.astype(float))),
        transformers="scaler.pkl",
    )


def encoders_beside(folder: Path) -> Case:
    encoders = {name: LabelEncoder().fit(LOANS[name]) for name in ("Gender", "Area")}

    def encoded(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{name: e.transform(frame[name]) for name, e in encoders.items()})

    model = RandomForestClassifier(10, random_state=0).fit(encoded(LOANS), YES)
    return served(
        folder,
        {"model.pkl": model, "encoders.pkl": encoders},
        LOANS,
        lambda frame: model.predict(encoded(frame)),
        transformers="encoders.pkl",
    )


def dummies_beside(folder: Path) -> Case:
    encoder = OneHotEncoder(drop="first").fit(LOANS[["Area"]])

    def encoded(frame: pd.DataFrame) -> pd.DataFrame:
        dummies = encoder.transform(frame[["Area"]]).toarray()
        made = pd.DataFrame(dummies, columns=encoder.get_feature_names_out())
        return pd.concat([frame.drop(columns=["Area", "Gender"]), made], axis=1)

    model = GradientBoostingClassifier(n_estimators=10, random_state=0).fit(encoded(LOANS), LOAN)
    return served(
        folder,
        {"model.pkl": model, "encoder.pkl": encoder},
        LOANS.drop(columns="Gender"),
        lambda frame: model.predict(encoded(frame.assign(Gender=""))),
        transformers="encoder.pkl",
    )


def vectorizer_beside(folder: Path) -> Case:
    words = CountVectorizer().fit(TEXTS)
    model = MultinomialNB().fit(words.transform(TEXTS), SPAM)
    return served(
        folder,
        {"model.pkl": model, "words.pkl": words},
        pd.DataFrame({"text": TEXTS}),
        lambda frame: model.predict(words.transform(frame["text"])),
        transformers="words.pkl",
    )


def bundle(folder: Path) -> Case:
    scaler = StandardScaler().fit(NUMBERS.to_numpy())
    model = LogisticRegression().fit(scaler.transform(NUMBERS.to_numpy()), LOAN)
    whole = {"model": model, "scaler": scaler, "features": list(NUMBERS), "accuracy": 0.9}
    return served(
        folder,
        {"model.pkl": whole},
        NUMBERS,
        lambda frame: model.predict(scaler.transform(frame.to_numpy(dtype=float))),
    )


def hand_coded() -> Iterator[tuple[str, Make]]:
    """Yield models whose columns are prepared by code outside of the model."""
    yield "encode and one_hot", encoded_by_hand
    yield "prepare", prepared
    yield "dates", dates
    yield "labels", labels_beside
    yield "categories, boosting", of_categories(HistGradientBoostingClassifier, from_dtype=True)
    with contextlib.suppress(ImportError):
        lightgbm = importlib.import_module("lightgbm")
        yield "categories, lightgbm", of_categories(lightgbm.LGBMClassifier, verbose=-1)
    with contextlib.suppress(ImportError):
        xgboost = importlib.import_module("xgboost")
        options = {"enable_categorical": True, "tree_method": "hist", "n_estimators": 10}
        yield "categories, xgboost", of_categories(xgboost.XGBClassifier, **options)


def encoded_by_hand(folder: Path) -> Case:
    """`1 if gender == "Male" else 0`, and dummies without the first."""

    def encoded(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "Income": frame["Income"].astype(float),
                "Gender": (frame["Gender"] == "Male").astype(float),
                "Area_Semiurban": (frame["Area"] == "Semiurban").astype(float),
                "Area_Urban": (frame["Area"] == "Urban").astype(float),
            }
        )

    model = RandomForestClassifier(10, random_state=0).fit(encoded(LOANS), LOAN)
    areas = {"Semiurban": "Area_Semiurban", "Urban": "Area_Urban"}
    features = [
        {"name": "Income"},
        {"name": "Gender", "categories": ["Female", "Male"], "encode": {"Female": 0, "Male": 1}},
        {"name": "Area", "categories": ["Rural", "Semiurban", "Urban"], "one_hot": areas},
    ]
    (folder / "features.json").write_text(json.dumps({"features": features}))
    return served(
        folder,
        {"model.pkl": model},
        LOANS[["Income", "Gender", "Area"]],
        lambda frame: model.predict(encoded(frame)),
        features="features.json",
    )


PREPARE = """
def prepare(frame):
    return frame.assign(ratio=frame["Income"] / (1 + frame["credit_limit_used(%)"]))
"""


def prepared(folder: Path) -> Case:
    code: dict[str, Any] = {}
    exec(PREPARE, code)
    model = RandomForestClassifier(10, random_state=0).fit(code["prepare"](NUMBERS), LOAN)
    (folder / "app.py").write_text(PREPARE)
    return served(
        folder,
        {"model.pkl": model},
        NUMBERS,
        lambda frame: model.predict(code["prepare"](frame.astype(float))),
        features=",".join(NUMBERS),
        model_code="app.py",
    )


DATES = """
def month(frame):
    return frame.assign(when=frame["when"].dt.month)
"""


def dates(folder: Path) -> Case:
    main = sys.modules["__main__"]
    exec(DATES, vars(main))
    data = pd.DataFrame({"when": pd.date_range("2024-01-15", periods=ROWS, freq="9D")})
    data["Income"] = LOANS["Income"]
    function = FunctionTransformer(vars(main)["month"])
    model = make_pipeline(function, RandomForestClassifier(10, random_state=0)).fit(data, YES)
    (folder / "code.py").write_text(DATES)
    features = [{"name": "when", "type": "date"}, {"name": "Income"}]
    (folder / "features.json").write_text(json.dumps(features))
    return served(
        folder,
        {"model.pkl": model},
        data,
        lambda frame: model.predict(frame.assign(when=pd.to_datetime(frame["when"]))),
        features="features.json",
        model_code="code.py",
    )


def labels_beside(folder: Path) -> Case:
    """The classes are numbers that a separate LabelEncoder decodes."""
    encoder = LabelEncoder().fit(LOAN)
    model = RandomForestClassifier(10, random_state=0).fit(NUMBERS, encoder.transform(LOAN))
    return served(
        folder,
        {"model.pkl": model, "target.pkl": encoder},
        NUMBERS,
        lambda frame: model.predict(frame.astype(float)),
        transformers="target.pkl",
    )


def of_categories(cls: Any, *, from_dtype: bool = False, **options: Any) -> Make:
    """Return a function that trains a model on columns of pandas' category dtype."""

    def make(folder: Path) -> Case:
        parameters = {"categorical_features": "from_dtype"} if from_dtype else options
        dtypes = {
            name: pd.CategoricalDtype(sorted(set(LOANS[name]))) for name in ("Gender", "Area")
        }
        data = LOANS[["Income", "Gender", "Area"]]
        model = cls(**parameters).fit(data.astype(dtypes), YES)
        return served(
            folder,
            {"model.pkl": model},
            data,
            lambda frame: model.predict(frame.astype(dtypes)),
            lambda frame: model.predict_proba(frame.astype(dtypes)),
        )

    return make


def libraries() -> Iterator[tuple[str, Make]]:
    """Yield models of other libraries, if they are installed."""
    for name, make in (
        ("imblearn", of_imblearn),
        ("skops", by_skops),
        ("statsmodels", of_statsmodels),
        ("cloudpickle", by_cloudpickle),
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
            yield name, make


def of_imblearn(folder: Path) -> Case:
    pipeline = importlib.import_module("imblearn.pipeline")
    sampler = importlib.import_module("imblearn.over_sampling").RandomOverSampler(random_state=0)
    forest = RandomForestClassifier(10, random_state=0)
    steps = [("columns", columns()), ("sampler", sampler), ("forest", forest)]
    return plain(pipeline.Pipeline(steps), LOANS, LOAN)(folder)


def by_skops(folder: Path) -> Case:
    model = make_pipeline(columns(), LogisticRegression(max_iter=2000)).fit(LOANS, LOAN)
    dump = importlib.import_module("skops.io").dump
    files = {"model.pkl": lambda path: dump(model, path)}
    return served(folder, files, LOANS, model.predict, model.predict_proba)


def of_statsmodels(folder: Path) -> Case:
    api = importlib.import_module("statsmodels.api")
    data = NUMBERS.rename(columns={"credit_limit_used(%)": "used", "Dependents_3+": "many"})
    results = api.OLS(AMOUNT, api.add_constant(data)).fit()
    return served(
        folder,
        {"model.pkl": lambda path: results.save(str(path))},
        data,
        lambda frame: results.predict(api.add_constant(frame.astype(float), has_constant="add")),
    )


def by_cloudpickle(folder: Path) -> Case:
    cloudpickle = importlib.import_module("cloudpickle")
    model = make_pipeline(FunctionTransformer(logged), LogisticRegression(max_iter=2000))
    model.fit(NUMBERS, YES)
    content = cloudpickle.dumps(model)
    return served(
        folder,
        {"model.pkl": lambda path: path.write_bytes(content)},
        NUMBERS,
        lambda frame: model.predict(frame.astype(float)),
        features=",".join(NUMBERS),
        trust="__main__.logged",
    )


def refusals() -> Iterator[tuple[str, Make]]:
    model = LogisticRegression(max_iter=2000).fit(NUMBERS, LOAN)
    nameless = LogisticRegression(max_iter=2000).fit(NUMBERS.to_numpy(), LOAN)
    whole = pickle.dumps(model)
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    yield "unfitted", refused("has not been fitted", {"model.pkl": LogisticRegression()})
    yield "transformer alone", refused("transforms", {"model.pkl": StandardScaler().fit(NUMBERS)})
    yield "truncated", refused("ends in the middle", {"model.pkl": whole[: len(whole) // 2]})
    yield "lz4", refused("compress=3", {"model.pkl": b"\x04\x22\x4d\x18" + whole})
    yield "lfs pointer", refused("git lfs pull", {"model.pkl": lfs})
    yield "web page", refused("web page", {"model.pkl": b"<!DOCTYPE html><html></html>"})
    yield "json", refused("JSON", {"model.pkl": b'{"accuracy": 0.9}'})
    yield "csv", refused("text", {"model.pkl": LOANS.to_csv().encode()})
    yield "empty", refused("is empty", {"model.pkl": b""})
    yield "frame", refused("DataFrame", {"model.pkl": LOANS})
    yield "array", refused("array", {"model.pkl": NUMBERS.to_numpy()})
    yield "predictions", refused("list", {"model.pkl": [0, 1, 1]})
    yield "no names", refused("names are not in the file", {"model.pkl": nameless})
    yield "few names", refused("3 features", {"model.pkl": nameless}, features="Income,Area")
    yield (
        "unknown name",
        refused(
            "did you mean Income",
            {"model.pkl": model},
            features="Incme,credit_limit_used(%),Dependents_3+",
        ),
    )
    yield (
        "two models",
        refused("2 models", {"model.pkl": {"a": model, "b": clone(model).fit(NUMBERS, YES)}}),
    )
    yield (
        "code of a notebook",
        refused("model_code=", {"model.pkl": make_pipeline(Ratio(), Ridge()).fit(NUMBERS, YES)}),
    )
    yield (
        "wrong scaler",
        refused(
            "takes 3",
            {"model.pkl": model, "scaler.pkl": StandardScaler().fit(NUMBERS.to_numpy()[:, :2])},
            transformers="scaler.pkl",
        ),
    )
    yield "command", refused("not safe", {"model.pkl": b"cos\nsystem\n(Vtrue\ntR."})


GROUPS = (
    *(ways, pipelines, estimators, boosters, raw_boosters, separate_files, hand_coded, libraries),
    refusals,
)


def main(folder: Path, words: Sequence[str] = ()) -> None:
    """Train every model that this environment can train, or those with a word in their name."""
    for group in GROUPS:
        for name, make in group():
            model_folder = folder / f"{group.__name__}, {name}"
            if words and not any(word in model_folder.name for word in words):
                continue
            model_folder.mkdir(parents=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    case = make(model_folder)
                except Exception as error:  # the library itself cannot train it or predict
                    print(f"left out: {model_folder.name}: {type(error).__name__}: {error}")
                    continue
            (model_folder / "case.json").write_text(json.dumps(case))
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
