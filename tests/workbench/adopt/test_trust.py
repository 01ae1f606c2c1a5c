"""The author's code and little-known libraries: adopted if the user trusts them.

The files in data/trust were made by its make.py, each in an environment of its own.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON, SRC, TESTS, adopted, bake, environment
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from workbench.adopt.problems import AnswerError
from workbench.adopt.refusal import Command, refused
from workbench.errors import UserError

MADE = TESTS / "data" / "trust"
NUMBERS = pd.DataFrame(
    {"income": np.linspace(1000, 9000, 60).round(1), "loan": np.tile([100.0, 250.0, 400.0], 20)}
)
ROWS = NUMBERS.assign(area=np.tile(["Rural", "Urban", "Semi urban", "Rural"], 15))
PIPELINE = (
    "__main__.RatioAdder",
    "__main__.pickled_pipeline.<locals>.<lambda>",
    "__main__.ratio",
)
ENCODER = (
    "category_encoders.ordinal.OrdinalEncoder",
    "category_encoders.target_encoder.TargetEncoder",
)
ENGINE = (
    "feature_engine.encoding.ordinal.OrdinalEncoder",
    "feature_engine.transformation.log.LogTransformer",
)


def adopt(folder: Path, name: str, **answers: str) -> Path:
    sample = NUMBERS if "pickled" in name else ROWS
    sample.to_csv(folder / "sample.csv", index=False)
    return adopted(folder, MADE / name, sample_data="sample.csv", **answers)


def predictions(project: Path, rows: list[dict[str, Any]]) -> Any:
    """Return predictions of the service, made in a process with another `__main__`."""
    script = (
        "import json, sys; from pathlib import Path\n"
        "from model_service.contract.parsing import parse_rows\n"
        "from model_service.model.loading import load_model\n"
        "model = load_model(Path('model'))\n"
        "batch = parse_rows(model.contract, json.load(sys.stdin))\n"
        "assert not batch.problems, batch.problems\n"
        "print(json.dumps(list(model.predict(batch))))"
    )
    output = subprocess.check_output(
        [sys.executable, "-c", script],
        input=json.dumps(rows).encode(),
        cwd=project,
        env=environment(PYTHONPATH=str(SRC)),
    )
    return json.loads(output)


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_pickled_code_needs_trust_and_the_python_that_wrote_it(python: str, tmp_path: Path) -> None:
    name = f"pickled_pipeline-{python}.pkl"
    everything = ",".join(PIPELINE)
    for trust in ("", "__main__.ratio", "__main__.Another", *PIPELINE):
        with pytest.raises(UserError, match="The model file contains code") as caught:
            adopt(tmp_path, name, trust=trust, python_version="auto")
        assert f'answer trust="{everything}"' in str(caught.value)
    other = "3.12" if python == "3.11" else "3.11"
    with pytest.raises(UserError, match=f"Python {other} cannot run the code in the file"):
        adopt(tmp_path, name, trust=everything, python_version=other)
    project = adopt(tmp_path, name, trust=f"{everything},no.such.Name", python_version="auto")
    assert (project / ".python-version").read_text() == f"{python}\n"
    assert "\ncloudpickle>=3.1,<3.2\n" in (project / "requirements.in").read_text()
    assert "\ncloudpickle==3.1.2\n" in (project / "requirements.txt").read_text()


def ending(folder: Path, model: Path) -> tuple[str, ...]:
    """Return the last lines of the refusal of a model file for which nothing is trusted."""
    ROWS.to_csv(folder / "rows.csv", index=False)
    features = "income,loan,area" if model.name.startswith("category") else "income,loan"
    with pytest.raises(AnswerError) as caught:
        adopted(folder, model, features=features, sample_data="rows.csv", python_version="auto")
    command = Command(("cookiecutter", "TEMPLATE"), {"model_path": model.name})
    return refused(caught.value.found, command, folder).ending


@pytest.mark.parametrize(
    ("file", "trust"),
    [
        ("pickled_pipeline-3.11.pkl", ",".join(PIPELINE)),
        ("category_encoders.joblib", ",".join(ENCODER)),
    ],
)
def test_the_line_to_paste_trusts_what_is_named_first(
    file: str, trust: str, tmp_path: Path
) -> None:
    said, with_trust, line = ending(tmp_path, MADE / file)
    assert said == f"The line trusts {trust}: paste it only if you know who wrote the file."
    assert with_trust == f"Run it again with trust={trust}:"
    assert shlex.split(line)[-1] == f"trust={trust}"


def test_what_pickled_code_uses_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"It uses OFFSET, .*isinstance, .*\. Pickled code is code"):
        adopt(tmp_path, "pickled_pipeline-3.11.pkl", python_version="auto")


def pipeline_with(folder: Path, function: object) -> Path:
    """Save a fitted pipeline with a function that nobody has called."""
    model = make_pipeline(FunctionTransformer(), LinearRegression())
    model.fit(NUMBERS, NUMBERS["income"])
    model[0].func = function
    joblib.dump(model, folder / "model.pkl")
    return folder / "model.pkl"


def test_a_name_of_the_standard_library_is_typed_and_not_pasted(tmp_path: Path) -> None:
    model = pipeline_with(tmp_path, textwrap.shorten)
    with pytest.raises(UserError, match=r'if you trust it, answer trust="textwrap\.shorten"'):
        adopted(tmp_path, model, features="income,loan")
    assert "trust" not in "\n".join(ending(tmp_path, model))


def test_a_name_that_no_model_needs_gets_no_line_that_trusts_it(tmp_path: Path) -> None:
    model = pipeline_with(tmp_path, subprocess.call)
    assert "trust" not in "\n".join(ending(tmp_path, model))


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_the_task_of_a_pickled_class_is_recognised(python: str, tmp_path: Path) -> None:
    project = adopt(
        *(tmp_path, f"pickled_classifier-{python}.pkl"),
        trust="__main__.Cautious",
        python_version="auto",
    )
    manifest = json.loads((project / "model" / "manifest.json").read_text())
    assert (manifest["task"], manifest["classes"]) == ("classification", [0, 1])
    assert manifest["probabilities"] is True


def test_a_trusted_library_is_pinned_by_the_scikit_learn_version(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        adopt(tmp_path, "category_encoders.joblib")
    assert f'answer trust="{",".join(ENCODER)}"' in str(caught.value)
    project = adopt(tmp_path, "category_encoders.joblib", trust=",".join(ENCODER))
    assert "\ncategory-encoders>=2.8,<2.9\n" in (project / "requirements.in").read_text()
    assert "\ncategory-encoders==2.8.1\n" in (project / "requirements.txt").read_text()


def test_the_lock_decides_an_unknown_library_version(tmp_path: Path) -> None:
    library = tmp_path / "sklearn_extra"
    library.mkdir()
    (library / "__init__.py").write_text(OWN["a classifier"].source)
    trained(tmp_path, OWN["a classifier"].source.replace("Own", "Unused"), "sklearn_extra.Own")
    project = adopted(
        *(tmp_path, tmp_path / "model.pkl"), trust="sklearn_extra.Own", sample_data="sample.csv"
    )
    for name in ("requirements.in", "requirements.txt"):
        assert "\nscikit-learn-extra\n" in (project / name).read_text()
    manifest = json.loads((project / "model" / "manifest.json").read_text())
    assert manifest["libraries"]["scikit-learn-extra"] is None


def test_trust_does_not_help_if_there_is_no_distribution(tmp_path: Path) -> None:
    (tmp_path / "my_module.py").write_text(OWN["a classifier"].source)
    trained(tmp_path, "", "my_module.Own")
    for trust in ("", "my_module.Own"):
        with pytest.raises(UserError, match=r"my_module\.Own.* answer model_code= "):
            adopted(tmp_path, tmp_path / "model.pkl", trust=trust, sample_data="sample.csv")


class Own:
    """The source of an estimator `Own`, and the facts that inspection should find."""

    def __init__(
        self, source: str, task: str, probabilities: bool = False, cls: str = "Own", note: str = ""
    ) -> None:
        self.source, self.task, self.probabilities = source, task, probabilities
        self.cls, self.note = cls, note


CLASSIFIER = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Own(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        share = 1 / (1 + np.abs(np.asarray(X)[:, 0]))
        return np.column_stack([share, 1 - share])
"""
PLAIN = """
import numpy as np


class Own:
    def fit(self, X, y):
        self.mean = float(sum(y)) / len(y)
        return self

    def predict(self, X):
        return [self.mean + float(row[0]) for row in np.asarray(X)]
"""
OWN = {
    "a classifier": Own(CLASSIFIER, "classification", probabilities=True),
    "a classifier in a class": Own(
        CLASSIFIER.replace("class Own", "class Outer:\n    class Own")
        .replace("\n    ", "\n        ")
        .replace("\n        class Own", "\n    class Own"),
        *("classification", True, "Outer.Own"),
    ),
    "a classifier without probabilities": Own(
        CLASSIFIER.replace("def predict_proba", "def _shares").replace(
            "self.predict_proba", "self._shares"
        ),
        "classification",
    ),
    "a regressor": Own(
        "from sklearn import base\n"
        + PLAIN.replace("class Own", "class Own(base.RegressorMixin, base.BaseEstimator)"),
        "regression",
    ),
    "a forest with another name": Own(
        "from sklearn.ensemble import RandomForestClassifier as Forest\n"
        "class Base(Forest):\n    pass\n"
        "class Own(Base):\n    '''Ten trees.'''\n",
        *("classification", True),
    ),
    "a support vector machine": Own(
        "import sklearn.svm\nclass Own(sklearn.svm.SVC):\n    pass\n", "classification"
    ),
    "nothing tells": Own(PLAIN, "regression", note="It is not known what Own predicts"),
}


