"""MLflow model folders answer the questions themselves."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from conftest import PYTHON, TESTS, adopted, environment, features_of
from first_try.runner import training_environment
from sklearn.ensemble import RandomForestRegressor

from model_service.contract.batch import Batch
from model_service.model.loading import load_model
from workbench.adopt.answers import Answers
from workbench.adopt.check_answers import check_answers
from workbench.adopt.decide import decide
from workbench.adopt.problems import AnswerError
from workbench.inspect import inspect

NAMES = ["alcohol", "sugar", "acid"]
ROWS = np.random.default_rng(0).uniform(0, 9, size=(60, 3))
FOREST = RandomForestRegressor(3, random_state=0).fit(ROWS, ROWS[:, 1] * 3)
COLUMNS = [{"type": "double", "name": name, "required": True} for name in NAMES]
MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    loader_module: mlflow.{flavor}
  {flavor}:
    {entries}
mlflow_version: 2.16.2
{example}signature:
  inputs: '{columns}'
  outputs: '[{{"type": "double"}}]'
"""
EXAMPLE = """\
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  type: dataframe
"""


def folder_of(
    where: Path,
    *,
    flavor: str = "sklearn",
    entries: str = "pickled_model: model.pkl\n    sklearn_version: 1.9.1",
    columns: list[dict[str, Any]] = COLUMNS,
    example: Mapping[str, Any] | None = None,
) -> Path:
    folder = where / "wine"
    folder.mkdir()
    with (folder / "model.pkl").open("wb") as file:
        cloudpickle.dump(FOREST, file)
    if example is not None:
        (folder / "input_example.json").write_text(json.dumps(example))
    text = MLMODEL.format(
        flavor=flavor,
        entries=entries,
        columns=json.dumps(columns),
        example=EXAMPLE if example is not None else "",
    )
    (folder / "MLmodel").write_text(text)
    return folder


@pytest.mark.parametrize("answer", ["wine", "wine/", "wine/MLmodel", "wine/model.pkl"])
def test_the_signature_gives_the_names(answer: str, tmp_path: Path) -> None:
    folder_of(tmp_path)
    answers = Answers("A model", "a-model", "About it.", answer, tmp_path, python_version=PYTHON)
    assert check_answers(answers) == []
    adoption = decide(answers)
    assert [feature.name for feature in adoption.contract.features] == NAMES
    assert adoption.manifest.model.source == "model.pkl"


def test_the_answers_are_the_native_ones(tmp_path: Path) -> None:
    project = adopted(tmp_path, folder_of(tmp_path))
    rows = pd.DataFrame(ROWS[:4], columns=NAMES)
    served = load_model(project / "model").predict(Batch.of_rows(rows.to_dict("records")))
    assert [one["prediction"] for one in served] == FOREST.predict(ROWS[:4]).tolist()


def test_the_types_and_the_input_example(tmp_path: Path) -> None:
    columns = [
        {"type": "long", "name": "alcohol", "required": True},
        {"type": "double", "name": "sugar", "required": False},
        {"type": "float", "name": "acid", "required": True},
    ]
    example = {"columns": NAMES, "data": [[1, 2.5, 3.0], [4, None, 0.5]]}
    project = adopted(tmp_path, folder_of(tmp_path, columns=columns, example=example))
    alcohol, sugar, acid = features_of(project).values()
    assert (alcohol["type"], alcohol["minimum"], alcohol["maximum"]) == ("integer", 1, 4)
    assert (sugar["type"], sugar["nullable"]) == ("number", True)
    assert acid["type"] == "number"


