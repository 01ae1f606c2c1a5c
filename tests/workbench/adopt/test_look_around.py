"""What is fitted beside the model: found, related to it, and answered or left out on purpose."""

from __future__ import annotations

import json
import pickle
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from conftest import PYTHON, adopted
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    LabelEncoder,
    MinMaxScaler,
    MultiLabelBinarizer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)

from workbench.adopt.answers import Answers, Part
from workbench.adopt.check_answers import check_answers
from workbench.adopt.decide import Adoption, decide
from workbench.adopt.problems import AnswerError
from workbench.adopt.refusal import Command, refused
from workbench.adopt.retrain import AdoptOptions, adopt
from workbench.errors import UserError
from workbench.verify.prove import prove

RANDOM = np.random.RandomState(0)
ROWS = 240
FRAME = pd.DataFrame(
    {
        "tenure": RANDOM.randint(0, 73, ROWS),
        "charges": RANDOM.uniform(18, 120, ROWS).round(2),
        "Partner": RANDOM.choice(["No", "Yes"], ROWS),
        "Contract": RANDOM.choice(["Month", "Year"], ROWS),
    }
)
NUMBERS = FRAME[["tenure", "charges"]]
CHURN = np.where(FRAME["tenure"] < 20, "Yes", "No")
LEAVES = (CHURN == "Yes").astype(int)
TEXTS = ["free cash now", "see you soon", "cash prize", "lunch at noon"] * 6
Files = Mapping[str, Any]


def save(folder: Path, files: Files) -> None:
    for name, value in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            path.write_text(json.dumps(value))
        elif path.suffix == ".csv":
            value.to_csv(path, index=False)
        elif path.suffix == ".npy":
            np.save(path, value)
        else:
            joblib.dump(value, path)


def answers_in(folder: Path, **given: str) -> Answers:
    names = {"project_name": "A model", "project_slug": "a-model", "description": "About it."}
    return Answers(**{**names, "python_version": PYTHON, **given}, folder=folder)  # type: ignore[arg-type]


def try_it(folder: Path, **given: str) -> Adoption | list[str]:
    """Return the adoption, or the lines of the refusal."""
    try:
        return decide(answers_in(folder, **given))
    except AnswerError as error:
        command = Command(("cookiecutter", "T", "--no-input"), given)
        return refused(error.found, command, folder).shown.splitlines()


def pasted(folder: Path, lines: list[str], line: int = -1) -> Adoption:
    """Return the adoption that a line of a refusal leads to."""
    words = shlex.split(lines[line])
    assert words[:3] == ["cookiecutter", "T", "--no-input"]
    return decide(answers_in(folder, **dict(word.split("=", 1) for word in words[3:])))


def taken(folder: Path, **given: str) -> tuple[Adoption, str]:
    """Return the adoption of what was taken unasked, and what is said of it."""
    found = try_it(folder, **given)
    assert isinstance(found, Adoption), found
    assert found.taken
    # The same answers, given, are the same adoption, and nothing is taken any more.
    again = try_it(folder, **{**given, **found.taken_answers})
    assert isinstance(again, Adoption)
    assert (again.contract, again.manifest, again.taken) == (found.contract, found.manifest, ())
    return found, " ".join(problem.message for problem in found.taken)


def undone(folder: Path, found: Adoption, **given: str) -> Adoption:
    """Return the adoption with the answers that undo what was taken."""
    (problem,) = found.taken
    assert problem.repair is not None
    ((_, other),) = problem.repair.otherwise
    return decide(answers_in(folder, **{**given, **found.taken_answers, **other}))


def scaled(frame: pd.DataFrame = NUMBERS) -> tuple[StandardScaler, pd.DataFrame]:
    scaler = StandardScaler().fit(frame)
    return scaler, pd.DataFrame(scaler.transform(frame), columns=frame.columns)


def some_columns() -> Files:
    """The model knows all its names, and the scaler two of them."""
    scaler = StandardScaler().fit(NUMBERS)
    frame = FRAME.assign(Partner=LEAVES, Contract=LEAVES).astype(float)
    frame[["tenure", "charges"]] = scaler.transform(NUMBERS)
    return {"model.pkl": LogisticRegression().fit(frame, CHURN), "scaler.pkl": scaler}


