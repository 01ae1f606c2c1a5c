"""Answers that the user expects: a column of the sample, or a JSON of rows and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLE, PYTHON, git
from running import adopt as adopt_again
from running import workbench
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge

from workbench.adopt.answers import Answers
from workbench.adopt.csv.expected_answers import agrees
from workbench.adopt.csv.sample import read_sample
from workbench.adopt.decide import decide
from workbench.adopt.write import write
from workbench.errors import UserError
from workbench.verify import prove

WINE, WINE_Y = load_wine(return_X_y=True, as_frame=True)
DIABETES, DIABETES_Y = load_diabetes(return_X_y=True, as_frame=True)


def forest(target: Any = WINE_Y) -> Any:
    return RandomForestClassifier(10, random_state=0).fit(WINE, target)


def adopted(model: Any, folder: Path, sample: str = "sample.csv", **answers: str) -> Path:
    joblib.dump(model, folder / "model.joblib")
    project_answers = Answers(
        *("Name", "name", "About.", "model.joblib", folder),
        **{"sample_data": sample, "python_version": PYTHON, **answers},  # type: ignore[arg-type]
    )
    write(decide(project_answers), folder / "project")
    return folder / "project"


def expected(project: Path) -> Any:
    return json.loads((project / "model" / "expected.json").read_text(encoding="utf-8"))


def change_first(answers: list[Any]) -> list[Any]:
    """Make one answer wrong, by as little as can be."""
    first = answers[0]
    if isinstance(first, dict):
        return [{**first, "prediction": change_first([first["prediction"]])[0]}, *answers[1:]]
    if isinstance(first, list):
        return [[first[0] + 0.01, *first[1:]], *answers[1:]]
    if isinstance(first, str):
        return [first + "x", *answers[1:]]
    return [first + (0.01 if isinstance(first, float) else 1), *answers[1:]]


# Of a wine: its number, its name, whether it is the first; of a patient, the progress.
MODELS: dict[str, tuple[Callable[[], Any], pd.DataFrame]] = {
    "integers": (forest, WINE),
    "texts": (lambda: forest(np.array(["Barolo", "Grignolino", "Barbera"])[WINE_Y]), WINE),
    "numbers": (lambda: Ridge().fit(DIABETES, DIABETES_Y), DIABETES),
    "targets": (
        lambda: Ridge().fit(DIABETES, np.column_stack([DIABETES_Y, -DIABETES_Y])),
        DIABETES,
    ),
}
Save = Callable[[pd.DataFrame, list[Any], Path], None]


def as_column(frame: pd.DataFrame, answers: list[Any], path: Path) -> None:
    frame.assign(expected=answers).to_csv(path, index=False)


def as_list(frame: pd.DataFrame, answers: list[Any], path: Path) -> None:
    rows = frame.to_dict("records")
    pairs = zip(rows, answers, strict=True)
    path.write_text(json.dumps([{**row, "expected": answer} for row, answer in pairs]))


def as_golden(frame: pd.DataFrame, answers: list[Any], path: Path) -> None:
    predictions = [{"prediction": answer} for answer in answers]
    document = {"rows": frame.to_dict("records"), "predictions": predictions}
    path.write_text(json.dumps(document, indent=1))


def as_bare_values(frame: pd.DataFrame, answers: list[Any], path: Path) -> None:
    path.write_text(json.dumps({"rows": frame.to_dict("records"), "predictions": answers}))


@pytest.mark.parametrize("save", [as_column, as_list, as_golden, as_bare_values])
@pytest.mark.parametrize("name", MODELS)
def test_verify_compares_the_answers_of_the_notebook(name: str, save: Save, tmp_path: Path) -> None:
    fit, data = MODELS[name]
    if name == "targets" and save is as_column:
        pytest.skip("a column has one answer")
    native, asked = fit(), data.head(50)
    answers = native.predict(asked).tolist()
    save(asked, answers, tmp_path / "sample.csv")
    project = adopted(native, tmp_path)
    assert len(expected(project)["rows"]) == 50
    assert "expected" not in expected(project)["rows"][0]
    assert "The model gives the 50 answers that you expected." in prove.prove(project)
    assert "The model gives the 50 answers that you expected." in prove.prove(project)

    save(asked, change_first(answers), tmp_path / "sample.csv")
    project = adopted(native, tmp_path)
    with pytest.raises(prove.ProofFailed, match=r"expected: 1 of 50 rows differ") as caught:
        prove.prove(project)
    output = str(caught.value)
    assert json.dumps(expected(project)["rows"][0]) in output
    got = (
        dict(zip(["target_1", "target_2"], answers[0], strict=True))
        if name == "targets"
        else answers[0]
    )
    assert f"got {json.dumps(got)}" in output
    assert not (project / "model" / "golden.json").exists()


def test_verify_compares_probabilities_if_there_are_any(tmp_path: Path) -> None:
    native, asked = forest(), WINE.head(3)
    probabilities = [dict(zip("012", p, strict=True)) for p in native.predict_proba(asked).tolist()]
    rows = asked.to_dict("records")
    for wrong in (0, 0.02):
        probabilities[2]["2"] += wrong
        predictions = [{"prediction": 0, "probabilities": p} for p in probabilities]
        document = {"rows": rows, "predictions": predictions}
        (tmp_path / "sample.json").write_text(json.dumps(document))
        project = adopted(native, tmp_path, "sample.json")
        if not wrong:
            assert "The model gives the 3 answers" in prove.prove(project)
    with pytest.raises(prove.ProofFailed, match="1 of 3 rows differ"):
        prove.prove(project)


# (expected, got, whether the expected one is a JSON value, whether it is a number written down)
AGREE = [
    ("1", 1, False, False),
    ("1.0", 1, False, False),
    ("1", 1.0, False, False),
    ("True", True, False, False),
    ("false", False, False, False),
    ("Y", "Y", False, False),
    ("1", "1", False, False),
    (1, 1.0, True, False),
    ("0.87", 0.8712, False, True),
    ("0.9", 0.8712, False, True),
    ("1e3", 999.6, False, True),
    ("208450.5", 208450.51, False, True),
    (0.871234567, 0.87123456791, True, True),
    (0.8712, 0.8712000891, True, True),
    (152, 152.3, True, True),
    ([1, 2], {"a": 1, "b": 2}, True, False),
    ({"Y": 0.87}, {"N": 0.13, "Y": 0.8712}, True, True),
]
DIFFER = [
    ("1", 2, False, False),
    ("1", "1.0", False, False),
    ("1", True, False, False),
    ("y", "Y", False, False),
    ("Y ", "Y", False, False),
    ("1", 1, True, False),
    (1, True, True, False),
    (True, 1, True, True),
    ("0.88", 0.8712, False, True),
    ("0.8713", 0.8712, False, True),
    (152, 152.6, True, True),
    ("NaN", None, False, True),
    ([1, 2], {"a": 1, "b": 3}, True, False),
    ([1], {"a": 1, "b": 3}, True, False),
    ({"y": 0.87}, {"N": 0.13, "Y": 0.8712}, True, True),
    ({"Y": 0.87}, None, True, True),
]


@pytest.mark.parametrize(
    ("pair", "same"), [*((pair, True) for pair in AGREE), *((pair, False) for pair in DIFFER)]
)
def test_which_answers_agree(pair: tuple[Any, Any, bool, bool], same: bool) -> None:
    assert agrees(*pair) is same


def test_at_most_a_thousand_rows_are_kept_at_equal_distances(tmp_path: Path) -> None:
    native = Ridge().fit(DIABETES, DIABETES_Y)
    many = pd.concat([DIABETES] * 6, ignore_index=True).assign(age=np.arange(442 * 6) / 1000)
    for save, name in ((as_column, "sample.csv"), (as_golden, "sample.json")):
        save(many, native.predict(many).tolist(), tmp_path / name)
        project = adopted(native, tmp_path, name)
        ages = np.array([row["age"] for row in expected(project)["rows"]])
        assert 500 <= len(ages) <= 1000
        assert np.ptp(np.diff(ages)) < 1e-9
        assert ages[-1] > 2.6
        assert len(json.loads((project / "model" / "manifest.json").read_text())["examples"]) == 32
        assert f"gives the {len(ages)} answers" in prove.prove(project)


def test_rows_without_an_answer_are_not_compared(tmp_path: Path) -> None:
    native, asked = forest(), WINE.head(4)
    answers = [0, None, 0, None]
    asked.assign(expected=pd.array(answers, dtype="Int64")).to_csv(
        tmp_path / "sample.csv", index=False
    )
    as_list(asked, answers, tmp_path / "sample.json")
    for name in ("sample.csv", "sample.json"):
        assert "the 2 answers" in prove.prove(adopted(native, tmp_path, name))
    WINE.head(4).assign(expected="").to_csv(tmp_path / "sample.csv", index=False)
    assert not (adopted(native, tmp_path) / "model" / "expected.json").exists()


def test_a_feature_called_expected_is_a_feature(tmp_path: Path) -> None:
    data = WINE.rename(columns={"ash": "expected"})
    for model in (
        RandomForestClassifier(5, random_state=0).fit(data, WINE_Y),
        RandomForestClassifier(5, random_state=0).fit(data.to_numpy(), WINE_Y),
    ):
        data.to_csv(tmp_path / "sample.csv", index=False)
        project = adopted(model, tmp_path)
        assert not (project / "model" / "expected.json").exists()
        prove.prove(project)
        golden = json.loads((project / "model" / "golden.json").read_text())
        assert "expected" in golden["rows"][0]


def test_the_column_is_no_feature_of_a_model_without_names(tmp_path: Path) -> None:
    native = RandomForestClassifier(5, random_state=0).fit(WINE.to_numpy(), WINE_Y)
    as_column(WINE, native.predict(WINE.to_numpy()).tolist(), tmp_path / "sample.csv")
    assert f"gives the {len(WINE)} answers" in prove.prove(adopted(native, tmp_path))


def test_a_json_sample_keeps_its_types(tmp_path: Path) -> None:
    data = pd.DataFrame(
        {"area": ["NA", "Urban"] * 20, "rooms": ["1", "2"] * 20, "big": [0, 1] * 20}
    )
    rows = data.to_dict("records")
    rows[5] |= {"big": None}
    del rows[6]["big"]
    (tmp_path / "sample.json").write_text(json.dumps(rows))
    project = adopted(Ridge().fit(data[["big"]], data["big"]), tmp_path, "sample.json")
    features = json.loads((project / "model" / "features.json").read_text())["features"]
    assert features == [
        {"name": "big", "type": "number", "minimum": 0, "maximum": 1, "nullable": True}
    ]
    columns = read_sample(tmp_path / "sample.json").columns
    assert (columns["area"].categories, columns["area"].missing) == (["NA", "Urban"], 0)
    assert columns["rooms"].categories == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"a": 1}, 2]', "give a list of rows"),
        ('{"rows": []}', "give a list of rows"),
        ('{"row": 1}', "give a list of rows"),
        ('[{"a": 1},', "is not valid JSON"),
        ('{"rows": [{"a": 1}], "predictions": [1, 2]}', "one for each of the rows"),
        ('[{"a": [1]}]', "'a' of row 1 is a list or an object"),
    ],
)
def test_an_invalid_json_sample_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "sample.json").write_text(text)
    with pytest.raises(UserError, match=words):
        adopted(forest(), tmp_path, "sample.json")


def test_a_row_with_an_answer_must_fit_the_features(tmp_path: Path) -> None:
    features = [{"name": name} for name in WINE]
    features[0] |= {"maximum": 14, "strict": True}
    (tmp_path / "features.json").write_text(json.dumps(features))
    as_column(WINE, WINE_Y.tolist(), tmp_path / "sample.csv")
    with pytest.raises(UserError, match=r"expected answer, but alcohol must be at most 14;"):
        adopted(forest(), tmp_path, features="features.json")


def test_expected_answers_are_removed_and_restored_with_their_model(
    loan_copy: Path, tmp_path: Path
) -> None:
    file = loan_copy / "model" / "expected.json"
    model, sample = loan_copy / "model" / "model.joblib", tmp_path / "sample.csv"
    native = joblib.load(model)
    frame = pd.read_csv(EXAMPLE / "sample.csv")
    answers = native.predict(frame).tolist()
    as_column(frame, answers, sample)
    assert adopt_again(loan_copy, f"MODEL={model}", f"SAMPLE={sample}")[0] == 0
    before = file.read_bytes()
    git(loan_copy, "add", "--all")
    git(loan_copy, "commit", "--quiet", "--message", "Expect")

    # The same file without a sample still has its answers, another file has not.
    assert adopt_again(loan_copy, f"MODEL={model}")[0] == 0
    assert file.read_bytes() == before
    native.fit(frame.drop(columns="loan_status").head(300), frame["loan_status"].head(300))
    joblib.dump(native, tmp_path / "new.joblib")
    status, output = adopt_again(loan_copy, f"MODEL={tmp_path / 'new.joblib'}")
    assert status == 0, output
    assert "expected.json held the expected answers of the previous model and was removed" in output
    assert not file.exists()
    status, output = workbench(loan_copy, "rollback")
    assert status == 0, output
    assert file.read_bytes() == before