def trained(folder: Path, source: str, cls: str) -> Any:
    """Fit a class in a script in the user's folder; return its own predictions."""
    module, _, name = cls.rpartition(".") if "." in cls and not source else ("", "", cls)
    module = cls.split(".", maxsplit=1)[0] if cls.startswith("sklearn_extra") else module
    name = cls.removeprefix(f"{module}.") if module else cls
    found = f"from {module} import {name}" if module else ""
    script = f"""
import json, pickle
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler
{source}
{found}
X, y = load_iris(return_X_y=True)
X, y = X[:100], y[:100]
model = {name}().fit(X, y)
model._keeps_a_version = StandardScaler()
with open("model.pkl", "wb") as file:
    pickle.dump(model, file)
pd.DataFrame(X, columns=list("abcd")).to_csv("sample.csv", index=False)
print(json.dumps([float(p) for p in model.predict(X[::9])]))
"""
    (folder / "train.py").write_text(script)
    output = subprocess.check_output([sys.executable, "train.py"], cwd=folder, env=environment())
    return json.loads(output)


@pytest.mark.parametrize("case", OWN.values(), ids=OWN.keys())
def test_an_author_estimator_is_served(case: Own, tmp_path: Path) -> None:
    native = trained(tmp_path, case.source, case.cls)
    (tmp_path / "code.py").write_text(case.source)
    project = adopted(
        *(tmp_path, tmp_path / "model.pkl"),
        model_code="code.py",
        sample_data="sample.csv",
        features="a,b,c,d",
    )
    manifest = json.loads((project / "model" / "manifest.json").read_text())
    assert manifest["task"] == case.task
    assert manifest["probabilities"] is case.probabilities
    rows = pd.read_csv(tmp_path / "sample.csv").iloc[::9].to_dict("records")
    answers = predictions(project, rows)
    assert [answer["prediction"] for answer in answers] == native
    assert all(("probabilities" in answer) is case.probabilities for answer in answers)