def test_an_own_answer_wins(tmp_path: Path) -> None:
    project = adopted(tmp_path, folder_of(tmp_path), features="a,b,c")
    assert list(features_of(project)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("file", "model_class", "labels"),
    [
        ("xgboost-3.4.1-raw.ubj", "xgboost.sklearn.XGBClassifier", {"0": "0", "1": "1"}),
        ("xgboost-3.4.1-raw.ubj", "xgboost.core.Booster", {}),
        ("xgboost-3.4.1-raw-three.json", "xgboost.sklearn.XGBClassifier", {}),
    ],
)
def test_the_file_of_a_classifier_answers_with_classes(
    file: str, model_class: str, labels: dict[str, str], tmp_path: Path
) -> None:
    entries = f"data: {file}\n    model_class: {model_class}"
    path = TESTS / "data" / "boosters" / file
    names = inspect(path).feature_names
    columns = [{"type": "double", "name": name} for name in names or NAMES]
    folder = folder_of(tmp_path, flavor="xgboost", entries=entries, columns=columns)
    (folder / file).write_bytes(path.read_bytes())
    answers = Answers("A model", "a-model", "About it.", "wine", tmp_path)
    assert decide(answers).contract.output.labels == labels


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flavor": "keras"}, r"an MLflow model of Keras, which is not served"),
        ({"flavor": "brandnew"}, r"an MLflow model of brandnew, which is not served"),
        ({"entries": "pickled_model: ../x.pkl"}, r"which is not in that folder"),
        ({"entries": "pickled_model: other.pkl"}, r"which is not in that folder"),
        ({"entries": "pickled_model: |"}, r"MLmodel cannot be read"),
        ({"columns": [{"type": "binary", "name": "a"}]}, r"of MLflow's type binary"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(AnswerError, match=words) as refusal:
        adopted(tmp_path, folder_of(tmp_path, **changes))
    assert len(refusal.value.found) == 1


def test_a_model_of_code_of_ones_own(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    described = "flavors:\n  python_function:\n    python_model: python_model.pkl\n"
    (folder / "MLmodel").write_text(described)
    with pytest.raises(AnswerError, match="predict method is code of your own"):
        adopted(tmp_path, folder)


DESCRIPTIONS = {
    "unreadable": ("metadata:\n  my key: 1\n", r"MLmodel cannot be read: .*"),
    "pyfunc only": (
        "flavors:\n  python_function:\n    loader_module: mine\n",
        r"predict method is code of your own .*",
    ),
    "another library": ("flavors:\n  keras:\n    data: x\n", r"an MLflow model of Keras, .*"),
    "another file": (
        "flavors:\n  sklearn:\n    pickled_model: x.pkl\n",
        r"names the model file x\.pkl, which is not in that folder\. ",
    ),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_the_model_file_is_adopted_without_a_description_of_no_use(
    name: str, tmp_path: Path
) -> None:
    text, words = DESCRIPTIONS[name]
    folder = folder_of(tmp_path)
    (folder / "MLmodel").write_text(text)
    for refused in ("wine", "wine/MLmodel"):
        answers = Answers("A model", "a-model", "About it.", refused, tmp_path, features="a,b,c")
        with pytest.raises(AnswerError, match=words):
            decide(answers)
    adoption = decide(replace(answers, model_path="wine/model.pkl", python_version=PYTHON))
    assert re.search(f"{words}model.pkl was adopted without its MLmodel.", " ".join(adoption.notes))


def test_features_answer_a_signature_that_cannot_be_served(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, columns=[{"type": "binary", "name": "a"}])
    project = adopted(tmp_path, folder, features="a,b,c")
    assert list(features_of(project)) == ["a", "b", "c"]


def test_a_tensor_has_no_names(tmp_path: Path) -> None:
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}
    with pytest.raises(AnswerError, match="takes 3 features and their names are not in the file"):
        adopted(tmp_path, folder_of(tmp_path, columns=[tensor]))


SAVE = Path(__file__).with_name("save_mlflow_models.py")
PINS = (
    "mlflow-skinny==3.17.2 scikit-learn==1.7.2 pandas==2.3.3 xgboost-cpu==3.2.0 lightgbm==4.6.0 "
    "catboost==1.2.10 skops==0.16.0"
).split()


@pytest.mark.slow
@pytest.mark.heavy
def test_goldens_equal_the_predictions_of_pyfunc(tmp_path: Path) -> None:
    """Adopt what MLflow saves with no other answer, and compare with what MLflow predicts."""
    interpreter = training_environment(PINS, PYTHON)
    subprocess.run(
        [interpreter, SAVE],
        cwd=tmp_path,
        env=environment(),
        check=True,
        capture_output=True,
    )
    native = json.loads((tmp_path / "native.json").read_text())
    assert len(native) == 10
    for name, case in native.items():
        (tmp_path / f"of-{name}").mkdir()
        project = adopted(tmp_path / f"of-{name}", tmp_path / name)
        ask = (
            "import json, sys; from pathlib import Path\n"
            "from model_service.contract.contract import Batch\n"
            "from model_service.model.loading import load_model\n"
            "rows = Batch.of_rows(json.load(sys.stdin))\n"
            "answers = list(load_model(Path(sys.argv[1])).predict(rows))\n"
            "print(json.dumps(answers, default=lambda value: value.item()))\n"
        )
        manifest = project / "model" / "manifest.json"
        document = json.loads(manifest.read_text())
        document["libraries"] = {}  # this environment has all of them at once
        manifest.write_text(json.dumps(document))
        source = Path(__file__).resolve().parents[3] / "src"
        result = subprocess.run(
            [interpreter, "-c", ask, project / "model"],
            env=environment(PYTHONPATH=str(source)),
            input=json.dumps(case["rows"]),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{name}: {result.stderr[-1500:]}"
        served = [one["prediction"] for one in json.loads(result.stdout)]
        assert len(served) == len(case["predictions"])
        for one, other in zip(served, case["predictions"], strict=True):
            # Of words a class is itself; numbers are the same to the last digits of a sum.
            assert one == (other if isinstance(other, str) else pytest.approx(other, rel=1e-12)), (
                name
            )