def array_behind_a_scaler() -> Files:
    scaler = StandardScaler().fit(NUMBERS)
    model = LogisticRegression().fit(scaler.transform(NUMBERS), CHURN)
    return {"model.pkl": model, "scaler.pkl": scaler}


def preprocessor_in_artifacts() -> Files:
    """It takes four columns and gives six: the number is counted through Pipelines."""
    encoder = make_pipeline(OneHotEncoder(), StandardScaler(with_mean=False))
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(StandardScaler()), ["tenure", "charges"]),
            ("words", encoder, ["Partner", "Contract"]),
        ]
    ).fit(FRAME)
    model = LogisticRegression().fit(columns.transform(FRAME), CHURN)
    return {"model.pkl": model, "artifacts/preprocessor.pkl": columns}


def vectorizer() -> Files:
    words = TfidfVectorizer().fit(TEXTS)
    model = LogisticRegression().fit(words.transform(TEXTS), [0, 1] * 12)
    return {"model.pkl": model, "vectorizer.pkl": words}


def scaler_and_components() -> Files:
    scaler = StandardScaler().fit(FRAME[["tenure", "charges"]].assign(third=LEAVES))
    rows = scaler.transform(FRAME[["tenure", "charges"]].assign(third=LEAVES))
    components = PCA(2, random_state=0).fit(rows)
    model = LogisticRegression().fit(components.transform(rows), CHURN)
    return {"model.pkl": model, "pca.pkl": components, "scaler.pkl": scaler}


def encoders_and_scaler() -> Files:
    encoders = {name: LabelEncoder().fit(FRAME[name]) for name in ("Partner", "Contract")}
    coded = FRAME.assign(**{name: e.transform(FRAME[name]) for name, e in encoders.items()})
    scaler = StandardScaler().fit(NUMBERS)
    coded[["tenure", "charges"]] = scaler.transform(NUMBERS)
    model = RandomForestClassifier(10, random_state=0).fit(coded, LEAVES)
    target = LabelEncoder().fit(CHURN)
    files = {"encoders.pkl": encoders, "scaler.pkl": scaler, "target_encoder.pkl": target}
    return {"model.pkl": model, **files}


def own_folder() -> Files:
    """The model is in models/ and the scaler in scalers/ beside it."""
    files = array_behind_a_scaler()
    return {"models/model.pkl": files["model.pkl"], "scalers/scaler.pkl": files["scaler.pkl"]}


def y_scaler() -> Files:
    target = StandardScaler().fit(NUMBERS[["charges"]].to_numpy())
    model = Ridge().fit(NUMBERS, target.transform(NUMBERS[["charges"]].to_numpy())[:, 0])
    return {"model.pkl": model, "y_scaler.pkl": target}


# (files, the model's path, words of what is said, the transformers that are taken)
FORGOTTEN: list[tuple[Any, str, list[str], str]] = [
    (
        some_columns,
        "model.pkl",
        ["scaler.pkl beside the model is a StandardScaler for tenure, charges, which the model"],
        "scaler.pkl",
    ),
    (array_behind_a_scaler, "model.pkl", ["for 2 columns, as many"], "scaler.pkl"),
    (preprocessor_in_artifacts, "model.pkl", ["gives 6 columns"], "artifacts/preprocessor.pkl"),
    (vectorizer, "model.pkl", ["is a TfidfVectorizer that gives"], "vectorizer.pkl"),
    (scaler_and_components, "model.pkl", ["a PCA", "a StandardScaler"], "scaler.pkl,pca.pkl"),
    (encoders_and_scaler, "model.pkl", ["holds 2 transformers"], "encoders.pkl,scaler.pkl"),
    (own_folder, "models/model.pkl", ["StandardScaler"], "scalers/scaler.pkl"),
    (y_scaler, "model.pkl", ["seems to be what is predicted"], "y_scaler.pkl"),
]


# What callers send to the model alone, if it does not know.
WITHOUT = {array_behind_a_scaler: "tenure,charges", own_folder: "tenure,charges"}