def test_an_author_transformer_is_no_model(tmp_path: Path) -> None:
    source = CLASSIFIER.replace("ClassifierMixin", "TransformerMixin")
    trained(tmp_path, source, "Own")
    (tmp_path / "code.py").write_text(
        source.replace("predict(", "transform(").replace("predict_proba(", "transform_more(")
    )
    with pytest.raises(UserError, match="Own, which transforms but does not predict"):
        adopted(tmp_path, tmp_path / "model.pkl", model_code="code.py", sample_data="sample.csv")


PROVEN = [
    ("category_encoders.joblib", ENCODER),
    ("feature_engine.joblib", ENGINE),
    (f"pickled_pipeline-{PYTHON}.pkl", PIPELINE),
    (f"pickled_classifier-{PYTHON}.pkl", ("__main__.Cautious",)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "trust"), PROVEN)
def test_a_trusted_model_predicts_the_same_in_the_service(
    name: str, trust: tuple[str, ...], tmp_path: Path
) -> None:
    rows = NUMBERS if "pickled" in name else ROWS
    rows.to_csv(tmp_path / "sample.csv", index=False)
    contract = {"features": [*rows.columns], "examples": "whole"}
    (tmp_path / "features.json").write_text(json.dumps(contract))
    result = bake(
        tmp_path,
        model_path=MADE / name,
        features="features.json",
        sample_data="sample.csv",
        project_slug="trusted",
        trust=",".join(trust),
        verify="true",
    )
    assert result.status == 0, result.errors
    assert "passed" in result.output, result.output
    python = result.project / ".venv" / "bin" / "python"
    golden = json.loads((result.project / "model" / "golden.json").read_text())
    native = subprocess.check_output(
        [python, "-W", "ignore", MADE / "make.py", "answer", MADE / name], env=environment()
    )
    served = {json.dumps(row, sort_keys=True): n for n, row in enumerate(golden["rows"])}
    compared = 0
    for row, prediction, probabilities in zip(
        rows.to_dict("records"), *json.loads(native), strict=True
    ):
        plain = {
            k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in row.items()
        }
        number = served.get(json.dumps(plain, sort_keys=True))
        if number is not None:
            answer = golden["predictions"][number]
            assert answer["prediction"] == prediction
            assert list(answer["probabilities"].values()) == probabilities
            compared += 1
    assert compared >= 20


@pytest.mark.slow
def test_an_author_estimator_is_verified(tmp_path: Path) -> None:
    native = trained(tmp_path, CLASSIFIER, "Own")
    (tmp_path / "code.py").write_text(CLASSIFIER)
    result = bake(
        tmp_path,
        model_path="model.pkl",
        model_code="code.py",
        sample_data="sample.csv",
        project_slug="own",
        verify="true",
        python_version=PYTHON,
    )
    assert result.status == 0, result.errors
    assert "passed" in result.output, result.output
    golden = json.loads((result.project / "model" / "golden.json").read_text())
    whole = [None not in row.values() for row in golden["rows"]]
    answers = [
        a["prediction"]
        for a, is_whole in zip(golden["predictions"], whole, strict=True)
        if is_whole
    ]
    assert set(answers) == set(native)
