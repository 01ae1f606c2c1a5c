"""Fit small models of a library, save each, and write down what it predicts.

    python make.py LIBRARY FOLDER [CASE ...]

Every case becomes three files: the model, `CASE.csv` with the rows that it was asked, and
`CASE.json` with what it answered. The models in this folder were made so.
"""

# Each library exists only where its models are made.
# ruff: noqa: PLC0415

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

random = np.random.RandomState(0)
NAMES = ["Income", "Credit history", "limit(%)"]
FRAME = pd.DataFrame(random.normal(size=(120, 3)), columns=NAMES)
MIXED = FRAME.assign(Area=random.choice(["Rural", "Urban"], 120))
RARE = (FRAME["Income"] > 1).astype(int).to_numpy()
WORDS = np.where(RARE == 1, "yes", "no")

Case = tuple[Any, Any, Any]  # a model, and the rows and targets to fit it on


def imblearn() -> dict[str, Case]:
    """Return the cases of imbalanced-learn."""
    from imblearn import ensemble
    from imblearn.metrics import geometric_mean_score
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.pipeline import Pipeline, make_pipeline
    from imblearn.under_sampling import RandomUnderSampler
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import GridSearchCV
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    def search() -> Any:
        steps = [("scale", StandardScaler()), ("balance", SMOTE(random_state=0))]
        pipeline = Pipeline([*steps, ("model", LogisticRegression())])
        scorer = make_scorer(geometric_mean_score)
        return GridSearchCV(pipeline, {"model__C": [0.1, 1]}, scoring=scorer, cv=2)

    area = ColumnTransformer([("area", OneHotEncoder(), ["Area"])], remainder="passthrough")
    few: dict[str, Any] = {"n_estimators": 3, "random_state": 0}
    return {
        "pipeline": (
            make_pipeline(StandardScaler(), SMOTE(random_state=0), LogisticRegression()),
            *(FRAME, WORDS),
        ),
        "columns": (
            make_pipeline(
                area,
                RandomOverSampler(random_state=0),
                GradientBoostingClassifier(n_estimators=3, random_state=0),
            ),
            *(MIXED, RARE),
        ),
        "sampler-first": (
            make_pipeline(
                RandomUnderSampler(random_state=0),
                HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2, random_state=0),
            ),
            *(FRAME, RARE),
        ),
        "search": (search(), FRAME, RARE),
        "forest": (ensemble.BalancedRandomForestClassifier(**few), FRAME, WORDS),
        "forest-array": (ensemble.BalancedRandomForestClassifier(**few), FRAME.to_numpy(), RARE),
        "easy": (ensemble.EasyEnsembleClassifier(**few), FRAME, RARE),
        "boost": (ensemble.RUSBoostClassifier(**few), FRAME, WORDS),
        "bagging": (ensemble.BalancedBaggingClassifier(**few), FRAME, RARE),
    }


def interpret() -> dict[str, Case]:
    """Return the cases of interpret: mixed rows, some of them incomplete."""
    from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    count = 1000
    mixed = pd.DataFrame(
        {
            "Income": random.normal(50, 20, count).round(2),
            "Rooms": random.randint(1, 12, count),
            "Owner": random.rand(count) < 0.5,
            "Area": random.choice(["Rural", "Semi urban", "Urban"], count),
            "Level": random.choice([1.0, 2.5, 4.0], count),
        }
    )
    score = mixed["Income"] / 20 + mixed["Rooms"] / 6 + mixed["Owner"] * (mixed["Level"] > 2)
    score += (mixed["Area"] == "Urban") + random.normal(size=count) / 3
    for name in ("Income", "Area", "Level"):
        mixed.loc[random.rand(count) < 0.1, name] = None
    words = np.where(score > 5, "yes", "no")
    numbers = mixed[["Income", "Rooms", "Level"]]
    few: dict[str, Any] = {"max_rounds": 60, "outer_bags": 2, "random_state": 1, "n_jobs": 1}
    of_pairs = {**few, "interactions": 3}
    columns = ColumnTransformer(
        [("area", OneHotEncoder(), ["Area"]), ("numbers", StandardScaler(), [*numbers])]
    )
    return {
        "two": (ExplainableBoostingClassifier(**of_pairs), mixed, words),
        "three": (ExplainableBoostingClassifier(**few), mixed, np.digitize(score, [4, 6])),
        "truth": (ExplainableBoostingClassifier(**of_pairs), mixed, (score > 5).to_numpy()),
        "number": (ExplainableBoostingRegressor(**of_pairs), mixed, score),
        "count": (
            ExplainableBoostingRegressor(objective="poisson_deviance", **few),
            *(mixed, np.maximum(score, 0).round()),
        ),
        "array": (ExplainableBoostingClassifier(**of_pairs), numbers.to_numpy(), words),
        "pipeline": (
            make_pipeline(columns, ExplainableBoostingClassifier(**few)),
            *(mixed.assign(Area=mixed["Area"].fillna("Rural")), words),
        ),
    }