@pytest.mark.parametrize(("make", "model", "words", "answer"), FORGOTTEN)
def test_a_file_that_certainly_belongs_is_applied_and_that_can_be_undone(
    make: Any, model: str, words: list[str], answer: str, tmp_path: Path
) -> None:
    save(tmp_path, make())
    found, message = taken(tmp_path, model_path=model)
    assert all(word in message for word in words), message
    assert found.taken_answers == {"transformers": answer}
    assert found.manifest.left_out == ()
    if make not in (preprocessor_in_artifacts, vectorizer, scaler_and_components):
        without = undone(tmp_path, found, model_path=model, features=WITHOUT.get(make, ""))
        assert without.contract.transformers == ()
        assert without.contract.output.transform is None
        assert len(without.manifest.left_out) == len(answer.split(","))


def test_with_another_problem_everything_is_asked_together(tmp_path: Path) -> None:
    """The last line of the refusal has both answers, and one line leaves the scaler out."""
    save(tmp_path, {**some_columns(), "train.csv": FRAME.assign(Contract="blank")})
    lines = try_it(tmp_path, model_path="model.pkl", sample_data="train.csv")
    assert isinstance(lines, list)
    assert "transformers=scaler.pkl" in shlex.split(lines[-1])
    (number,) = (n for n, line in enumerate(lines) if line.startswith("If scaler.pkl does not"))
    assert "transformers=-scaler.pkl" in shlex.split(lines[number + 1])
    assert pasted(tmp_path, lines).contract.transformers != ()


def test_the_file_is_found_whatever_else_was_answered(tmp_path: Path) -> None:
    """A scaler beside answered encoders and a sample: the service would be green and wrong."""
    save(tmp_path, {**encoders_and_scaler(), "train.csv": FRAME.assign(Churn=CHURN)})
    given = {"model_path": "model.pkl", "sample_data": "train.csv", "transformers": "encoders.pkl"}
    found, message = taken(tmp_path, **given)
    assert found.taken_answers == {"transformers": "encoders.pkl,scaler.pkl"}
    assert "the values that the model compares them with are scaled ones" in message


def test_the_targets_encoder_is_never_put_on_a_feature(tmp_path: Path) -> None:
    """Partner and Churn are both Yes or No, and Partner has an encoder already."""
    save(tmp_path, {**encoders_and_scaler(), "train.csv": FRAME.assign(Churn=CHURN)})
    project = adopted(
        tmp_path,
        tmp_path / "model.pkl",
        sample_data="train.csv",
        transformers="encoders.pkl,scaler.pkl,target_encoder.pkl",
    )
    document = json.loads((project / "model" / "features.json").read_text())
    assert document["output"]["labels"] == {"0": "No", "1": "Yes"}
    assert [one["file"] for one in document["transformers"]] == [
        "transformers/01-encoders.pkl#Partner",
        "transformers/01-encoders.pkl#Contract",
        "transformers/02-scaler.pkl",
    ]
    assert "The model predicts" in prove(project)


def test_a_file_that_does_not_fit_is_no_problem(tmp_path: Path) -> None:
    other = StandardScaler().fit(NUMBERS.rename(columns={"tenure": "a", "charges": "b"}))
    files = {"model.pkl": LogisticRegression().fit(NUMBERS, CHURN), "other.pkl": other}
    save(tmp_path, {**files, "three.pkl": StandardScaler().fit(RANDOM.normal(size=(9, 3)))})
    assert isinstance(try_it(tmp_path, model_path="model.pkl"), Adoption)


@pytest.mark.parametrize(
    "model",
    [RandomForestClassifier(10, random_state=0), KNeighborsClassifier()],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize(
    "saved", [StandardScaler(), MinMaxScaler()], ids=lambda s: type(s).__name__
)
def test_the_values_that_the_model_has_seen_decide(model: Any, saved: Any, tmp_path: Path) -> None:
    """Many notebooks scale for one model and train another on the values as they are."""
    scaler = saved.fit(NUMBERS)
    frame = pd.DataFrame(scaler.transform(NUMBERS), columns=NUMBERS.columns)
    save(tmp_path, {"model.pkl": model.fit(NUMBERS, CHURN), "scaler.pkl": scaler})
    assert isinstance(try_it(tmp_path, model_path="model.pkl"), Adoption)
    save(tmp_path, {"model.pkl": model.fit(frame, CHURN)})
    _, message = taken(tmp_path, model_path="model.pkl")
    assert "are scaled ones" in message


FLOATS = NUMBERS.astype(float)  # NumPy keeps such a frame column after column


@pytest.mark.parametrize("protocol", [3, 5])
def test_rows_that_are_kept_by_column_are_no_scaled_ones(protocol: int, tmp_path: Path) -> None:
    save(tmp_path, {"train.csv": FLOATS.assign(Churn=CHURN)})
    model = KNeighborsClassifier().fit(FLOATS, CHURN)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model, protocol))
    save(tmp_path, {"model.joblib": model})
    for name in ("model.pkl", "model.joblib"):
        found = try_it(tmp_path, model_path=name, sample_data="train.csv")
        assert isinstance(found, Adoption)
        assert not [note for note in found.notes if "trained on other values" in note]


@pytest.mark.parametrize("has_names", [True, False])
def test_a_scaler_that_was_not_saved_is_noticed(has_names: bool, tmp_path: Path) -> None:
    rows = (FLOATS - FLOATS.mean()) / FLOATS.std()
    forest = RandomForestClassifier(10, random_state=0)
    model = forest.fit(rows if has_names else rows.to_numpy(), CHURN)
    save(tmp_path, {"model.pkl": model, "train.csv": FLOATS.assign(Churn=CHURN)})
    found = try_it(tmp_path, model_path="model.pkl", sample_data="train.csv")
    assert isinstance(found, Adoption)
    (note,) = [note for note in found.notes if "trained on other values" in note]
    assert "tenure with -0.9" in note
    assert note.endswith("transformers=FILE")


@pytest.mark.parametrize("kind", [StandardScaler, MinMaxScaler, PCA])
def test_a_scaler_of_another_release_holds_the_same(kind: Any, tmp_path: Path) -> None:
    """Of other transformers only their own release knows what they hold."""
    transformer = kind().fit(FLOATS)
    model = LogisticRegression().fit(transformer.transform(FLOATS), CHURN)
    save(tmp_path, {"model.pkl": model})
    ours = sklearn.__version__
    theirs = ours[:-1] + ("1" if ours.endswith("0") else "0")
    data = pickle.dumps(transformer).replace(ours.encode(), theirs.encode())
    (tmp_path / "step.pkl").write_bytes(data)
    given = {"model_path": "model.pkl", "transformers": "step.pkl", "features": "tenure,charges"}
    found = try_it(tmp_path, **given)
    if kind is PCA:
        assert isinstance(found, list)
        assert f"saved with scikit-learn {theirs} and the model with {ours}" in found[0]
        return
    assert isinstance(found, Adoption)
    assert found.pins.model["scikit-learn"] == ours
    assert [note for note in found.notes if "holds the same in both" in note]


def test_a_pipeline_that_scales_itself_gets_a_note_only(tmp_path: Path) -> None:
    scaler = StandardScaler().fit(NUMBERS)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, CHURN)
    save(tmp_path, {"model.pkl": model, "scaler.pkl": scaler})
    found = try_it(tmp_path, model_path="model.pkl")
    assert isinstance(found, Adoption)
    (note,) = found.notes
    command = "make adopt MODEL=../model.pkl TRANSFORMERS=../scaler.pkl"
    assert "scaler.pkl beside the model" in note
    assert note.endswith(command)