def skops() -> dict[str, Case]:
    """Return models that skops can save."""
    from sklearn import ensemble, linear_model, neural_network, svm
    from sklearn.cluster import KMeans
    from sklearn.compose import ColumnTransformer
    from sklearn.model_selection import GridSearchCV
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    few: dict[str, Any] = {"n_estimators": 3, "random_state": 0}
    area = ColumnTransformer(
        [("area", OneHotEncoder(), ["Area"]), ("numbers", StandardScaler(), NAMES)]
    )
    numbers = FRAME.to_numpy()
    calibrated = svm.SVC(probability=True, random_state=np.random.RandomState(0))
    return {
        "columns": (make_pipeline(area, linear_model.LogisticRegression()), MIXED, WORDS),
        "forest": (ensemble.RandomForestClassifier(**few), FRAME, WORDS),
        "array": (ensemble.ExtraTreesRegressor(**few), numbers, FRAME["Income"]),
        "boost": (
            ensemble.GradientBoostingClassifier(**few),
            FRAME,
            np.digitize(numbers[:, 0], [-1, 1]),
        ),
        "hist": (
            ensemble.HistGradientBoostingClassifier(max_iter=3, random_state=0),
            *(FRAME, RARE),
        ),
        "svc": (make_pipeline(StandardScaler(), calibrated), FRAME, RARE),
        "sgd": (
            make_pipeline(
                StandardScaler(),
                FunctionTransformer(np.abs),
                linear_model.SGDClassifier(loss="log_loss", random_state=0),
            ),
            *(numbers, RARE),
        ),
        "search": (
            GridSearchCV(
                make_pipeline(StandardScaler(), linear_model.Ridge()),
                {"ridge__alpha": [1, 2]},
                cv=2,
            ),
            *(FRAME, FRAME["Income"]),
        ),
        "voting": (
            ensemble.VotingClassifier(
                [
                    ("forest", ensemble.RandomForestClassifier(**few)),
                    ("logistic", linear_model.LogisticRegression()),
                ],
                voting="soft",
            ),
            *(FRAME, RARE),
        ),
        "network": (
            neural_network.MLPClassifier((4,), max_iter=50, random_state=0),
            *(FRAME, RARE),
        ),
        "clusters": (KMeans(2, n_init=1, random_state=0), FRAME, None),
        "outliers": (ensemble.IsolationForest(**few), FRAME, None),
        "targets": (MultiOutputRegressor(linear_model.Ridge()), FRAME, numbers[:, :2]),
    }


class WithConstant:
    """A model of statsmodels as its author fits and asks it."""

    def __init__(self, make: Any, **options: Any) -> None:
        self.make, self.options = make, options

    def fit(self, rows: Any, target: Any) -> WithConstant:
        self.results = self.make(target, self.complete(rows), **self.options).fit(
            method=METHOD[self.make.__name__]
        )
        return self

    def complete(self, rows: Any) -> Any:
        from statsmodels.api import add_constant

        return add_constant(rows, has_constant="add")

    def predict(self, rows: Any) -> Any:
        return self.results.predict(self.complete(rows))


class WithoutConstant(WithConstant):
    """The same without a column of ones."""

    def complete(self, rows: Any) -> Any:
        return rows


class WithoutData(WithConstant):
    """The same, saved without the data that it was fitted on."""

    def fit(self, rows: Any, target: Any) -> WithConstant:
        super().fit(rows, target).results.remove_data()
        return self


METHOD = {"OLS": "pinv", "Logit": "bfgs", "GLM": "irls"}


def statsmodels() -> dict[str, Case]:
    """Return the cases of statsmodels."""
    from statsmodels import api as sm

    number = FRAME["Income"] * 2 + random.normal(size=len(FRAME))
    happens = pd.Series((number > 0).astype(int), name="happens")
    return {
        "ols": (WithConstant(sm.OLS), FRAME, number),
        "ols-array": (WithConstant(sm.OLS), FRAME.to_numpy(), number.to_numpy()),
        "ols-no-constant": (WithoutConstant(sm.OLS), FRAME, number),
        "ols-removed": (WithoutData(sm.OLS), FRAME.to_numpy(), number.to_numpy()),
        "logit": (WithConstant(sm.Logit), FRAME, happens),
        "glm": (WithConstant(sm.GLM, family=sm.families.Binomial()), FRAME, happens),
        "gamma": (
            WithConstant(sm.GLM, family=sm.families.Gamma(sm.families.links.Log())),
            *(FRAME, np.exp(number)),
        ),
    }


LIBRARIES = {
    "imbalanced-learn": imblearn,
    "interpret-core": interpret,
    "skops": skops,
    "statsmodels": statsmodels,
}
ASKED = {"interpret-core": 1000}  # rows; of other libraries 20


def save(library: str, model: Any, path: Path) -> None:
    """Save a model as its library's users do."""
    if library == "skops":
        import skops.io

        skops.io.dump(model, path.with_suffix(".skops"))
    elif library == "statsmodels":
        model.results.save(path.with_suffix(".pickle"))
    else:
        joblib.dump(model, path.with_suffix(".joblib"), compress=3)


def native(model: Any, rows: pd.DataFrame, named: bool) -> dict[str, Any]:
    """Ask a model as its author would.

    The order of an array's bytes decides the last bits of a product of matrices: rows, not columns.
    """
    given = rows if named else np.array(rows.to_numpy().tolist())
    answer = {"prediction": np.asarray(model.predict(given)).tolist()}
    if hasattr(model, "predict_proba"):
        answer["probabilities"] = model.predict_proba(given).tolist()
    return answer


def main(library: str, folder: str, *wanted: str) -> None:
    """Make the wanted cases, or all."""
    for name, case in LIBRARIES[library]().items():
        if wanted and name not in wanted:
            continue
        model, rows, target = case
        named = isinstance(rows, pd.DataFrame)
        save(library, model.fit(rows, target), Path(folder, name))
        asked = Path(folder, f"{name}.csv")
        names = None if named else FRAME.columns
        pd.DataFrame(rows, columns=names).head(ASKED.get(library, 20)).to_csv(asked, index=False)
        answers = native(model, pd.read_csv(asked), named)
        Path(folder, f"{name}.json").write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