PIPELINE = make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, CHURN)
TREE = RandomForestClassifier(5, random_state=0).fit(NUMBERS, CHURN)
WHOLE: dict[str, tuple[Any, Any, str | None]] = {
    "a Pipeline": (PIPELINE[-1], PIPELINE, "a Pipeline (StandardScaler, LogisticRegression)"),
    "a bundle": (
        TREE,
        {"scaler": StandardScaler().fit(NUMBERS), "model": TREE},
        "a bundle (scaler, model)",
    ),
    "another fit": (LogisticRegression().fit(NUMBERS, CHURN), PIPELINE, None),
    "another class": (TREE, PIPELINE, None),
    "no steps before it": (PIPELINE[-1], make_pipeline(PIPELINE[-1]), None),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_bare_model_beside_all_of_it_is_pointed_out(name: str, tmp_path: Path) -> None:
    model, whole, kind = WHOLE[name]
    save(tmp_path, {"model.pkl": model, "all.pkl": whole})
    tried = try_it(tmp_path, model_path="model.pkl", features="tenure,charges")
    if kind is None:
        assert isinstance(tried, Adoption)
        return
    assert isinstance(tried, list)
    assert f"all.pkl beside model.pkl is {kind} with the same fitted model in it" in tried[0]
    assert "model_path=all.pkl" in tried[-1]
    alone = next(line for line in tried if line.endswith("transformers=-all.pkl"))
    assert "model_path=model.pkl" in alone
    adopted = try_it(
        tmp_path, model_path="model.pkl", features="tenure,charges", transformers="-all.pkl"
    )
    assert isinstance(adopted, Adoption)


def test_two_scalers_that_both_fit_are_asked_for(tmp_path: Path) -> None:
    rows = NUMBERS.to_numpy()
    one, other = StandardScaler().fit(rows), MinMaxScaler().fit(rows)
    model = LogisticRegression().fit(one.transform(rows), CHURN)
    save(tmp_path, {"model.pkl": model, "minmax.pkl": other, "standard.pkl": one})
    lines = try_it(tmp_path, model_path="model.pkl", features="tenure,charges")
    assert isinstance(lines, list)
    commands = [line for line in lines if line.startswith("cookiecutter ")]
    found = [pasted(tmp_path, [line]) for line in commands]
    assert sorted(len(one.contract.transformers) for one in found) == [0, 1, 1]


def test_a_retrained_model_does_not_ask_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, some_columns())
    project = adopted(tmp_path, tmp_path / "model.pkl", transformers="-scaler.pkl")
    monkeypatch.chdir(tmp_path)
    assert "What changed" in adopt(project, AdoptOptions(model="model.pkl"))
    manifest = json.loads((project / "model" / "manifest.json").read_text())
    assert manifest["left_out"] == ["scaler.pkl"]


def test_several_labels_name_the_targets(tmp_path: Path) -> None:
    tags = [["cash"], ["chat"], ["cash", "prize"], ["chat", "lunch"]] * 6
    labels = MultiLabelBinarizer().fit(tags)
    words = TfidfVectorizer().fit(TEXTS)
    model = OneVsRestClassifier(LogisticRegression())
    model.fit(words.transform(TEXTS), labels.transform(tags))
    save(tmp_path, {"model.pkl": model, "tfidf.pkl": words, "mlb.pkl": labels})
    found = try_it(tmp_path, model_path="model.pkl", transformers="tfidf.pkl,mlb.pkl")
    assert isinstance(found, Adoption)
    assert found.contract.output.targets == ("cash", "chat", "lunch", "prize")


@pytest.mark.parametrize("name", ["classes.json", "classes.pkl", "label_classes.npy"])
def test_a_list_of_classes_gives_labels(name: str, tmp_path: Path) -> None:
    model = LogisticRegression().fit(NUMBERS, LEAVES)
    classes: Any = ["No", "Yes"]
    save(tmp_path, {"model.pkl": model, name: np.array(classes) if "npy" in name else classes})
    found = try_it(tmp_path, model_path="model.pkl", transformers=name)
    assert isinstance(found, Adoption)
    assert found.contract.output.labels == {"0": "No", "1": "Yes"}


def test_a_bundle_is_taken_apart(tmp_path: Path) -> None:
    """Encoders in a dict, a scaler, polynomials: the order follows from the counts."""
    encoders = {name: LabelEncoder().fit(FRAME[name]) for name in ("Partner", "Contract")}
    coded = FRAME.assign(**{name: e.transform(FRAME[name]) for name, e in encoders.items()})
    scaler = StandardScaler().fit(coded)
    poly = PolynomialFeatures(include_bias=False).fit(scaler.transform(coded))
    rows = poly.transform(scaler.transform(coded))
    bundle = {"poly": poly, "scaler": scaler, "encoders": encoders, "score": 0.9}
    save(tmp_path, {"bundle.pkl": {"model": Ridge().fit(rows, LEAVES), **bundle}})
    found = try_it(tmp_path, model_path="bundle.pkl")
    assert isinstance(found, Adoption)
    files = [one.file for one in found.contract.transformers]
    assert files == ["#encoders.Partner", "#encoders.Contract", "#scaler", "#poly"]
    named, _ = taken(tmp_path, model_path="bundle.pkl#model")
    assert named.contract.transformers == found.contract.transformers


def test_a_bare_name_is_looked_for_beside_the_model(tmp_path: Path) -> None:
    save(tmp_path, own_folder())
    answers = answers_in(tmp_path, model_path="models/model.pkl", transformers="model.pkl")
    assert answers.transformer_parts == (Part(tmp_path / "models" / "model.pkl"),)
    assert replace(answers, transformers="-model.pkl").left_out == answers.transformer_parts


@pytest.mark.parametrize(
    ("files", "certain"),
    [
        ({"columns.json": {"data_columns": ["tenure", "charges"]}}, True),
        ({"columns.json": ["charges", "tenure"], "train.csv": NUMBERS}, False),  # a ranking?
        ({"cities.json": ["Ulm", "Bonn"]}, False),
        ({"columns.json": ["tenure", "charges"], "other.pkl": Ridge().fit(NUMBERS, LEAVES)}, False),
    ],
)
def test_a_list_of_names_is_taken_or_proposed(
    files: Files, *, certain: bool, tmp_path: Path
) -> None:
    model = KNeighborsClassifier().fit(NUMBERS.to_numpy(), LEAVES + RANDOM.randint(0, 2, ROWS))
    save(tmp_path, {"model.pkl": model, **files})
    given = {"model_path": "model.pkl", "sample_data": "train.csv" if len(files) > 1 else ""}
    given["sample_data"] *= "train.csv" in files
    (name, *_) = files
    if certain:
        found, message = taken(tmp_path, **given)
        assert f"{name} beside the model lists 2 names" in message
        assert [f.name for f in found.contract.features] == ["tenure", "charges"]
        return
    lines = try_it(tmp_path, **given)
    assert isinstance(lines, list)
    assert f"If they are its features in the order of training, answer features={name}" in lines[0]
    assert len(pasted(tmp_path, lines).contract.features) == 2


def test_a_model_of_scaled_values_without_its_scaler_is_noted(tmp_path: Path) -> None:
    _, frame = scaled()
    model = RandomForestClassifier(10, random_state=0).fit(frame, RANDOM.randint(0, 2, ROWS))
    save(tmp_path, {"model.pkl": model, "train.csv": FRAME})
    found = try_it(tmp_path, model_path="model.pkl", sample_data="train.csv")
    assert isinstance(found, Adoption)
    (note,) = found.notes
    assert "tenure with -1" in note
    assert "the sample has 0 to 72" in note
    assert "charges with -1" in note


def test_targets_are_called_as_the_other_columns_of_the_sample(tmp_path: Path) -> None:
    targets = pd.DataFrame({"heat": FRAME["tenure"] * 2.0, "cold": FRAME["charges"] * 3.0})
    model = Ridge().fit(NUMBERS, targets)
    save(tmp_path, {"model.pkl": model, "train.csv": NUMBERS.assign(**targets)})
    found = try_it(tmp_path, model_path="model.pkl", sample_data="train.csv")
    assert isinstance(found, Adoption)
    assert found.contract.output.targets == ("heat", "cold")


def test_a_missing_file_is_answered_with_the_nearest(tmp_path: Path) -> None:
    save(tmp_path, {"penguins.joblib": LogisticRegression().fit(NUMBERS, CHURN)})
    problems = check_answers(answers_in(tmp_path, model_path="penguins.jobib"))
    assert "did you mean penguins.joblib?" in problems[0].message
    command = Command(("cookiecutter", "T"), {"model_path": "penguins.jobib", "trust": "a b"})
    lines = refused(problems, command, tmp_path).shown.splitlines()
    assert lines[-2:] == [
        "Run it again with model_path=penguins.joblib:",
        "cookiecutter T model_path=penguins.joblib trust='a b'",
    ]


def test_a_sample_that_is_scaled_already_is_left_out(tmp_path: Path) -> None:
    """The CSV beside the model is what the notebook wrote after scaling."""
    scaler, values = scaled()
    model = RandomForestClassifier(20, random_state=0).fit(values.to_numpy(), CHURN)
    save(tmp_path, {"model.pkl": model, "scaler.pkl": scaler, "X_train.csv": values})
    given = {"model_path": "model.pkl", "sample_data": "X_train.csv"}
    found, message = taken(tmp_path, **given)
    assert "X_train.csv holds values that scaler.pkl has scaled already" in message
    assert found.taken_answers["sample_data"] == ""
    assert [one.file for one in found.contract.transformers] == ["transformers/01-scaler.pkl"]
    assert found.contract.by_name["tenure"].maximum is None
    assert undone(tmp_path, found, **given).contract.transformers == ()
    answered, _ = taken(tmp_path, **given, transformers="scaler.pkl")
    assert answered.contract == found.contract
    save(tmp_path, {"X_train.csv": values.assign(expected=CHURN)})
    assert isinstance(try_it(tmp_path, **given), list)  # the expected answers would be lost


def two_scalers_of_the_same_columns() -> Files:
    return {**some_columns(), "minmax.pkl": MinMaxScaler().fit(NUMBERS)}


def scaler_of_other_values() -> Files:
    """By its columns it fits, but it was fitted on quite other rows than those of the sample."""
    other = StandardScaler().fit(NUMBERS + 5000)
    return {**some_columns(), "scaler.pkl": other, "train.csv": FRAME.assign(Churn=CHURN)}


def some_scaled_and_some_not() -> Files:
    """Of the columns of the scaler the forest has seen one scaled and one as it is."""
    scaler, values = scaled()
    mixed = values.assign(charges=NUMBERS["charges"])
    forest = RandomForestClassifier(20, random_state=0).fit(mixed, RANDOM.randint(0, 2, ROWS))
    return {"model.pkl": forest, "scaler.pkl": scaler}


def another_model_of_as_many_columns() -> Files:
    """Nothing says for which of two models a scaler of two columns was made."""
    other = KNeighborsClassifier().fit(RANDOM.normal(size=(ROWS, 2)), CHURN)
    return {**array_behind_a_scaler(), "other.pkl": other}


def preprocessor_and_encoder_of_its_column() -> Files:
    encoder = LabelEncoder().fit(FRAME["Partner"])
    files = preprocessor_in_artifacts()
    return {**files, "le_Partner.pkl": encoder, "train.csv": FRAME.assign(Churn=CHURN)}


@pytest.mark.parametrize(
    "make",
    [
        two_scalers_of_the_same_columns,
        scaler_of_other_values,
        some_scaled_and_some_not,
        another_model_of_as_many_columns,
        preprocessor_and_encoder_of_its_column,
    ],
)
def test_what_is_not_certain_is_asked(make: Any, tmp_path: Path) -> None:
    files = make()
    save(tmp_path, files)
    given = {"sample_data": "train.csv"} if "train.csv" in files else {}
    lines = try_it(tmp_path, model_path="model.pkl", **given)
    assert isinstance(lines, list), lines.taken_answers
    assert "applied in training" in " ".join(lines)


def test_a_copy_of_a_scaler_is_no_second_one(tmp_path: Path) -> None:
    files = array_behind_a_scaler()
    save(tmp_path, {**files, "artifacts/standard.pkl": files["scaler.pkl"]})
    found, _ = taken(tmp_path, model_path="model.pkl")
    assert len(found.contract.transformers) == 1


def test_a_new_file_beside_a_retrained_model_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = some_columns()
    save(tmp_path, {"model.pkl": files["model.pkl"]})
    project = adopted(tmp_path, tmp_path / "model.pkl")
    save(tmp_path, {"scaler.pkl": files["scaler.pkl"]})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="If it was applied in training") as refusal:
        adopt(project, AdoptOptions(model="model.pkl"))
    assert refusal.value.ending[-1] == "make adopt MODEL=model.pkl TRANSFORMERS=scaler.pkl"


def test_a_transformer_that_was_taken_stays_with_a_retrained_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, some_columns())
    project = adopted(tmp_path, tmp_path / "model.pkl")
    monkeypatch.chdir(tmp_path)
    assert "nothing: it is the same file" in adopt(project, AdoptOptions(model="model.pkl"))
    document = json.loads((project / "model" / "features.json").read_text())
    assert [one["file"] for one in document["transformers"]] == ["transformers/01-scaler.pkl"]


def test_an_imputer_beside_the_model_gets_a_note(tmp_path: Path) -> None:
    """The forest answers rows with missing values, and the app fills them in first."""
    blanks = NUMBERS.mask(RANDOM.random_sample(NUMBERS.shape) < 0.1)
    imputer = SimpleImputer().fit(blanks)
    scaler, values = scaled()
    frame = FRAME.assign(Partner=LEAVES, Contract=LEAVES).astype(float)
    frame[["tenure", "charges"]] = values
    sample = FRAME.assign(Partner=LEAVES, Contract=LEAVES)
    sample[["tenure", "charges"]] = blanks
    model = RandomForestClassifier(20, random_state=0).fit(frame, CHURN)
    files = {"model.pkl": model, "scaler.pkl": scaler, "imputer.pkl": imputer}
    given = {"model_path": "model.pkl", "transformers": "scaler.pkl", "sample_data": "train.csv"}
    save(tmp_path, {**files, "train.csv": sample})
    adoption = try_it(tmp_path, **given)
    assert isinstance(adoption, Adoption)
    (note,) = [note for note in adoption.notes if "imputer.pkl" in note]
    assert "for the missing values of tenure, charges, and it is not applied" in note
    assert note.endswith("TRANSFORMERS=../imputer.pkl,../scaler.pkl")
    save(tmp_path, {"train.csv": sample.dropna()})
    adoption = try_it(tmp_path, **given)
    assert isinstance(adoption, Adoption)
    assert not [note for note in adoption.notes if "imputer.pkl" in note]


def test_the_last_encoder_of_a_loop_is_a_copy(tmp_path: Path) -> None:
    """The loop that fills encoders.pkl leaves `encoder` behind, and the app saves that too."""
    encoders = {name: LabelEncoder().fit(FRAME[name]) for name in ("Partner", "Contract")}
    coded = FRAME.assign(**{name: e.transform(FRAME[name]) for name, e in encoders.items()})
    model = RandomForestClassifier(10, random_state=0).fit(coded, LEAVES)
    last = {"label_encoder.pkl": encoders["Contract"], "train.csv": FRAME.assign(Churn=LEAVES)}
    save(tmp_path, {"model.pkl": model, "encoders.pkl": encoders, **last})
    found, _ = taken(tmp_path, model_path="model.pkl", sample_data="train.csv")
    assert found.taken_answers == {"transformers": "encoders.pkl"}


def test_a_rare_code_does_not_speak_for_a_scaler(tmp_path: Path) -> None:
    """A rare 1 is far from its mean, but half way between codes is no scaled value."""
    rare = FRAME[["tenure", "charges"]].assign(rare=(FRAME["tenure"] == 0).astype(int))
    rare.loc[rare.index[:2], "rare"] = 1
    scaler = StandardScaler().fit(pd.concat([rare] + [rare.assign(rare=0)] * 50))
    target = (FRAME["tenure"] < 20) | (rare["rare"] == 1)
    model = RandomForestClassifier(10, random_state=0).fit(rare, target.astype(int))
    save(tmp_path, {"model.pkl": model, "scaler.pkl": scaler})
    found = try_it(tmp_path, model_path="model.pkl")
    assert isinstance(found, Adoption)
    assert found.contract.transformers == ()
    assert found.taken == ()


def test_a_dict_of_transformers_by_column_is_applied(tmp_path: Path) -> None:
    """A loop fills `transformer[column]` with a scaler, a one-hot or a label encoder."""
    transformer: dict[str, Any] = {
        "charges": StandardScaler().fit(FRAME[["charges"]].to_numpy()),
        "Contract": OneHotEncoder().fit(FRAME[["Contract"]].to_numpy()),
        "Partner": LabelEncoder().fit(FRAME["Partner"]),
    }
    dummies = transformer["Contract"].transform(FRAME[["Contract"]].to_numpy()).toarray()
    coded = pd.DataFrame(
        {
            "charges": transformer["charges"].transform(FRAME[["charges"]].to_numpy())[:, 0],
            "Partner": transformer["Partner"].transform(FRAME["Partner"]),
            "tenure": FRAME["tenure"],
            "Contract_Month": dummies[:, 0],
            "Contract_Year": dummies[:, 1],
        }
    )
    model = RandomForestClassifier(10, random_state=0).fit(coded, LEAVES)
    save(tmp_path, {"model.pkl": model, "transformer.pkl": transformer})
    found, message = taken(tmp_path, model_path="model.pkl")
    assert found.taken_answers == {"transformers": "transformer.pkl"}
    assert "holds 3 transformers" in message
    columns = {one.columns for one in found.contract.transformers}
    assert columns == {("charges",), ("Contract",), ("Partner",)}
    names = [feature.name for feature in found.contract.features]
    assert sorted(names) == ["Contract", "Partner", "charges", "tenure"]
